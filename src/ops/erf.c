/* The error function, 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x. dx = 2/sqrt(pi) e^(-x^2) dy. */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return erff(x[0]);
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  static const float two_over_sqrt_pi = 1.1283791670955126f;
  if (!need[0]) return;
  sumi_tensor *bell = sumi_exp(g, sumi_affine(g, sumi_square(g, n->inputs[0]), -1.0f, 0.0f));
  dx[0] = sumi_mul(g, dy[0], sumi_affine(g, bell, two_over_sqrt_pi, 0.0f));
}

const sumi__op sumi__op_erf = {.name = "erf", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_erf(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_erf, x, NULL, 0); }
