/* y = e^x. dx = dy y. */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return expf(x[0]);
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_mul(g, dy[0], n->outputs[0]);
}

const sumi__op sumi__op_exp = {.name = "exp", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_exp(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_exp, x, NULL, 0); }
