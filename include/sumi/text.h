/* sumi/text.h: from a prompt's characters to what a text encoder takes.
 *
 *   sumi_tokenizer *tokenizer = NULL;
 *   sumi_prompt *prompt = NULL;
 *   const sumi_prompt_options options = {.steps = 20, .pad = -1};
 *   if (sumi_tokenizer_open(ctx, NULL, &tokenizer) != SUMI_OK) return 1;
 *   if (sumi_prompt_parse(tokenizer, ctx, "a (red:1.3) [owl:otter:0.5]", &options, &prompt) != SUMI_OK) return 1;
 *   for (size_t i = 0; i < prompt->stage_count; i++) ... prompt->stages[i].parts[0].chunks[0].ids ...
 *   sumi_prompt_free(prompt);
 *   sumi_tokenizer_close(tokenizer);
 *
 * A tokenizer is immutable: any number of threads may use one at once, each with a context of its own, which is what
 * the functions below take beside it for memory and errors. */
#ifndef SUMI_TEXT_H
#define SUMI_TEXT_H

#include "sumi/base.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Tokenizer ----------------------------------------------------------------------------------------------- */

/* CLIP's byte-pair encoding (A. Radford et al., "Learning transferable visual models from natural language
 * supervision", 2021; R. Sennrich et al., "Neural machine translation of rare words with subword units", 2016).
 * Token for token what transformers 5's CLIPTokenizer gives, which diffusers loads: NFC, white space, lower case,
 * a split into words, merges of bytes. The older tokenizer with ftfy cleans text up first (HTML entities, mojibake,
 * width of letters) and so differs on such text. */
typedef struct sumi_tokenizer sumi_tokenizer;

/* Opens the tokenizer of a folder that has `vocab.json` and `merges.txt`, and may have `tokenizer_config.json` or
 * `special_tokens_map.json`, or whose subfolder `tokenizer` has them; NULL opens the built-in one, which all Stable
 * Diffusion 1.x and 2.x models share. Close with sumi_tokenizer_close.
 * Errors: NOT_FOUND (no vocab.json), IO, FORMAT (malformed files; a merge of pieces that the vocabulary lacks),
 * NO_MEMORY. */
SUMI_API sumi_status sumi_tokenizer_open(sumi_context *ctx, const char *folder, sumi_tokenizer **out);
/* NULL is allowed. */
SUMI_API void sumi_tokenizer_close(sumi_tokenizer *tokenizer);

/* The ids of UTF-8 text of `bytes` bytes, without tokens for beginning and end and without padding. Bytes that are not
 * UTF-8 count as U+FFFD, one for each longest piece that could have begun a character (as Python's
 * decode(errors="replace")). The texts `<|startoftext|>` and `<|endoftext|>` are those tokens. Time is about linear
 * in the length, whatever the text. Free *ids with sumi_ids_free; on failure it is NULL.
 * Errors: INVALID (more than 2^22 bytes), NO_MEMORY. */
SUMI_API sumi_status sumi_tokenizer_encode(const sumi_tokenizer *tokenizer, sumi_context *ctx, const char *text,
                                           size_t bytes, int32_t **ids, size_t *count);
SUMI_API void sumi_ids_free(sumi_context *ctx, int32_t *ids);

/* The text of ids, UTF-8 and NUL-terminated: bytes that make no character become U+FFFD; the tokens for beginning, end
 * and padding are written out. A space stands between words, since the encoding does not keep what stood there.
 * Free with sumi_text_free (sumi/io.h). Errors: INVALID (an id that is not in the vocabulary), NO_MEMORY. */
SUMI_API sumi_status sumi_tokenizer_decode(const sumi_tokenizer *tokenizer, sumi_context *ctx, const int32_t *ids,
                                           size_t count, char **out);

/* The piece of an id as vocab.json spells it ("otter</w>", "ðŁĺ"): each byte is one letter. Lent; NULL for an id that
 * is not there. */
SUMI_API const char *sumi_tokenizer_piece(const sumi_tokenizer *tokenizer, int32_t id);
/* The id of a piece spelled like that, or -1. */
SUMI_API int32_t sumi_tokenizer_find(const sumi_tokenizer *tokenizer, const char *piece);

/* One more than the highest id: the rows that an embedding table needs. 49408 for the built-in one. */
SUMI_API int32_t sumi_tokenizer_vocabulary(const sumi_tokenizer *tokenizer);
/* The ids that begin (49406), end (49407) and pad a text. Stable Diffusion 1.x pads with the end, 2.x with 0; the
 * built-in one says the former. */
SUMI_API int32_t sumi_tokenizer_bos(const sumi_tokenizer *tokenizer);
SUMI_API int32_t sumi_tokenizer_eos(const sumi_tokenizer *tokenizer);
SUMI_API int32_t sumi_tokenizer_pad(const sumi_tokenizer *tokenizer);

/* ---- Prompts ------------------------------------------------------------------------------------------------- */

/* Prompts follow AUTOMATIC1111's conventions; docs/prompts.md explains them. */

enum {
  SUMI_CHUNK_TOKENS = 77, /* what a text encoder takes at once: begin, 75 of the prompt, end */
  SUMI_CHUNK_ROOM = 75
};

/* What the weights of a prompt do to the text encoder's output z. */
typedef enum sumi_emphasis {
  SUMI_EMPHASIS_ORIGINAL,    /* z * weight, then the chunk's mean restored */
  SUMI_EMPHASIS_NO_NORM,     /* z * weight */
  SUMI_EMPHASIS_INTERPOLATE, /* (z - z_empty) * weight + z_empty, z_empty of the empty prompt: ComfyUI's */
  SUMI_EMPHASIS_IGNORE,      /* brackets are read and taken out, but every weight is 1 */
  SUMI_EMPHASIS_NONE         /* brackets are ordinary text */
} sumi_emphasis;

/* A textual inversion that a prompt may name: where the tokens of `name` stand, `vectors` rows are put instead. */
typedef struct sumi_prompt_embedding {
  const char *name;
  int vectors; /* 1 to 75 */
} sumi_prompt_embedding;

typedef struct sumi_prompt_options {
  int steps;              /* of the sampler, 1 to 10000 */
  bool plain;             /* no syntax at all: the text as it is, in chunks of 75 */
  bool negative;          /* a negative prompt: AND is a word like any other */
  sumi_emphasis emphasis; /* NONE: brackets are not read; all others read the same */
  int32_t pad;            /* the id behind the first end token; -1: the tokenizer's own */
  int comma_backtrack;    /* how far back a comma may be where a full chunk breaks; 0: the default, 20; -1: never */
  const sumi_prompt_embedding *embeddings; /* NULL when embedding_count is 0; copied from */
  size_t embedding_count;
} sumi_prompt_options;

/* A row of an embedding inside a chunk: at `position` (1 to 75) the text encoder gets row `row` of
 * options.embeddings[embedding] in place of the token's (whose id there is 0). */
typedef struct sumi_prompt_row {
  int32_t position, embedding, row;
} sumi_prompt_row;

typedef struct sumi_prompt_chunk {
  int32_t ids[SUMI_CHUNK_TOKENS];   /* begin, the prompt's, end, then padding */
  float weights[SUMI_CHUNK_TOKENS]; /* 1 where nothing was said, as for begin, end and padding */
  int32_t used;                     /* ids that come from the prompt, 0 to 75 */
  size_t row_count;                 /* ascending positions */
  const sumi_prompt_row *rows;
} sumi_prompt_chunk;

/* One of the texts that AND joins. The encodings of its chunks stand behind each other, 77 * chunk_count tokens. A
 * part has as many chunks in each stage, filled up with empty ones. */
typedef struct sumi_prompt_part {
  const char *text; /* what is encoded: schedules resolved, brackets still there; UTF-8 */
  float weight;     /* denoised = u + sum over parts of (c - u) * weight * scale */
  bool weighted;    /* some token has a weight other than 1 */
  size_t chunk_count;
  const sumi_prompt_chunk *chunks;
} sumi_prompt_part;

/* What holds while step <= until, counting steps from 1; the last stage's `until` is options.steps. */
typedef struct sumi_prompt_stage {
  int until;
  size_t part_count; /* the same in each stage, at least 1 */
  const sumi_prompt_part *parts;
} sumi_prompt_stage;

/* A tag like <lora:name:0.8> or <lora:name:0.8:0.5>, taken out of the text. */
typedef struct sumi_prompt_network {
  const char *kind, *name;        /* "lora", "lyco", "hypernet", ... as written */
  float text_weight, unet_weight; /* 1 where not given; one number stands for both */
} sumi_prompt_network;

/* All of it is one block of memory, immutable, and needs the tokenizer no more. */
typedef struct sumi_prompt {
  size_t stage_count; /* at least 1, ascending `until`, none like the one before it */
  const sumi_prompt_stage *stages;
  size_t network_count; /* in the order of the text */
  const sumi_prompt_network *networks;
} sumi_prompt;

/* Reads a prompt, NUL-terminated UTF-8 (broken bytes as in sumi_tokenizer_encode). Any text is a prompt: what is not
 * syntax is text. Free with sumi_prompt_free; on failure *out is NULL.
 * Errors: INVALID (options; more than 2^20 bytes; brackets nested deeper than 256; more than 16384 chunks over all
 * steps), NO_MEMORY. */
SUMI_API sumi_status sumi_prompt_parse(const sumi_tokenizer *tokenizer, sumi_context *ctx, const char *text,
                                       const sumi_prompt_options *options, sumi_prompt **out);
/* NULL is allowed. */
SUMI_API void sumi_prompt_free(sumi_context *ctx, sumi_prompt *prompt);

/* The stage that a sampler's step, counted from 0, uses. Beyond the last step: the last. */
SUMI_API const sumi_prompt_stage *sumi_prompt_at(const sumi_prompt *prompt, int64_t step);

#ifdef __cplusplus
}
#endif
#endif
