/* What softmax and log_softmax share: both turn each row, along the last dimension, into a row. */
#include "ops/ops.h"

bool sumi__infer_rows(sumi_graph *g, sumi__node *n) {
  const sumi_tensor *x = n->inputs[0];
  SUMI__INFER(g, sumi__is_float(x->dtype) && x->shape.rank >= 1, SUMI_SHAPE,
              "%s: operand is %s%s, expected f32, bf16 or f16 of one dimension or more", n->op->name,
              sumi_dtype_name(x->dtype), SUMI__SHAPE_STR(&x->shape));
  return sumi__declare(g, n, 0, x->dtype, x->shape);
}

sumi_tensor *sumi__along_last(sumi_graph *g, const sumi__op *op, sumi_tensor *x, int axis) {
  const int last = x ? x->shape.rank - 1 : 0, at = x && last >= 0 ? sumi__axis(&x->shape, axis) : last;
  if (x && last >= 0 && at < 0) {
    sumi__graph_fail(g, SUMI_SHAPE, "%s: axis %d is out of range for the shape %s", op->name, axis,
                     SUMI__SHAPE_STR(&x->shape));
    return NULL;
  }
  if (at == last) return sumi__unary(g, op, x, NULL, 0);
  int swap[SUMI_MAX_RANK] = {0, 1, 2, 3, 4, 5};
  swap[at] = last;
  swap[last] = at;
  return sumi_permute(g, sumi__unary(g, op, sumi_permute(g, x, swap), NULL, 0), swap);
}
