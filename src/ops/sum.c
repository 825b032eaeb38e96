/* The sum over chosen axes, accumulated in double here and in f32 lanes by faster kernels; the result is f32.
 * dx = dy repeated. */
#include "ops/ops.h"

static sumi_status reference(const sumi__call *c) {
  const float *x = c->in[0];
  float *y = c->out[0];
  sumi__reduce_walk w;
  sumi__reduce_walk_init(&w, c->node);
  for (int64_t o = 0; o < w.results; o++) {
    double sum = 0.0;
    for (int64_t r = 0; r < w.each; r++) sum += (double)x[sumi__reduce_at(&w, o, r)];
    y[o] = (float)sum;
  }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi_broadcast(g, sumi_reshape(g, dy[0], sumi__reduced_shape(n)), n->inputs[0]->shape);
}

const sumi__op sumi__op_sum = {.name = "sum", .infer = sumi__infer_reduce, .reference = reference, .grad = grad};

sumi_tensor *sumi_sum(sumi_graph *g, sumi_tensor *x, int n, const int *axes, bool keep) {
  return sumi__reduce(g, &sumi__op_sum, x, n, axes, keep);
}

sumi_tensor *sumi_sum_all(sumi_graph *g, sumi_tensor *x) {
  static const int all[SUMI_MAX_RANK] = {0, 1, 2, 3, 4, 5};
  return sumi_sum(g, x, x ? x->shape.rank : 0, all, false);
}
