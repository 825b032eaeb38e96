/* y = a b, broadcast. da = dy b summed to a's shape, db = dy a summed to b's. */
#include "ops/ops.h"

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0] * x[1];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  for (int i = 0; i < 2; i++)
    if (need[i]) dx[i] = sumi__reduce_to(g, sumi_mul(g, dy[0], n->inputs[1 - i]), &n->inputs[i]->shape);
}

const sumi__op sumi__op_mul = {.name = "mul", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_mul(sumi_graph *g, sumi_tensor *a, sumi_tensor *b) { return sumi__binary(g, &sumi__op_mul, a, b); }
