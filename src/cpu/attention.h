/* Attention and its gradient, one block of queries or one head at a time. */
#ifndef SUMI_SRC_CPU_ATTENTION_H
#define SUMI_SRC_CPU_ATTENTION_H

#include "cpu/isa/dispatch.h"
#include "ops/attrs.h"
#include "tensor/graph.h"

/* The shape of the work, and how it is cut. N pictures, T queries, S keys, A heads, D width. */
typedef struct sumi__attention_plan {
  int64_t batch, queries, keys, heads, width;
  int64_t padded;      /* width, rounded up to whole vectors */
  int64_t tile;        /* keys that are looked at together, whole vectors */
  int64_t block;       /* queries of one job */
  int64_t blocks;      /* of each head */
  int64_t worker_size; /* floats of scratch memory for each worker */
  sumi_dtype dtype;
  int first; /* input that q is; k, v and the mask follow */
  int64_t mask_strides[SUMI_MAX_RANK];
  float scale;
  bool causal, has_mask;
} sumi__attention_plan;

enum { SUMI__ATTENTION_ROWS = 32 }; /* queries whose scores are in the cache at once */

/* Jobs [begin, end): blocks of queries of all heads, or whole heads for the gradient. `call` is the sumi__call, its
 * state the plan. For sumi__parallel_for. */
SUMI__ISA_DECLARE(void, sumi__cpu_attention_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_attention_grad_range, (void *call, int64_t begin, int64_t end, int worker));

#endif
