/* Unicode as CLIP's tokenizer sees it: UTF-8, the classes that words are made of, lower case, NFC. */
#ifndef SUMI_SRC_TEXT_UNICODE_H
#define SUMI_SRC_TEXT_UNICODE_H

#include "base/base.h"

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------ */

/* Reads one code point of the `bytes` bytes at `text` (at least one) and returns how many it takes. Of what is not
 * UTF-8, the longest piece that could have begun a character, or one byte, is U+FFFD (the Unicode Standard, section
 * 3.9, "U+FFFD substitution of maximal subparts"). */
size_t sumi__utf8_get(const uint8_t *text, size_t bytes, uint32_t *code);
/* Writes one code point, up to 4 bytes, and returns how many. */
size_t sumi__utf8_put(uint32_t code, uint8_t out[4]);

/* ---- Code points ------------------------------------------------------------------------------------------------ */

bool sumi__is_letter(uint32_t code); /* categories L */
bool sumi__is_number(uint32_t code); /* categories N */
bool sumi__is_space(uint32_t code);  /* White_Space */

/* Lower case of one code point whatever stands around it: one code point, or two of U+0130. Returns how many. */
size_t sumi__lower(uint32_t code, uint32_t out[2]);

/* A growing array of code points. Zero it; free with sumi__codes_free. */
typedef struct sumi__codes {
  uint32_t *items;
  size_t count, capacity;
} sumi__codes;

/* Room for `more` items behind those that are there. Errors: NO_MEMORY. */
sumi_status sumi__codes_reserve(sumi_context *ctx, sumi__codes *codes, size_t more);
void sumi__codes_free(sumi_context *ctx, sumi__codes *codes);

/* Appends the code points of UTF-8 text. */
sumi_status sumi__codes_of_utf8(sumi_context *ctx, const char *text, size_t bytes, sumi__codes *out);

/* Replaces out's items by the canonical composition (NFC) of `count` code points, which must not be out's own. */
sumi_status sumi__nfc(sumi_context *ctx, const uint32_t *codes, size_t count, sumi__codes *out);

#endif
