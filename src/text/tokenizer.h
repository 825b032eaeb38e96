/* The tokenizer inside: a vocabulary, merges, and what surrounds them. */
#ifndef SUMI_SRC_TEXT_TOKENIZER_H
#define SUMI_SRC_TEXT_TOKENIZER_H

#include "sumi/text.h"
#include "text/unicode.h"

enum {
  SUMI__VOCABULARY_MAX = 1 << 20,
  SUMI__ENCODE_MAX_BYTES = 1 << 22,
  SUMI__SPECIAL_MAX = 8 /* begin, end, unknown, padding */
};

/* Two pieces that become one. Lower ranks come first. */
typedef struct sumi__merge {
  int32_t left, right, made; /* ids */
  uint32_t rank;
} sumi__merge;

/* A text that is one token wherever it stands. */
typedef struct sumi__special {
  const char *text;
  int32_t id;
  bool normalized;   /* looked for in normalised text rather than in the text as it came */
  sumi__codes codes; /* of `text`, normalised if that is where it is looked for */
} sumi__special;

struct sumi_tokenizer {
  sumi_context *ctx;
  sumi__arena arena;   /* pieces */
  const char **pieces; /* by id, NULL where there is none */
  int32_t vocabulary;
  int32_t *piece_slots; /* hash of pieces: ids, -1 for an empty slot; a power of two of them */
  size_t piece_mask;
  sumi__merge *merge_slots; /* hash of (left, right): made is -1 for an empty slot */
  size_t merge_mask;
  int32_t byte_ids[256], last_byte_ids[256]; /* of single bytes, inside a word and at its end; unk where missing */
  int32_t bos, eos, pad, unk;
  sumi__special specials[SUMI__SPECIAL_MAX];
  int special_count;
};

/* The letter that stands for a byte in pieces (R. Sennrich's scheme as in GPT-2: printable Latin-1 for itself, the
 * others from U+0100 on), and back: -1 if the code point stands for none. */
uint32_t sumi__byte_letter(uint8_t byte);
int sumi__letter_byte(uint32_t code);

/* Builds the indices over t->pieces (vocabulary, pieces, arena are set) and `count` merges, of which a later one wins
 * over an earlier one of the same pair. `name` stands for the files in errors.
 * Errors: FORMAT (a piece twice), NO_MEMORY. */
sumi_status sumi__tokenizer_index_pieces(sumi_tokenizer *t, const char *name);
sumi_status sumi__tokenizer_index_merges(sumi_tokenizer *t, const sumi__merge *merges, size_t count);
/* Sets the ids of single bytes; t->unk is set. */
void sumi__tokenizer_index_bytes(sumi_tokenizer *t);
/* Adds a special token, or changes `normalized` of one that is there. Errors: FORMAT (not in the vocabulary, too
 * many), NO_MEMORY. */
sumi_status sumi__tokenizer_add_special(sumi_tokenizer *t, const char *name, const char *text, bool normalized);

/* The id of a piece of `bytes` bytes, or -1. */
int32_t sumi__tokenizer_find(const sumi_tokenizer *t, const char *piece, size_t bytes);
/* The merge of a pair, or NULL. */
const sumi__merge *sumi__tokenizer_merge(const sumi_tokenizer *t, int32_t left, int32_t right);

/* Fills an empty tokenizer: the one that is built in, the one in a folder. */
sumi_status sumi__tokenizer_load_builtin(sumi_tokenizer *t);
sumi_status sumi__tokenizer_load_folder(sumi_tokenizer *t, const char *folder);
/* The same from texts in memory. `name` stands for the folder; config and special_map may have no text (NULL). */
typedef struct sumi__tokenizer_texts {
  const char *vocab, *merges, *config, *special_map;
  size_t vocab_bytes, merges_bytes, config_bytes, special_map_bytes;
} sumi__tokenizer_texts;
sumi_status sumi__tokenizer_load_texts(sumi_tokenizer *t, const char *name, const sumi__tokenizer_texts *texts);

/* An empty tokenizer, for the loaders above. */
sumi_status sumi__tokenizer_create(sumi_context *ctx, sumi_tokenizer **out);

/* NFC, runs of white space as one space, lower case. `out` is overwritten. */
sumi_status sumi__normalize(sumi_context *ctx, const uint32_t *codes, size_t count, sumi__codes *out);

/* Writes FOLDER/tokenizer with vocab.json, merges.txt and tokenizer_config.json, from which transformers makes the same
 * tokenizer; `pad` is the id that fills texts up. Errors: INVALID (no such id), IO, NO_MEMORY. */
sumi_status sumi__tokenizer_save(const sumi_tokenizer *t, sumi_context *ctx, const char *folder, int32_t pad);

#endif
