/* y = 1 / (1 + exp(-x)). dx = dy y (1 - y). */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return 1.0f / (1.0f + expf(-x[0]));
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  sumi_tensor *y = n->outputs[0];
  if (need[0]) dx[0] = sumi_mul(g, dy[0], sumi_mul(g, y, sumi_affine(g, y, -1.0f, 1.0f)));
}

const sumi__op sumi__op_sigmoid = {.name = "sigmoid", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_sigmoid(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_sigmoid, x, NULL, 0); }
