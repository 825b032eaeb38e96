/* y = x s(1.702 x) with s the sigmoid: GELU's approximation by Hendrycks and Gimpel (2016, arXiv:1606.08415), which
 * CLIP's first models use. dx = dy s (1 + 1.702 x (1 - s)). */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0] / (1.0f + expf(-1.702f * x[0]));
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (!need[0]) return;
  sumi_tensor *x = n->inputs[0], *scaled = sumi_affine(g, x, 1.702f, 0.0f), *s = sumi_sigmoid(g, scaled);
  sumi_tensor *rest = sumi_mul(g, scaled, sumi_affine(g, s, -1.0f, 1.0f));
  dx[0] = sumi_mul(g, dy[0], sumi_mul(g, s, sumi_affine(g, rest, 1.0f, 1.0f)));
}

const sumi__op sumi__op_quick_gelu = {
    .name = "quick_gelu", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_quick_gelu(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_quick_gelu, x, NULL, 0); }
