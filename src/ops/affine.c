/* y = scale x + shift, with numbers for scale and shift. dx = scale dy. */
#include "ops/ops.h"

static float scalar(const float *x, const void *attrs) {
  const sumi__pair *p = attrs;
  return p->a * x[0] + p->b;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__pair *p = n->attrs;
  if (need[0]) dx[0] = sumi_affine(g, dy[0], p->a, 0.0f);
}

const sumi__op sumi__op_affine = {.name = "affine", .infer = sumi__infer_elementwise, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_affine(sumi_graph *g, sumi_tensor *x, float scale, float shift) {
  return sumi__unary(g, &sumi__op_affine, x, &(sumi__pair){scale, shift}, sizeof(sumi__pair));
}
