/* Prompts inside the library: the steps from text to chunks, in the order in which sumi_prompt_parse takes them, and
 * what weights do to embeddings. The conventions are AUTOMATIC1111's (its prompt_parser.py, extra_networks.py and
 * sd_hijack_clip.py say what they are); docs/prompts.md tells them to users. Texts here are
 * well-formed UTF-8 without a zero. */
#ifndef SUMI_SRC_TEXT_PROMPT_H
#define SUMI_SRC_TEXT_PROMPT_H

#include "sumi/text.h"
#include "text/unicode.h"

enum {
  SUMI__PROMPT_MAX_BYTES = 1 << 20,
  SUMI__PROMPT_MAX_DEPTH = 256,    /* brackets that are open at once */
  SUMI__PROMPT_MAX_CHUNKS = 16384, /* of all stages */
  SUMI__PROMPT_MAX_WORK = 1 << 24  /* bytes and pieces of text that the stages of one part are put together from */
};

/* A growing text. Zero it; free with sumi__free. */
typedef struct sumi__buffer {
  char *text; /* not NUL-terminated */
  size_t bytes, capacity;
} sumi__buffer;

sumi_status sumi__buffer_put(sumi_context *ctx, sumi__buffer *buffer, const char *text, size_t bytes);

typedef struct sumi__span {
  const char *text;
  size_t bytes;
} sumi__span;

/* A weight as f32, at most a million either way, so that nothing that is written in a prompt is infinite. */
static inline float sumi__prompt_weight(double weight) {
  return (float)(weight > 1e6 ? 1e6 : weight < -1e6 ? -1e6 : weight);
}

/* How many bytes of white space, or of one word's letters, digits and underscores, the text begins with. */
size_t sumi__space_length(const char *text, size_t bytes);
size_t sumi__word_length(const char *text, size_t bytes);
/* Whether `word`, of ASCII letters, stands at text[at] with no word's letter on either side of it. */
bool sumi__is_word_at(const char *text, size_t bytes, size_t at, const char *word);

/* ---- Tags: <lora:name:0.8> -------------------------------------------------------------------------------------- */

/* Appends the text without its tags to `out`, and gives the tags back, made in the arena. */
sumi_status sumi__prompt_take_tags(sumi__arena *arena, sumi__span text, sumi__buffer *out,
                                   sumi_prompt_network **networks, size_t *count);

/* ---- AND -------------------------------------------------------------------------------------------------------- */

typedef struct sumi__prompt_piece {
  sumi__span text;
  float weight;
} sumi__prompt_piece;

/* Splits at AND; of more than one part each may end in `: weight`. An array to be freed with sumi__free. */
sumi_status sumi__prompt_split_and(sumi_context *ctx, sumi__span text, sumi__prompt_piece **out, size_t *count);

/* ---- Schedules: [from:to:when], [to:when], [from::when], [a|b] ----------------------------------------------------
 */

typedef struct sumi__prompt_schedule sumi__prompt_schedule;

/* Reads a part's schedule for this number of steps. `text` must outlive it. Errors: INVALID (depth), NO_MEMORY. */
sumi_status sumi__prompt_schedule_create(sumi_context *ctx, sumi__span text, int steps, sumi__prompt_schedule **out);
void sumi__prompt_schedule_free(sumi__prompt_schedule *schedule); /* NULL is allowed */
/* The last step, counted from 1, on which what holds at `step` holds for sure. */
int sumi__prompt_schedule_until(const sumi__prompt_schedule *schedule, int step);
/* Appends what the part says at a step, counted from 1. Errors: INVALID (over all calls, more than
 * SUMI__PROMPT_MAX_WORK), NO_MEMORY. */
sumi_status sumi__prompt_schedule_write(sumi__prompt_schedule *schedule, int step, sumi__buffer *out);

/* ---- Emphasis: (x), [x], (x:1.3), BREAK ---------------------------------------------------------------------------
 */

typedef struct sumi__run {
  size_t begin, end; /* of the text */
  double weight;
  bool is_break; /* no text: the chunk ends here */
} sumi__run;

typedef struct sumi__runs {
  sumi__buffer text; /* without brackets and escapes */
  sumi__run *items;
  size_t count, capacity;
} sumi__runs;

/* Reads brackets, escapes and BREAK into an empty `out`; with `brackets` false all of the text is one run.
 * Errors: INVALID (depth), NO_MEMORY. */
sumi_status sumi__emphasis_parse(sumi_context *ctx, sumi__span text, bool brackets, sumi__runs *out);
void sumi__runs_free(sumi_context *ctx, sumi__runs *runs);

/* Weighs the encoding of one chunk in place: z and empty are (tokens, width), row-major, weights (tokens). `empty` is
 * the encoding of the empty prompt, and may be NULL for every kind but INTERPOLATE. */
void sumi__emphasis_apply(sumi_emphasis kind, float *z, const float *empty, const float *weights, int64_t tokens,
                          int64_t width);

/* ---- Chunks ----------------------------------------------------------------------------------------------------- */

/* An embedding's name as token ids. */
typedef struct sumi__prompt_name {
  int32_t *ids;
  size_t count;
  int32_t embedding, vectors;
} sumi__prompt_name;

/* What chunks are made with. */
typedef struct sumi__chunker {
  sumi_context *ctx;
  const sumi_tokenizer *tokenizer;
  sumi__prompt_name *names; /* by first id, longer ones first */
  size_t name_count;
  int32_t bos, eos, pad, comma;
  int comma_backtrack; /* 0: never */
  bool weigh;          /* else every weight is 1 */
} sumi__chunker;

sumi_status sumi__chunker_init(sumi__chunker *c, sumi_context *ctx, const sumi_tokenizer *tokenizer,
                               const sumi_prompt_options *options);
void sumi__chunker_free(sumi__chunker *c);

/* A growing array of chunks; their rows live in the arena. Zero it; free the items with sumi__free. */
typedef struct sumi__chunks {
  sumi_prompt_chunk *items;
  size_t count, capacity;
} sumi__chunks;

/* Appends the chunks of a text, at least one, at most `limit`. Errors: INVALID (more), NO_MEMORY. */
sumi_status sumi__chunks_append(sumi__chunker *c, sumi__arena *arena, const sumi__runs *runs, size_t limit,
                                sumi__chunks *out);

#endif
