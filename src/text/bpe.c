/* Byte-pair encoding (R. Sennrich et al., 2016) with a heap, so that a word of a million letters takes seconds less
 * than an hour. The order of merges is that of the Rust package `tokenizers`. */
#include "text/bpe.h"

#include <string.h>

/* A piece of the word, in a doubly linked list; -1 ends it. A piece that was merged into its left neighbour has
 * id -1. */
typedef struct sumi__bpe_symbol {
  int32_t id, previous, next;
} symbol;

/* A merge that was possible when it was found: the pieces at `position` and behind it. */
typedef struct sumi__bpe_candidate {
  uint64_t key; /* rank, then position */
  int32_t made;
} candidate;

static void heap_push(sumi__bpe *bpe, candidate item) {
  candidate *heap = bpe->heap;
  size_t at = bpe->heap_count++;
  while (at > 0 && heap[(at - 1) / 2].key > item.key) {
    heap[at] = heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  heap[at] = item;
}

static candidate heap_pop(sumi__bpe *bpe) {
  candidate *heap = bpe->heap;
  const candidate top = heap[0], item = heap[--bpe->heap_count];
  const size_t count = bpe->heap_count;
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && heap[child + 1].key < heap[child].key) child++;
    if (heap[child].key >= item.key) break;
    heap[at] = heap[child];
    at = child;
  }
  if (count) heap[at] = item;
  return top;
}

/* Looks whether the pieces at `position` and behind it merge. */
static void consider(sumi__bpe *bpe, const sumi_tokenizer *t, int32_t position) {
  if (position < 0 || bpe->symbols[position].next < 0) return;
  const symbol *s = &bpe->symbols[position];
  const sumi__merge *merge = sumi__tokenizer_merge(t, s->id, bpe->symbols[s->next].id);
  if (merge) heap_push(bpe, (candidate){(uint64_t)merge->rank << 32 | (uint32_t)position, merge->made});
}

static void merge_all(sumi__bpe *bpe, const sumi_tokenizer *t) {
  while (bpe->heap_count) {
    const candidate top = heap_pop(bpe);
    const int32_t position = (int32_t)(uint32_t)top.key;
    symbol *s = &bpe->symbols[position];
    if (s->id < 0 || s->next < 0) continue;
    symbol *right = &bpe->symbols[s->next];
    /* Either may have become something else meanwhile. */
    const sumi__merge *merge = sumi__tokenizer_merge(t, s->id, right->id);
    if (!merge || merge->made != top.made) continue;
    s->id = top.made;
    s->next = right->next;
    right->id = -1;
    if (s->next >= 0) bpe->symbols[s->next].previous = position;
    consider(bpe, t, s->previous);
    consider(bpe, t, position);
  }
}

sumi_status sumi__bpe_put(sumi_context *ctx, sumi__bpe *bpe, int32_t id) {
  const sumi_status status = sumi__grow(ctx, (void **)&bpe->ids, &bpe->id_room, bpe->id_count + 1, sizeof *bpe->ids);
  if (status == SUMI_OK) bpe->ids[bpe->id_count++] = id;
  return status;
}

sumi_status sumi__bpe_word(sumi_context *ctx, sumi__bpe *bpe, const sumi_tokenizer *t, const uint8_t *word,
                           size_t bytes) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi__grow(ctx, (void **)&bpe->symbols, &bpe->symbol_room, bytes, sizeof *bpe->symbols));
  /* One candidate for each pair at first, and two more for each of at most bytes - 1 merges. */
  SUMI_TRY(sumi__grow(ctx, (void **)&bpe->heap, &bpe->heap_room, 3 * bytes, sizeof *bpe->heap));
  const int32_t count = (int32_t)bytes;
  for (int32_t i = 0; i < count; i++) {
    const int32_t *ids = i + 1 == count ? t->last_byte_ids : t->byte_ids;
    bpe->symbols[i] = (symbol){ids[word[i]], i - 1, i + 1 < count ? i + 1 : -1};
  }
  bpe->heap_count = 0;
  for (int32_t i = 0; i < count; i++) consider(bpe, t, i);
  merge_all(bpe, t);
  for (int32_t i = 0; i >= 0; i = bpe->symbols[i].next) SUMI_TRY(sumi__bpe_put(ctx, bpe, bpe->symbols[i].id));
done:
  return status;
}

void sumi__bpe_free(sumi_context *ctx, sumi__bpe *bpe) {
  sumi__free(ctx, bpe->symbols);
  sumi__free(ctx, bpe->heap);
  sumi__free(ctx, bpe->ids);
  *bpe = (sumi__bpe){0};
}
