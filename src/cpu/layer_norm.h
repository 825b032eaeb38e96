/* What the layer_norm kernels and their loops for each instruction set share. */
#ifndef SUMI_SRC_CPU_LAYER_NORM_H
#define SUMI_SRC_CPU_LAYER_NORM_H

#include "cpu/isa/dispatch.h"
#include "tensor/graph.h"

typedef struct sumi__layer_norm_task {
  sumi_dtype dtype; /* of x, y, dy, dx: f32, bf16 or f16 */
  float eps;
  int64_t rows, width, padded_width;
  const void *x;
  const float *gamma, *beta; /* NULL where there is none */
  void *y;
  /* Backward. */
  const void *dy;
  void *dx;
  float *work; /* of each worker: 2 padded widths for h and dh, then 2 with its sums of dgamma and dbeta */
} sumi__layer_norm_task;

enum { SUMI__LAYER_NORM_WORK = 4 }; /* padded widths of a worker */

/* Rows [begin, end). */
SUMI__ISA_DECLARE(void, sumi__cpu_layer_norm_rows, (void *task, int64_t begin, int64_t end, int worker));
/* Needs the worker's sums to be zero before. */
SUMI__ISA_DECLARE(void, sumi__cpu_layer_norm_grad_rows, (void *task, int64_t begin, int64_t end, int worker));

#endif
