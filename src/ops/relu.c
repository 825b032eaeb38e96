/* y = max(x, 0); NaN stays. dx = dy where x > 0, else 0. */
#include "ops/ops.h"

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0] < 0.0f ? 0.0f : x[0];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_mul(g, dy[0], sumi_step(g, n->inputs[0], SUMI__SMALLEST_F32));
}

const sumi__op sumi__op_relu = {.name = "relu", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_relu(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_relu, x, NULL, 0); }
