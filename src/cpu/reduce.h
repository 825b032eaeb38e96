/* The inner loops of reductions. They add in f32 lanes over at most a few hundred steps and in double from there on. */
#ifndef SUMI_SRC_CPU_REDUCE_H
#define SUMI_SRC_CPU_REDUCE_H

#include "cpu/isa/dispatch.h"
#include "tensor/graph.h"

/* One kind of reduction; x is f32, bf16 or f16 and starts at element `at`. */
typedef struct sumi__reduce_loops {
  double start; /* what nothing reduces to */
  double (*join)(double a, double b);
  /* Reduces a run of n elements. n is at most a few thousand. */
  double (*run)(const void *x, sumi_dtype dtype, int64_t at, int64_t n);
  /* Reduces `rows` rows into acc[width], which is joined with; row r starts at element at + r * stride. */
  void (*rows)(double *acc, const void *x, sumi_dtype dtype, int64_t at, int64_t rows, int64_t width, int64_t stride);
} sumi__reduce_loops;

SUMI__ISA_DECLARE_TABLE(const sumi__reduce_loops, sumi__cpu_sum_loops);
SUMI__ISA_DECLARE_TABLE(const sumi__reduce_loops, sumi__cpu_max_loops);

#endif
