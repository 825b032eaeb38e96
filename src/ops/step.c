/* 1 where x >= threshold, else 0 (also for NaN). Its gradient is zero. */
#include "ops/ops.h"

static float scalar(const float *x, const void *attrs) {
  const float *threshold = attrs;
  return x[0] >= *threshold ? 1.0f : 0.0f;
}

const sumi__op sumi__op_step = {
    .name = "step", .flags = SUMI__OP_NO_GRAD, .infer = sumi__infer_elementwise, .scalar = scalar};

sumi_tensor *sumi_step(sumi_graph *g, sumi_tensor *x, float threshold) {
  return sumi__unary(g, &sumi__op_step, x, &threshold, sizeof threshold);
}
