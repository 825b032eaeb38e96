/* y = x[begin, end) along an axis. Where nothing but dimensions of size 1 comes before the axis, the result lies in one
 * piece and is a view. dx = dy with zeros around it. */
#include "ops/ops.h"

#include <inttypes.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__slice_attrs *a = n->attrs;
  sumi_shape shape = n->inputs[0]->shape;
  SUMI__INFER(g, a->axis >= 0, SUMI_SHAPE, "slice: the axis is out of range for the shape %s", SUMI__SHAPE_STR(&shape));
  SUMI__INFER(g, 0 <= a->begin && a->begin < a->end && a->end <= shape.dims[a->axis], SUMI_SHAPE,
              "slice: [%" PRId64 ", %" PRId64 ") is not a range within axis %d of the shape %s", a->begin, a->end,
              a->axis, SUMI__SHAPE_STR(&shape));
  shape.dims[a->axis] = a->end - a->begin;
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, shape);
}

/* Elements of x before the slice's first. */
static int64_t elements_before(const sumi__node *n) {
  const sumi__slice_attrs *a = n->attrs;
  int64_t strides[SUMI_MAX_RANK];
  sumi__strides(&n->inputs[0]->shape, strides);
  return a->begin * strides[a->axis];
}

static bool view(const sumi__node *n, size_t *offset) {
  const sumi__slice_attrs *a = n->attrs;
  for (int i = 0; i < a->axis; i++)
    if (n->inputs[0]->shape.dims[i] != 1) return false;
  *offset = (size_t)elements_before(n) * sumi_dtype_bytes(n->inputs[0]->dtype);
  return true;
}

static sumi_status reference(const sumi__call *c) {
  const sumi_tensor *x = c->node->inputs[0], *y = c->node->outputs[0];
  const size_t bytes = sumi__reference_bytes(x);
  int64_t to[SUMI_MAX_RANK], from[SUMI_MAX_RANK];
  sumi__strides(&y->shape, to);
  sumi__strides(&x->shape, from);
  const char *first = (const char *)c->in[0] + (size_t)elements_before(c->node) * bytes;
  sumi__copy_strided(c->out[0], to, first, from, &y->shape, bytes);
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__slice_attrs *a = n->attrs;
  int64_t before[SUMI_MAX_RANK] = {0}, after[SUMI_MAX_RANK] = {0};
  before[a->axis] = a->begin;
  after[a->axis] = n->inputs[0]->shape.dims[a->axis] - a->end;
  if (need[0]) dx[0] = sumi_pad(g, dy[0], before, after);
}

const sumi__op sumi__op_slice = {.name = "slice", .infer = infer, .reference = reference, .grad = grad, .view = view};

sumi_tensor *sumi_slice(sumi_graph *g, sumi_tensor *x, int axis, int64_t begin, int64_t end) {
  const sumi__slice_attrs a = {x ? sumi__axis(&x->shape, axis) : 0, begin, end};
  if (x && a.axis >= 0 && begin == 0 && end == x->shape.dims[a.axis]) return x;
  return sumi__unary(g, &sumi__op_slice, x, &a, sizeof a);
}
