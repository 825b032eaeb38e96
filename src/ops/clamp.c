/* x moved into [low, high]; NaN stays. dx = dy where low <= x <= high, both ends included, else 0. */
#include "ops/ops.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__pair *p = n->attrs;
  SUMI__INFER(g, p->a <= p->b, SUMI_INVALID, "clamp: low %g, high %g: expected low <= high", (double)p->a,
              (double)p->b);
  return sumi__infer_elementwise(g, n);
}

static float scalar(const float *x, const void *attrs) {
  const sumi__pair *p = attrs;
  return x[0] < p->a ? p->a : x[0] > p->b ? p->b : x[0];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__pair *p = n->attrs;
  if (!need[0]) return;
  sumi_tensor *x = n->inputs[0];
  sumi_tensor *above = sumi_step(g, x, p->a), *below = sumi_step(g, sumi_affine(g, x, -1.0f, 0.0f), -p->b);
  dx[0] = sumi_mul(g, dy[0], sumi_mul(g, above, below));
}

const sumi__op sumi__op_clamp = {.name = "clamp", .infer = infer, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_clamp(sumi_graph *g, sumi_tensor *x, float low, float high) {
  return sumi__unary(g, &sumi__op_clamp, x, &(sumi__pair){low, high}, sizeof(sumi__pair));
}
