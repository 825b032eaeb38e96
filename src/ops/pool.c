/* The geometry of pooling without padding: out = (in - kernel) / stride + 1, rounded down, in both dimensions. */
#include "ops/pool.h"

static sumi_shape pooled(const sumi__pool_attrs *a, int64_t batch, int64_t channels) {
  return SUMI_SHAPE(batch, (a->height - a->kernel) / a->stride + 1, (a->width - a->kernel) / a->stride + 1, channels);
}

bool sumi__pool_infer(sumi_graph *g, sumi__node *n) {
  const sumi__pool_attrs *a = n->attrs;
  const sumi_tensor *x = n->inputs[0];
  if (!sumi__check_pictures(g, n, 0, "the operand")) return false;
  SUMI__INFER(g, a->kernel >= 1 && a->stride >= 1, SUMI_INVALID, "%s: kernel %d and stride %d: expected 1 or more",
              n->op->name, a->kernel, a->stride);
  SUMI__INFER(g, a->kernel <= a->height && a->kernel <= a->width, SUMI_SHAPE,
              "%s: a kernel of %d x %d does not fit into %s", n->op->name, a->kernel, a->kernel,
              SUMI__SHAPE_STR(&x->shape));
  return sumi__declare(g, n, 0, x->dtype, pooled(a, x->shape.dims[0], x->shape.dims[3]));
}

bool sumi__pool_check_grad(sumi_graph *g, const sumi__node *n, sumi_shape *dx) {
  const sumi__pool_attrs *a = n->attrs;
  const sumi_tensor *dy = n->inputs[0];
  if (!sumi__check_pictures(g, n, 0, "dy")) return false;
  const int64_t batch = dy->shape.dims[0], channels = dy->shape.dims[3];
  *dx = SUMI_SHAPE(batch, a->height, a->width, channels);
  return sumi__check_input(g, n, 0, "dy", dy->dtype, pooled(a, batch, channels));
}

sumi_tensor *sumi__pool_build(sumi_graph *g, const sumi__op *op, sumi_tensor *x, int kernel, int stride) {
  sumi__pool_attrs a = {.kernel = kernel, .stride = stride};
  if (x && x->shape.rank == 4) a.height = x->shape.dims[1], a.width = x->shape.dims[2];
  return sumi__unary(g, op, x, &a, sizeof a);
}
