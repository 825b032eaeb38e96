/* What layer_norm and its gradient share. */
#ifndef SUMI_SRC_OPS_LAYER_NORM_H
#define SUMI_SRC_OPS_LAYER_NORM_H

#include "ops/ops.h"

typedef struct sumi__row_moments {
  double mean, rstd; /* rstd: 1 / sqrt(variance + eps), the variance biased */
} sumi__row_moments;

sumi__row_moments sumi__layer_norm_measure(const float *x, int64_t width, double eps);

#endif
