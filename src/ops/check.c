/* Checks that shape rules share. */
#include "ops/ops.h"

bool sumi__check_input(sumi_graph *g, const sumi__node *n, int i, const char *what, sumi_dtype dtype,
                       sumi_shape shape) {
  const sumi_tensor *t = n->inputs[i];
  SUMI__INFER(g, t->dtype == dtype && sumi_shape_equal(&t->shape, &shape), SUMI_SHAPE,
              "%s: %s is %s %s, expected %s %s", n->op->name, what, sumi_dtype_name(t->dtype),
              SUMI__SHAPE_STR(&t->shape), sumi_dtype_name(dtype), SUMI__SHAPE_STR(&shape));
  return true;
}

bool sumi__check_float(sumi_graph *g, const sumi__node *n, int i, const char *what) {
  SUMI__INFER(g, sumi__is_float(n->inputs[i]->dtype), SUMI_SHAPE, "%s: %s is %s, expected f32, bf16 or f16",
              n->op->name, what, sumi_dtype_name(n->inputs[i]->dtype));
  return true;
}

bool sumi__check_pictures(sumi_graph *g, const sumi__node *n, int i, const char *what) {
  SUMI__INFER(g, n->inputs[i]->shape.rank == 4, SUMI_SHAPE, "%s: %s is %s, expected (N, H, W, C)", n->op->name, what,
              SUMI__SHAPE_STR(&n->inputs[i]->shape));
  return sumi__check_float(g, n, i, what);
}
