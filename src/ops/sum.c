/* The sum over chosen axes, accumulated in double here and in f32 lanes by faster kernels; the result is f32.
 * dx = dy repeated. */
#include "ops/ops.h"

#include <string.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__reduce_attrs *a = n->attrs;
  const sumi_tensor *x = n->inputs[0];
  sumi_shape shape = {0};
  SUMI__INFER(g, sumi__is_float(x->dtype), SUMI_SHAPE, "sum: operand is %s, expected f32, bf16 or f16",
              sumi_dtype_name(x->dtype));
  for (int i = 0; i < x->shape.rank; i++) {
    if (!a->axes[i])
      shape.dims[shape.rank++] = x->shape.dims[i];
    else if (a->keep)
      shape.dims[shape.rank++] = 1;
  }
  return sumi__declare(g, n, 0, SUMI_F32, shape);
}

static sumi_status reference(const sumi__call *c) {
  const sumi__reduce_attrs *a = c->node->attrs;
  const sumi_shape *shape = &c->node->inputs[0]->shape;
  const float *x = c->in[0];
  float *y = c->out[0];
  const int64_t n_out = sumi__count(c->node->outputs[0]), n_in = sumi_shape_count(shape);
  for (int64_t o = 0; o < n_out; o++) {
    double sum = 0.0;
    for (int64_t e = 0; e < n_in; e++) { /* quadratic, but plain */
      int64_t rest = e, at = 0, stride = 1;
      for (int d = shape->rank - 1; d >= 0; d--) {
        if (!a->axes[d]) {
          at += rest % shape->dims[d] * stride;
          stride *= shape->dims[d];
        }
        rest /= shape->dims[d];
      }
      if (at == o) sum += (double)x[e];
    }
    y[o] = (float)sum;
  }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__reduce_attrs *a = n->attrs;
  sumi_shape kept = n->inputs[0]->shape;
  for (int i = 0; i < kept.rank; i++)
    if (a->axes[i]) kept.dims[i] = 1;
  if (need[0]) dx[0] = sumi_broadcast(g, sumi_reshape(g, dy[0], kept), n->inputs[0]->shape);
}

const sumi__op sumi__op_sum = {.name = "sum", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_sum(sumi_graph *g, sumi_tensor *x, int n, const int *axes, bool keep) {
  sumi__reduce_attrs a = {.keep = keep};
  for (int i = 0; x && i < n; i++) {
    const int axis = sumi__axis(&x->shape, axes[i]);
    if (axis < 0 || a.axes[axis]) {
      sumi__graph_fail(g, SUMI_SHAPE, "sum: axis %d is out of range or given twice for the shape %s", axes[i],
                       SUMI__SHAPE_STR(&x->shape));
      return NULL;
    }
    a.axes[axis] = true;
  }
  return sumi__unary(g, &sumi__op_sum, x, &a, sizeof a);
}

sumi_tensor *sumi_sum_all(sumi_graph *g, sumi_tensor *x) {
  static const int all[SUMI_MAX_RANK] = {0, 1, 2, 3, 4, 5};
  return sumi_sum(g, x, x ? x->shape.rank : 0, all, false);
}
