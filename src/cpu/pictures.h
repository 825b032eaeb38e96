/* Pooling and resizing of pictures (N, H, W, C): loops over the rows of the result. */
#ifndef SUMI_SRC_CPU_PICTURES_H
#define SUMI_SRC_CPU_PICTURES_H

#include "cpu/isa/dispatch.h"
#include "ops/resize.h"
#include "tensor/graph.h"

/* For each: rows [begin, end) of the result, all pictures' rows counted through; `call` is the sumi__call. For
 * sumi__parallel_for. */
SUMI__ISA_DECLARE(void, sumi__cpu_avg_pool_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_avg_pool_grad_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_max_pool_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_upsample_grad_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_resize_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_resize_grad_range, (void *call, int64_t begin, int64_t end, int worker));

/* Pictures [begin, end). Windows that overlap need dx of f32, in which their shares are added up. */
SUMI__ISA_DECLARE(void, sumi__cpu_max_pool_grad_range, (void *call, int64_t begin, int64_t end, int worker));

/* The state of the resizing kernels: where each output position reads, and, for the gradient, the output positions
 * [first, last] that read an input position. */
typedef struct sumi__resize_side {
  sumi__resize_tap *taps;
  int64_t *first, *last;
} sumi__resize_side;

typedef struct sumi__resize_plan {
  sumi__resize_side h, w;
} sumi__resize_plan;

#endif
