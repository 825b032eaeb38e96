/* x repeated along dimensions of size 1 (and new leading ones) to a given shape. dx = dy summed back. */
#include "ops/ops.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi_shape *to = n->attrs;
  sumi_shape joined;
  SUMI__INFER(g, sumi__is_float(n->inputs[0]->dtype), SUMI_SHAPE, "broadcast: operand is %s, expected f32, bf16 or f16",
              sumi_dtype_name(n->inputs[0]->dtype));
  SUMI__INFER(g, sumi__shape_valid(to), SUMI_SHAPE, "broadcast: the shape asked for is not valid");
  SUMI__INFER(g, sumi__broadcast_shapes(&n->inputs[0]->shape, to, &joined) && sumi_shape_equal(&joined, to), SUMI_SHAPE,
              "broadcast: %s does not repeat to %s", SUMI__SHAPE_STR(&n->inputs[0]->shape), SUMI__SHAPE_STR(to));
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, *to);
}

static float scalar(const float *x, const void *attrs) {
  (void)attrs;
  return x[0];
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi__reduce_to(g, dy[0], &n->inputs[0]->shape);
}

const sumi__op sumi__op_broadcast = {.name = "broadcast", .infer = infer, .scalar = scalar, .grad = grad};

sumi_tensor *sumi_broadcast(sumi_graph *g, sumi_tensor *x, sumi_shape shape) {
  if (x && sumi_shape_equal(&x->shape, &shape)) return x;
  return sumi__unary(g, &sumi__op_broadcast, x, &shape, sizeof shape);
}
