/* The same values in another type. From integers too, to a floating-point type. The gradient is cast back. */
#include "ops/ops.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi_dtype *to = n->attrs;
  SUMI__INFER(g, sumi__is_float(*to), SUMI_UNSUPPORTED, "cast to %s: expected f32, bf16 or f16", sumi_dtype_name(*to));
  return sumi__declare(g, n, 0, *to, n->inputs[0]->shape);
}

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_cast(g, dy[0], n->inputs[0]->dtype);
}

const sumi__op sumi__op_cast = {.name = "cast", .infer = infer, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_cast(sumi_graph *g, sumi_tensor *x, sumi_dtype dtype) {
  if (x && x->dtype == dtype) return x;
  return sumi__unary(g, &sumi__op_cast, x, &dtype, sizeof dtype);
}
