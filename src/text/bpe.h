/* Byte-pair encoding of one word. */
#ifndef SUMI_SRC_TEXT_BPE_H
#define SUMI_SRC_TEXT_BPE_H

#include "text/tokenizer.h"

/* Working memory, kept from word to word, and the ids found so far. Zero it; free with sumi__bpe_free. */
typedef struct sumi__bpe {
  struct sumi__bpe_symbol *symbols;
  struct sumi__bpe_candidate *heap;
  size_t symbol_room, heap_room, heap_count;
  int32_t *ids;
  size_t id_count, id_room;
} sumi__bpe;

/* Appends one id. */
sumi_status sumi__bpe_put(sumi_context *ctx, sumi__bpe *bpe, int32_t id);

/* Appends the ids of a word of `bytes` bytes, at least one and fewer than 2^31: of all neighbours that merge, those of
 * the lowest rank do first, and of equal ones the leftmost. O(n log n). */
sumi_status sumi__bpe_word(sumi_context *ctx, sumi__bpe *bpe, const sumi_tokenizer *t, const uint8_t *word,
                           size_t bytes);

void sumi__bpe_free(sumi_context *ctx, sumi__bpe *bpe);

#endif
