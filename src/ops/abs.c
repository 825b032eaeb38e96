/* y = |x|. dx = dy sign(x), with sign(0) = 0 as in PyTorch. */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return fabsf(x[0]);
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (!need[0]) return;
  sumi_tensor *x = n->inputs[0];
  sumi_tensor *sign = sumi_sub(g, sumi_step(g, x, 0.0f), sumi_step(g, sumi_affine(g, x, -1.0f, 0.0f), 0.0f));
  dx[0] = sumi_mul(g, dy[0], sign);
}

const sumi__op sumi__op_abs = {.name = "abs", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_abs(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_abs, x, NULL, 0); }
