/* The elementwise operators on short runs of f32 numbers that lie in the first-level cache: what fused chains are run
 * with (cpu/fused.c). */
#ifndef SUMI_SRC_CPU_BLOCKS_H
#define SUMI_SRC_CPU_BLOCKS_H

#include "cpu/isa/dispatch.h"

/* y[i] = f(x[0][i], x[1][i], ...) for n elements. Every x[k] is y itself or does not overlap it. `attrs`: the
 * operator's own, which are floats where there are any. */
typedef void (*sumi__block_fn)(float *y, const float *const *x, const float *attrs, int64_t n);

typedef struct sumi__block {
  const char *name; /* the operator's */
  sumi__block_fn run;
} sumi__block;

/* Ended by a NULL name. An operator that is not among them is run by its `scalar`. */
typedef const sumi__block sumi__block_table[];
SUMI__ISA_DECLARE_TABLE(sumi__block_table, sumi__cpu_blocks);

#endif
