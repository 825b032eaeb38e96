/* What attention and its gradient share. */
#ifndef SUMI_SRC_OPS_ATTENTION_H
#define SUMI_SRC_OPS_ATTENTION_H

#include "ops/ops.h"

/* Checks q, k, v and the optional mask, which begin at input `first`. */
bool sumi__attention_check(sumi_graph *g, const sumi__node *n, int first);

/* The operands of a call as f32 arrays, for the reference kernels. */
typedef struct sumi__attention_view {
  int64_t batch, queries, keys, heads, width; /* N, T, S, A, D */
  const float *q, *k, *v, *mask;              /* mask: NULL if there is none */
  int64_t mask_strides[SUMI_MAX_RANK];        /* of N, A, T, S */
  double scale;
  bool causal;
} sumi__attention_view;

sumi__attention_view sumi__attention_at(const sumi__call *c, int first);

/* scale q . k + mask of a pair; -INFINITY where it is hidden. */
double sumi__attention_score(const sumi__attention_view *a, int64_t n, int64_t head, int64_t t, int64_t s);

/* Where the vector of a token begins, in an array of (N, tokens, A, D). */
static inline int64_t sumi__attention_token(const sumi__attention_view *a, int64_t n, int64_t tokens, int64_t t,
                                            int64_t head) {
  return ((n * tokens + t) * a->heads + head) * a->width;
}

double sumi__attention_flops(const sumi__node *n, int first, double products);

#endif
