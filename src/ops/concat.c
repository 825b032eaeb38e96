/* The inputs one after another along an axis; all else of their shapes is the same. Mixed floating-point types give the
 * wider one. The gradient of each input is its slice of dy. */
#include "ops/ops.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const int axis = ((const sumi__concat_attrs *)n->attrs)->axis;
  sumi_shape shape = n->inputs[0]->shape;
  SUMI__INFER(g, axis >= 0, SUMI_SHAPE, "concat: the axis is out of range for the shape %s", SUMI__SHAPE_STR(&shape));
  for (int i = 1; i < n->n_inputs; i++) {
    const sumi_tensor *t = n->inputs[i];
    sumi_shape alike = t->shape;
    if (alike.rank == shape.rank) alike.dims[axis] = shape.dims[axis];
    SUMI__INFER(g, sumi_shape_equal(&alike, &shape) && t->dtype == n->inputs[0]->dtype, SUMI_SHAPE,
                "concat: input %d is %s%s, expected %s%s up to axis %d", i, sumi_dtype_name(t->dtype),
                SUMI__SHAPE_STR(&t->shape), sumi_dtype_name(n->inputs[0]->dtype), SUMI__SHAPE_STR(&shape), axis);
    SUMI__INFER(g, sumi__add_i64(shape.dims[axis], t->shape.dims[axis], &shape.dims[axis]), SUMI_SHAPE,
                "concat: the sizes along axis %d add up past 2^63", axis);
  }
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, shape);
}

static sumi_status reference(const sumi__call *c) {
  const int axis = ((const sumi__concat_attrs *)c->node->attrs)->axis;
  const size_t bytes = sumi__reference_bytes(c->node->outputs[0]);
  int64_t to[SUMI_MAX_RANK], from[SUMI_MAX_RANK];
  char *at = c->out[0];
  sumi__strides(&c->node->outputs[0]->shape, to);
  for (int i = 0; i < c->node->n_inputs; i++) {
    const sumi_shape *shape = &c->node->inputs[i]->shape;
    sumi__strides(shape, from);
    sumi__copy_strided(at, to, c->in[i], from, shape, bytes);
    at += (size_t)(shape->dims[axis] * to[axis]) * bytes;
  }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const int axis = ((const sumi__concat_attrs *)n->attrs)->axis;
  int64_t begin = 0;
  for (int i = 0; i < n->n_inputs; i++) {
    const int64_t end = begin + n->inputs[i]->shape.dims[axis];
    if (need[i]) dx[i] = sumi_slice(g, dy[0], axis, begin, end);
    begin = end;
  }
}

const sumi__op sumi__op_concat = {.name = "concat", .infer = infer, .reference = reference, .grad = grad};

/* The type that the floating-point inputs share. */
static sumi_dtype common_float(int n, sumi_tensor *const *xs) {
  sumi_dtype dtype = xs[0]->dtype;
  for (int i = 1; i < n; i++)
    if (sumi__is_float(xs[i]->dtype)) dtype = sumi__is_float(dtype) ? sumi__promote(dtype, xs[i]->dtype) : xs[i]->dtype;
  return dtype;
}

sumi_tensor *sumi_concat(sumi_graph *g, int n, sumi_tensor *const *xs, int axis) {
  sumi_tensor *same[SUMI__MAX_INPUTS];
  if (n < 1 || n > SUMI__MAX_INPUTS) {
    sumi__graph_fail(g, SUMI_INVALID, "concat: %d inputs, expected 1 to %d", n, (int)SUMI__MAX_INPUTS);
    return NULL;
  }
  if (!sumi__inputs_given(g, "concat", n, xs)) return NULL;
  const sumi_dtype dtype = common_float(n, xs);
  for (int i = 0; i < n; i++) same[i] = sumi__float_cast(g, xs[i], dtype);
  const sumi__concat_attrs a = {sumi__axis(&xs[0]->shape, axis)};
  return sumi__build(g, &sumi__op_concat, n, same, &a, sizeof a);
}
