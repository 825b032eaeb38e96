/* The largest value over chosen axes, NaN if there is one; the result is f32. As in torch.amax, elements that tie for
 * the maximum share dy equally: dx = m dy / sum(m), with m = 1 where x is the maximum and else 0. */
#include "ops/ops.h"

#include <math.h>

static sumi_status reference(const sumi__call *c) {
  const float *x = c->in[0];
  float *y = c->out[0];
  sumi__reduce_walk w;
  sumi__reduce_walk_init(&w, c->node);
  for (int64_t o = 0; o < w.results; o++) {
    float most = -INFINITY;
    for (int64_t r = 0; r < w.each; r++) {
      const float value = x[sumi__reduce_at(&w, o, r)];
      if (value > most || isnan(value)) most = value;
      if (isnan(value)) break;
    }
    y[o] = most;
  }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__reduce_attrs *a = n->attrs;
  const sumi_shape kept = sumi__reduced_shape(n);
  int axes[SUMI_MAX_RANK], n_axes = 0;
  if (!need[0]) return;
  for (int i = 0; i < kept.rank; i++)
    if (a->axes[i]) axes[n_axes++] = i;
  sumi_tensor *below = sumi_sub(g, n->inputs[0], sumi_reshape(g, n->outputs[0], kept));
  sumi_tensor *is_max = sumi_step(g, below, 0.0f);
  sumi_tensor *share = sumi_div(g, sumi_reshape(g, dy[0], kept), sumi_sum(g, is_max, n_axes, axes, true));
  dx[0] = sumi_mul(g, is_max, share);
}

const sumi__op sumi__op_max = {.name = "max", .infer = sumi__infer_reduce, .reference = reference, .grad = grad};

sumi_tensor *sumi_max(sumi_graph *g, sumi_tensor *x, int n, const int *axes, bool keep) {
  return sumi__reduce(g, &sumi__op_max, x, n, axes, keep);
}
