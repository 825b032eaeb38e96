/* x with zeros around it. dx = the part of dy where x lay. */
#include "ops/ops.h"

#include <inttypes.h>
#include <string.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  static const int64_t most = INT64_C(1) << 59; /* so that the sums below cannot overflow */
  const sumi__pad_attrs *a = n->attrs;
  sumi_shape shape = n->inputs[0]->shape;
  for (int i = 0; i < shape.rank; i++) {
    SUMI__INFER(g, a->before[i] >= 0 && a->before[i] < most && a->after[i] >= 0 && a->after[i] < most, SUMI_SHAPE,
                "pad: %" PRId64 " before and %" PRId64 " after axis %d, expected 0 or more", a->before[i], a->after[i],
                i);
    shape.dims[i] += a->before[i] + a->after[i];
  }
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, shape);
}

static sumi_status reference(const sumi__call *c) {
  const sumi__pad_attrs *a = c->node->attrs;
  const sumi_tensor *x = c->node->inputs[0], *y = c->node->outputs[0];
  const size_t bytes = sumi__reference_bytes(x);
  int64_t to[SUMI_MAX_RANK], from[SUMI_MAX_RANK], first = 0;
  sumi__strides(&y->shape, to);
  sumi__strides(&x->shape, from);
  for (int i = 0; i < x->shape.rank; i++) first += a->before[i] * to[i];
  memset(c->out[0], 0, (size_t)sumi__count(y) * bytes);
  sumi__copy_strided((char *)c->out[0] + (size_t)first * bytes, to, c->in[0], from, &x->shape, bytes);
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__pad_attrs *a = n->attrs;
  const sumi_shape *shape = &n->inputs[0]->shape;
  if (!need[0]) return;
  dx[0] = dy[0];
  for (int i = 0; i < shape->rank; i++) dx[0] = sumi_slice(g, dx[0], i, a->before[i], a->before[i] + shape->dims[i]);
}

const sumi__op sumi__op_pad = {.name = "pad", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_pad(sumi_graph *g, sumi_tensor *x, const int64_t *before, const int64_t *after) {
  sumi__pad_attrs a = {{0}, {0}};
  bool any = false;
  for (int i = 0; x && i < x->shape.rank; i++) {
    a.before[i] = before[i];
    a.after[i] = after[i];
    any = any || before[i] != 0 || after[i] != 0;
  }
  if (x && !any) return x;
  return sumi__unary(g, &sumi__op_pad, x, &a, sizeof a);
}
