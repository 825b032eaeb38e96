/* The dimensions in another order: y.dims[i] = x.dims[axes[i]]. dx = dy with the order undone. Where only dimensions of
 * size 1 move, the values stay where they are and the result is a view. */
#include "ops/ops.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__permute_attrs *a = n->attrs;
  const sumi_shape *from = &n->inputs[0]->shape;
  sumi_shape to = {.rank = from->rank};
  bool taken[SUMI_MAX_RANK] = {false};
  for (int i = 0; i < from->rank; i++) {
    const int axis = a->axes[i];
    SUMI__INFER(g, axis >= 0 && !taken[axis], SUMI_SHAPE,
                "permute: axis %d of the result is out of range or repeated, for the shape %s", i,
                SUMI__SHAPE_STR(from));
    taken[axis] = true;
    to.dims[i] = from->dims[axis];
  }
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, to);
}

static bool view(const sumi__node *n, size_t *offset) {
  const sumi__permute_attrs *a = n->attrs;
  int last = -1;
  *offset = 0;
  for (int i = 0; i < n->outputs[0]->shape.rank; i++) {
    if (n->outputs[0]->shape.dims[i] == 1) continue;
    if (a->axes[i] < last) return false;
    last = a->axes[i];
  }
  return true;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__permute_attrs *a = c->node->attrs;
  const sumi_tensor *x = c->node->inputs[0], *y = c->node->outputs[0];
  int64_t to[SUMI_MAX_RANK], from[SUMI_MAX_RANK], moved[SUMI_MAX_RANK];
  sumi__strides(&y->shape, to);
  sumi__strides(&x->shape, from);
  for (int i = 0; i < y->shape.rank; i++) moved[i] = from[a->axes[i]];
  sumi__copy_strided(c->out[0], to, c->in[0], moved, &y->shape, sumi__reference_bytes(x));
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__permute_attrs *a = n->attrs;
  int back[SUMI_MAX_RANK] = {0};
  for (int i = 0; i < n->outputs[0]->shape.rank; i++) back[a->axes[i]] = i;
  if (need[0]) dx[0] = sumi_permute(g, dy[0], back);
}

const sumi__op sumi__op_permute = {
    .name = "permute", .infer = infer, .reference = reference, .grad = grad, .view = view};

sumi_tensor *sumi_permute(sumi_graph *g, sumi_tensor *x, const int *axes) {
  sumi__permute_attrs a = {{0}};
  for (int i = 0; x && i < x->shape.rank; i++) a.axes[i] = sumi__axis(&x->shape, axes[i]);
  return sumi__unary(g, &sumi__op_permute, x, &a, sizeof a);
}
