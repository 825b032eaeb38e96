/* What resize_bilinear and its gradient share. */
#ifndef SUMI_SRC_OPS_RESIZE_H
#define SUMI_SRC_OPS_RESIZE_H

#include "ops/ops.h"

/* The two input positions that an output position lies between, and how much of the second it takes. */
typedef struct sumi__resize_tap {
  int64_t low, high;
  float part;
} sumi__resize_tap;

/* For one dimension, in PyTorch's arithmetic (f32). */
sumi__resize_tap sumi__resize_at(int64_t position, int64_t in, int64_t out, bool align_corners);

#endif
