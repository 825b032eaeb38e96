/* What reductions share: their axes, their shape rule, and a plain walk in time linear in the operand. */
#include "ops/ops.h"

bool sumi__infer_reduce(sumi_graph *g, sumi__node *n) {
  const sumi__reduce_attrs *a = n->attrs;
  const sumi_tensor *x = n->inputs[0];
  sumi_shape shape = {0};
  SUMI__INFER(g, sumi__is_float(x->dtype), SUMI_SHAPE, "%s: operand is %s, expected f32, bf16 or f16", n->op->name,
              sumi_dtype_name(x->dtype));
  for (int i = 0; i < x->shape.rank; i++) {
    if (!a->axes[i])
      shape.dims[shape.rank++] = x->shape.dims[i];
    else if (a->keep)
      shape.dims[shape.rank++] = 1;
  }
  return sumi__declare(g, n, 0, SUMI_F32, shape);
}

sumi_shape sumi__reduced_shape(const sumi__node *n) {
  const sumi__reduce_attrs *a = n->attrs;
  sumi_shape shape = n->inputs[0]->shape;
  for (int i = 0; i < shape.rank; i++)
    if (a->axes[i]) shape.dims[i] = 1;
  return shape;
}

sumi_tensor *sumi__reduce(sumi_graph *g, const sumi__op *op, sumi_tensor *x, int n, const int *axes, bool keep) {
  sumi__reduce_attrs a = {.keep = keep};
  for (int i = 0; x && i < n; i++) {
    const int axis = sumi__axis(&x->shape, axes[i]);
    if (axis < 0 || a.axes[axis]) {
      sumi__graph_fail(g, SUMI_SHAPE, "%s: axis %d is out of range or given twice for the shape %s", op->name, axes[i],
                       SUMI__SHAPE_STR(&x->shape));
      return NULL;
    }
    a.axes[axis] = true;
  }
  return sumi__unary(g, op, x, &a, sizeof a);
}

void sumi__reduce_walk_init(sumi__reduce_walk *w, const sumi__node *n) {
  const sumi__reduce_attrs *a = n->attrs;
  const sumi_shape *shape = &n->inputs[0]->shape;
  int64_t strides[SUMI_MAX_RANK];
  sumi__strides(shape, strides);
  *w = (sumi__reduce_walk){.results = 1, .each = 1};
  for (int i = 0; i < shape->rank; i++) {
    if (a->axes[i]) {
      w->reduced[w->n_reduced] = shape->dims[i];
      w->reduced_strides[w->n_reduced++] = strides[i];
      w->each *= shape->dims[i];
    } else {
      w->kept[w->n_kept] = shape->dims[i];
      w->kept_strides[w->n_kept++] = strides[i];
      w->results *= shape->dims[i];
    }
  }
}

int64_t sumi__reduce_at(const sumi__reduce_walk *w, int64_t o, int64_t r) {
  int64_t at = 0;
  for (int i = w->n_kept - 1; i >= 0; i--) {
    at += o % w->kept[i] * w->kept_strides[i];
    o /= w->kept[i];
  }
  for (int i = w->n_reduced - 1; i >= 0; i--) {
    at += r % w->reduced[i] * w->reduced_strides[i];
    r /= w->reduced[i];
  }
  return at;
}
