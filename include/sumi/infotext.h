/* sumi/infotext.h: the text that AUTOMATIC1111 and others keep in a picture under "parameters": how it was made.
 *
 *   a brass owl, (rim light:1.2)
 *   Negative prompt: blurry
 *   Steps: 24, Sampler: Euler a, Seed: 77123, Size: 512x768
 *
 * Format: AUTOMATIC1111's web UI, modules/infotext_utils.py, create_infotext and parse_generation_parameters. */
#ifndef SUMI_INFOTEXT_H
#define SUMI_INFOTEXT_H

#include "sumi/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sumi_infotext_field {
  const char *key;   /* a letter, digit or underscore, then at least one more of these, or space, - or / */
  const char *value; /* UTF-8; any text: quoted as JSON in the text where that is needed */
} sumi_infotext_field;

/* All strings are UTF-8. What sumi_infotext_parse gives lends them; what sumi_infotext_format takes is the caller's. */
typedef struct sumi_infotext {
  const char *prompt;                /* may have several lines; NULL means "" when formatting */
  const char *negative;              /* the same */
  const sumi_infotext_field *fields; /* in the order of the text */
  size_t count;
} sumi_infotext;

/* The text of these parameters; free with sumi_text_free. The line of the negative prompt and that of the fields are
 * left out where they are empty. Fields whose value is NULL are left out, too. Thread-safe for different contexts.
 * Errors: INVALID (a key that is none, text that is not UTF-8), NO_MEMORY. */
SUMI_API sumi_status sumi_infotext_format(sumi_context *ctx, const sumi_infotext *info, char **out);

/* Takes a text apart; free with sumi_infotext_free. The last line is that of the fields if at least three are found in
 * it, else it belongs to the prompt; any text is thus the text of some parameters. Lines are stripped of space at both
 * ends. Errors: INVALID (not UTF-8), NO_MEMORY. */
SUMI_API sumi_status sumi_infotext_parse(sumi_context *ctx, const char *text, sumi_infotext **out);
/* NULL is allowed. */
SUMI_API void sumi_infotext_free(sumi_context *ctx, sumi_infotext *info);

/* The value of the first field of that key, lent, or NULL. */
SUMI_API const char *sumi_infotext_find(const sumi_infotext *info, const char *key);

#ifdef __cplusplus
}
#endif
#endif
