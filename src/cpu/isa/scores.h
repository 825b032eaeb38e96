/* What attention and its gradient share: where a head lies, and which scores are masked. */
#ifndef SUMI_SRC_CPU_ISA_SCORES_H
#define SUMI_SRC_CPU_ISA_SCORES_H

#include "cpu/attention.h"
#include "cpu/isa/tile.h"
#include "cpu/isa/vmath.h"

typedef struct head_place {
  int64_t n, head;
  int64_t queries_at, keys_at; /* the element that the head's first token begins at */
  int64_t stride;              /* from token to token */
} head_place;

static inline head_place place_of_head(const sumi__attention_shape *s, int64_t index) {
  head_place h = {.n = index / s->heads, .head = index % s->heads, .stride = s->heads * s->width};
  h.queries_at = (h.n * s->queries * s->heads + h.head) * s->width;
  h.keys_at = (h.n * s->keys * s->heads + h.head) * s->width;
  return h;
}

/* Adds the mask to one query's `tile` scores of keys [key, key + seen), and puts -infinity where there is no key or
 * where a causal attention does not go. */
static inline void mask_scores(const sumi__call *c, const sumi__attention_shape *s, const head_place *h, float *scores,
                               int64_t tile, int64_t query, int64_t key, int64_t seen) {
  if (s->has_mask) {
    const int64_t *m = s->mask_strides;
    const float *mask = (const float *)c->in[s->first + 3] + h->n * m[0] + h->head * m[1] + query * m[2] + key * m[3];
    for (int64_t j = 0; j < seen; j++) scores[j] += mask[j * m[3]];
  }
  if (s->causal) seen = sumi__max_i64(0, sumi__min_i64(seen, query + 1 - key));
  for (int64_t j = seen; j < tile; j++) scores[j] = -INFINITY;
}

#endif
