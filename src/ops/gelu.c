/* GELU: y = x P(x) with P(x) = (1 + erf(x / sqrt(2))) / 2, the normal distribution function (Hendrycks and Gimpel
 * 2016, arXiv:1606.08415). dx = dy (P(x) + x p(x)) with p(x) = e^(-x^2/2) / sqrt(2 pi): both made again from x. */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return 0.5f * x[0] * (1.0f + erff(x[0] * 0.70710678f));
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  static const float one_over_sqrt_2 = 0.70710678118654752f, one_over_sqrt_2_pi = 0.39894228040143268f;
  if (!need[0]) return;
  sumi_tensor *x = n->inputs[0];
  sumi_tensor *below = sumi_affine(g, sumi_erf(g, sumi_affine(g, x, one_over_sqrt_2, 0.0f)), 0.5f, 0.5f);
  sumi_tensor *density = sumi_exp(g, sumi_affine(g, sumi_square(g, x), -0.5f, 0.0f));
  sumi_tensor *slope = sumi_add(g, below, sumi_mul(g, x, sumi_affine(g, density, one_over_sqrt_2_pi, 0.0f)));
  dx[0] = sumi_mul(g, dy[0], slope);
}

const sumi__op sumi__op_gelu = {.name = "gelu", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_gelu(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_gelu, x, NULL, 0); }
