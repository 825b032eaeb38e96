/* The natural logarithm: -infinity at zero, NaN below. dx = dy / x. */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return logf(x[0]);
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_div(g, dy[0], n->inputs[0]);
}

const sumi__op sumi__op_log = {.name = "log", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_log(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_log, x, NULL, 0); }
