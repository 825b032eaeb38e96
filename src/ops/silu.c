/* SiLU, or swish: y = x s(x) with s the sigmoid (Elfwing et al. 2017, arXiv:1702.03118).
 * dx = dy s (1 + x (1 - s)): s is computed again rather than kept, so that x alone must stay in memory. */
#include "ops/ops.h"

#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0] / (1.0f + expf(-x[0]));
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (!need[0]) return;
  sumi_tensor *x = n->inputs[0], *s = sumi_sigmoid(g, x);
  sumi_tensor *slope = sumi_mul(g, s, sumi_affine(g, sumi_mul(g, x, sumi_affine(g, s, -1.0f, 1.0f)), 1.0f, 1.0f));
  dx[0] = sumi_mul(g, dy[0], slope);
}

const sumi__op sumi__op_silu = {.name = "silu", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_silu(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_silu, x, NULL, 0); }
