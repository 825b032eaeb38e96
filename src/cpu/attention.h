/* Attention and its gradient: the shape of the work, and how it is cut. */
#ifndef SUMI_SRC_CPU_ATTENTION_H
#define SUMI_SRC_CPU_ATTENTION_H

#include "cpu/isa/dispatch.h"
#include "ops/attrs.h"
#include "tensor/graph.h"

/* N pictures, T queries, S keys, A heads, D width. */
typedef struct sumi__attention_shape {
  int64_t batch, queries, keys, heads, width;
  sumi_dtype dtype;
  int first; /* input that q is; k, v and the mask follow */
  int64_t mask_strides[SUMI_MAX_RANK];
  float scale;
  bool causal, has_mask;
} sumi__attention_shape;

/* Forward. Keys and values of some heads are packed for all workers, then blocks of queries look at them. Packed
 * memory is counted in units of 32 bits: an f32, or two bf16 (see isa/panel.h). */
typedef struct sumi__attention_plan {
  sumi__attention_shape shape;
  bool half;             /* of pairs: the last vector of a value has eight numbers or fewer */
  bool pairs;            /* bf16 in pairs; else f32 */
  bool bounds;           /* scores, by the norms of queries and keys */
  int64_t units;         /* of a query or a key */
  int64_t tile, tiles;   /* keys that are looked at together, a multiple of whole panels; such tiles of a head */
  int64_t padded;        /* width, rounded up to whole vectors */
  int64_t block, blocks; /* queries of one job; jobs of a head */
  int64_t heads_at_once; /* of all pictures, whose keys and values lie packed at the same time */
  int64_t key_units, value_units; /* of a packed head */
  int64_t norm_units;             /* of the largest squared norms of keys, one for each tile of all packed heads */
  int64_t worker_units;           /* of scratch memory for each worker, behind what is packed */
} sumi__attention_plan;

typedef struct sumi__attention_job {
  const sumi__call *c;
  int64_t first; /* head, counted over all pictures, that is packed first */
} sumi__attention_job;

/* Backward. Units are those of the forward pass. */
typedef struct sumi__attention_grad_plan {
  sumi__attention_shape shape;
  bool pairs;
  int64_t units, padded; /* of a query; floats of one */
  int64_t tile, block;   /* keys and queries that are looked at together, both even */
  int64_t worker_size;   /* floats of scratch memory for each worker */
} sumi__attention_grad_plan;

/* For sumi__parallel_for. Tiles [begin, end) of keys and values of the heads that are packed now; blocks of their
 * queries. `job` is a sumi__attention_job. */
SUMI__ISA_DECLARE(void, sumi__cpu_attention_pack, (void *job, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_attention_blocks, (void *job, int64_t begin, int64_t end, int worker));
/* Whole heads; `call` is the sumi__call. */
SUMI__ISA_DECLARE(void, sumi__cpu_attention_grad_range, (void *call, int64_t begin, int64_t end, int worker));

#endif
