/* The loops of an optimiser's step: one pass over memory each, on any part of a
 * parameter. All arrays are f32 of n elements that do not overlap. Where they
 * are cut does not change a result, but the instruction set does (in what is
 * rounded once or twice). */
#ifndef SUMI_SRC_CPU_OPTIMIZER_H
#define SUMI_SRC_CPU_OPTIMIZER_H

#include "cpu/isa/dispatch.h"

/*   g <- grad_scale grad + l2 w;  m <- m + b1 (g - m);  v <- b2 v + c2 g^2
 *   w <- shrink w - rate m / (sqrt(v) / root + eps) */
typedef struct sumi__adam_step {
  float grad_scale, l2, shrink;
  float b1, b2, c2; /* 1 - beta1, beta2, 1 - beta2 */
  float rate, root, eps;
} sumi__adam_step;
SUMI__ISA_DECLARE(void, sumi__cpu_adam_update,
                  (float *w, float *m, float *v, const float *grad, int64_t n, const sumi__adam_step *s));

/*   g <- grad_scale grad + decay w;  b <- mu b + g;  w <- w - lr b, or with
 * Nesterov's w <- w - lr (g + mu b) */
typedef struct sumi__sgd_step {
  float grad_scale, decay, mu, lr;
  bool nesterov;
} sumi__sgd_step;
SUMI__ISA_DECLARE(void, sumi__cpu_sgd_update,
                  (float *w, float *b, const float *grad, int64_t n, const sumi__sgd_step *s));

/*   average <- average + rate (now - average) */
SUMI__ISA_DECLARE(void, sumi__cpu_average_update, (float *average, const float *now, int64_t n, float rate));

/* The sum of squares, in double. */
SUMI__ISA_DECLARE(double, sumi__cpu_square_sum, (const float *x, int64_t n));

#endif
