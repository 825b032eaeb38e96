/* y = max(a, b), broadcast; NaN if either is, as torch.maximum. dy goes to a where a >= b and else to b: a tie is not
 * shared out, unlike PyTorch's, so that maximum(x, 0) has slope 0 or 1. */
#include "ops/ops.h"

#include <float.h>
#include <math.h>

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return isnan(x[0]) || x[0] >= x[1] ? x[0] : x[1];
}

/* Infinities become the largest finite number of the type: the difference of equal ones would be no number, and a tie
 * is a's. */
static sumi_tensor *finite(sumi_graph *g, sumi_tensor *t) {
  const float most = t->dtype == SUMI_F16 ? 65504.0f : t->dtype == SUMI_BF16 ? 0x1.fep127f : FLT_MAX;
  return sumi_clamp(g, t, -most, most);
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  sumi_tensor *difference = sumi_sub(g, finite(g, n->inputs[0]), finite(g, n->inputs[1]));
  sumi_tensor *to_a = sumi_step(g, difference, 0.0f);
  if (need[0]) dx[0] = sumi__reduce_to(g, sumi_mul(g, dy[0], to_a), &n->inputs[0]->shape);
  if (need[1]) dx[1] = sumi__reduce_to(g, sumi_mul(g, dy[0], sumi_affine(g, to_a, -1.0f, 1.0f)), &n->inputs[1]->shape);
}

const sumi__op sumi__op_maximum = {.name = "maximum", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_maximum(sumi_graph *g, sumi_tensor *a, sumi_tensor *b) {
  return sumi__binary(g, &sumi__op_maximum, a, b);
}
