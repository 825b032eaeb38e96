/* y = x^2. dx = 2 x dy. */
#include "ops/ops.h"

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0] * x[0];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_affine(g, sumi_mul(g, dy[0], n->inputs[0]), 2.0f, 0.0f);
}

const sumi__op sumi__op_square = {.name = "square", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_square(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_square, x, NULL, 0); }
