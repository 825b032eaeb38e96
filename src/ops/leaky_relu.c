/* y = x where x > 0, else slope x (Maas et al. 2013). dx = dy or slope dy; at zero the latter, as PyTorch has it. */
#include "ops/ops.h"

static float scalar(const float *x, const void *attrs) {
  const float *slope = attrs;
  return x[0] > 0.0f ? x[0] : *slope * x[0];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const float slope = *(const float *)n->attrs;
  if (!need[0]) return;
  sumi_tensor *positive = sumi_step(g, n->inputs[0], SUMI__SMALLEST_F32);
  dx[0] = sumi_mul(g, dy[0], sumi_affine(g, positive, 1.0f - slope, slope));
}

const sumi__op sumi__op_leaky_relu = {
    .name = "leaky_relu", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_leaky_relu(sumi_graph *g, sumi_tensor *x, float slope) {
  return sumi__unary(g, &sumi__op_leaky_relu, x, &slope, sizeof slope);
}
