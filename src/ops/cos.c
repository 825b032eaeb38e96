/* The cosine of x in radians. dx = -dy sin(x). */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return cosf(x[0]);
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_affine(g, sumi_mul(g, dy[0], sumi_sin(g, n->inputs[0])), -1.0f, 0.0f);
}

const sumi__op sumi__op_cos = {.name = "cos", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_cos(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_cos, x, NULL, 0); }
