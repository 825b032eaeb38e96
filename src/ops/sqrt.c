/* y = sqrt(x); NaN below zero. dx = dy / (2 y), infinite at zero. */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return sqrtf(x[0]);
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_div(g, sumi_affine(g, dy[0], 0.5f, 0.0f), n->outputs[0]);
}

const sumi__op sumi__op_sqrt = {.name = "sqrt", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_sqrt(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_sqrt, x, NULL, 0); }
