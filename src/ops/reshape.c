/* The same values, in the same order, under another shape: a view, nothing runs. dx = dy reshaped back. */
#include "ops/ops.h"

#include <string.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  sumi_shape to = *(const sumi_shape *)n->attrs;
  const int64_t count = sumi__count(n->inputs[0]);
  int64_t known = 1;
  int open = -1;
  SUMI__INFER(g, to.rank >= 0 && to.rank <= SUMI_MAX_RANK, SUMI_SHAPE, "reshape: rank %d is not in 0..%d", to.rank,
              (int)SUMI_MAX_RANK);
  for (int i = 0; i < to.rank; i++) {
    if (to.dims[i] == -1 && open < 0) {
      open = i;
      continue;
    }
    SUMI__INFER(g, to.dims[i] > 0 && sumi__mul_i64(known, to.dims[i], &known), SUMI_SHAPE,
                "reshape: %s is not a valid shape", SUMI__SHAPE_STR(&to));
  }
  if (open >= 0) to.dims[open] = count / known;
  SUMI__INFER(g, open >= 0 ? count % known == 0 : count == known, SUMI_SHAPE, "reshape: %s does not fit into %s",
              SUMI__SHAPE_STR(&n->inputs[0]->shape), SUMI__SHAPE_STR((const sumi_shape *)n->attrs));
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, to);
}

static bool view(const sumi__node *n, size_t *offset) {
  (void)n;
  *offset = 0;
  return true;
}

static sumi_status reference(const sumi__call *c) {
  memcpy(c->out[0], c->in[0], (size_t)sumi__count(c->node->outputs[0]) * sizeof(float));
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_reshape(g, dy[0], n->inputs[0]->shape);
}

const sumi__op sumi__op_reshape = {
    .name = "reshape", .infer = infer, .reference = reference, .grad = grad, .view = view};

sumi_tensor *sumi_reshape(sumi_graph *g, sumi_tensor *x, sumi_shape shape) {
  if (x && sumi_shape_equal(&x->shape, &shape)) return x;
  return sumi__unary(g, &sumi__op_reshape, x, &shape, sizeof shape);
}
