/* What elementwise operators share. */
#include "ops/ops.h"

bool sumi__infer_elementwise(sumi_graph *g, sumi__node *n) {
  sumi_shape shape = SUMI_SCALAR, joined;
  sumi_dtype dtype = n->inputs[0]->dtype;
  for (int i = 0; i < n->n_inputs; i++) {
    const sumi_tensor *t = n->inputs[i];
    SUMI__INFER(g, sumi__is_float(t->dtype), SUMI_SHAPE, "%s: operand %d is %s, expected f32, bf16 or f16", n->op->name,
                i, sumi_dtype_name(t->dtype));
    SUMI__INFER(g, sumi__broadcast_shapes(&shape, &t->shape, &joined), SUMI_SHAPE,
                "%s: shapes %s and %s do not broadcast", n->op->name, SUMI__SHAPE_STR(&shape),
                SUMI__SHAPE_STR(&t->shape));
    shape = joined;
    dtype = sumi__promote(dtype, t->dtype);
  }
  return sumi__declare(g, n, 0, dtype, shape);
}

sumi_tensor *sumi__unary(sumi_graph *g, const sumi__op *op, sumi_tensor *x, const void *attrs, size_t attrs_bytes) {
  return sumi__build(g, op, 1, &x, attrs, attrs_bytes);
}

sumi_tensor *sumi__binary(sumi_graph *g, const sumi__op *op, sumi_tensor *a, sumi_tensor *b) {
  return sumi__build(g, op, 2, (sumi_tensor *[]){a, b}, NULL, 0);
}
