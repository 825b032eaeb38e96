/* y = a - b, broadcast. da = dy summed to a's shape, db = -dy summed to b's. */
#include "ops/ops.h"

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0] - x[1];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi__reduce_to(g, dy[0], &n->inputs[0]->shape);
  if (need[1]) dx[1] = sumi_affine(g, sumi__reduce_to(g, dy[0], &n->inputs[1]->shape), -1.0f, 0.0f);
}

const sumi__op sumi__op_sub = {.name = "sub", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_sub(sumi_graph *g, sumi_tensor *a, sumi_tensor *b) { return sumi__binary(g, &sumi__op_sub, a, b); }
