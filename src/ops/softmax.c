/* y_i = exp(x_i - m) / sum_j exp(x_j - m) along an axis, with m the maximum, so that nothing overflows.
 * dx = y (dy - sum(y dy)). */
#include "ops/ops.h"

#include <math.h>

static void row(const float *x, float *y, int64_t n) {
  float most = x[0];
  double sum = 0.0;
  for (int64_t i = 1; i < n; i++)
    if (x[i] > most) most = x[i];
  for (int64_t i = 0; i < n; i++) {
    y[i] = expf(x[i] - most);
    sum += (double)y[i];
  }
  for (int64_t i = 0; i < n; i++) y[i] = (float)((double)y[i] / sum);
}

static sumi_status reference(const sumi__call *c) {
  const sumi_shape *shape = &c->node->outputs[0]->shape;
  const int64_t n = shape->dims[shape->rank - 1], count = sumi_shape_count(shape);
  for (int64_t at = 0; at < count; at += n) row((const float *)c->in[0] + at, (float *)c->out[0] + at, n);
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  sumi_tensor *y = n->outputs[0], *weighted = sumi_mul(g, y, dy[0]);
  if (need[0]) dx[0] = sumi_mul(g, y, sumi_sub(g, dy[0], sumi_sum(g, weighted, 1, (int[]){-1}, true)));
}

const sumi__op sumi__op_softmax = {.name = "softmax", .infer = sumi__infer_rows, .reference = reference, .grad = grad};

sumi_tensor *sumi_softmax(sumi_graph *g, sumi_tensor *x, int axis) {
  return sumi__along_last(g, &sumi__op_softmax, x, axis);
}
