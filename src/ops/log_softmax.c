/* y_i = x_i - m - log(sum_j exp(x_j - m)) along an axis, with m the maximum: the logarithm of softmax, without its
 * underflow. dx = dy - exp(y) sum(dy). */
#include "ops/ops.h"

#include <math.h>

static void row(const float *x, float *y, int64_t n) {
  float most = x[0];
  double sum = 0.0;
  for (int64_t i = 1; i < n; i++)
    if (x[i] > most) most = x[i];
  for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - (double)most);
  const double shift = (double)most + log(sum);
  for (int64_t i = 0; i < n; i++) y[i] = (float)((double)x[i] - shift);
}

static sumi_status reference(const sumi__call *c) {
  const sumi_shape *shape = &c->node->outputs[0]->shape;
  const int64_t n = shape->dims[shape->rank - 1], count = sumi_shape_count(shape);
  for (int64_t at = 0; at < count; at += n) row((const float *)c->in[0] + at, (float *)c->out[0] + at, n);
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  sumi_tensor *p = sumi_exp(g, n->outputs[0]);
  if (need[0]) dx[0] = sumi_sub(g, dy[0], sumi_mul(g, p, sumi_sum(g, dy[0], 1, (int[]){-1}, true)));
}

const sumi__op sumi__op_log_softmax = {
    .name = "log_softmax", .infer = sumi__infer_rows, .reference = reference, .grad = grad};

sumi_tensor *sumi_log_softmax(sumi_graph *g, sumi_tensor *x, int axis) {
  return sumi__along_last(g, &sumi__op_log_softmax, x, axis);
}
