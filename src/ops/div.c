/* y = a / b, broadcast. da = dy / b, db = -y dy / b, each summed to its operand's shape. */
#include "ops/ops.h"

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0] / x[1];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  sumi_tensor *da = sumi_div(g, dy[0], n->inputs[1]);
  if (need[0]) dx[0] = sumi__reduce_to(g, da, &n->inputs[0]->shape);
  if (!need[1]) return;
  sumi_tensor *db = sumi_affine(g, sumi_mul(g, da, n->outputs[0]), -1.0f, 0.0f);
  dx[1] = sumi__reduce_to(g, db, &n->inputs[1]->shape);
}

const sumi__op sumi__op_div = {.name = "div", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_div(sumi_graph *g, sumi_tensor *a, sumi_tensor *b) { return sumi__binary(g, &sumi__op_div, a, b); }
