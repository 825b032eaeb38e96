/* Loops over the last dimension: softmax and what is made of it. */
#ifndef SUMI_SRC_CPU_ROWS_H
#define SUMI_SRC_CPU_ROWS_H

#include "cpu/isa/dispatch.h"
#include "tensor/graph.h"

/* Rows [begin, end) of softmax and log_softmax; `call` is the sumi__call. For sumi__parallel_for. */
SUMI__ISA_DECLARE(void, sumi__cpu_softmax_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_log_softmax_range, (void *call, int64_t begin, int64_t end, int worker));

/* log(sum exp(x)) of n f32 numbers, without overflow. */
SUMI__ISA_DECLARE(double, sumi__cpu_log_sum_exp, (const float *x, int64_t n));
/* y = scale * (exp(x - total) - shift) for n numbers. */
SUMI__ISA_DECLARE(void, sumi__cpu_exp_minus,
                  (float *y, const float *x, float total, float scale, float shift, int64_t n));

#endif
