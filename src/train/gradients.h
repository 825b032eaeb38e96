/* The gradient of one optimiser step, summed over micro-batches; its norm. */
#ifndef SUMI_SRC_TRAIN_GRADIENTS_H
#define SUMI_SRC_TRAIN_GRADIENTS_H

#include "base/base.h"

typedef struct sumi__gradients {
  sumi_context *ctx;
  size_t count; /* parameters */
  int64_t *sizes;
  const float **now; /* the result, by parameter: lent by the program, or the sums */
  float **sums;
  float *block; /* of the sums; made when a second micro-batch is first seen */
} sumi__gradients;

/* sizes[i]: elements of parameter i; copied. Errors: NO_MEMORY. */
sumi_status sumi__gradients_create(sumi_context *ctx, size_t count, const int64_t *sizes, sumi__gradients *out);
void sumi__gradients_free(sumi__gradients *g);

/* Takes the gradients of one micro-batch, lent until the next program runs, times `weight` (its share of the batch).
 * `first`: they replace what was there. Where a single one of weight 1 makes the step nothing is copied.
 * Errors: NO_MEMORY. */
sumi_status sumi__gradients_add(sumi__gradients *g, const float *const *piece, float weight, bool first);

/* The global L2 norm, summed in double in a fixed order whatever the number of threads. */
double sumi__gradients_norm(const sumi__gradients *g);

/* What to multiply gradients with so that their norm is at most max_norm (0: never clip):
 * min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. */
float sumi__clip_scale(double norm, double max_norm);

#endif
