/* The mean over chosen axes: the sum, divided by how many went into each result. */
#include "ops/ops.h"

sumi_tensor *sumi_mean(sumi_graph *g, sumi_tensor *x, int n, const int *axes, bool keep) {
  sumi_tensor *sum = sumi_sum(g, x, n, axes, keep);
  if (!sum) return NULL;
  return sumi_affine(g, sum, (float)((double)sumi__count(sum) / (double)sumi__count(x)), 0.0f);
}

sumi_tensor *sumi_mean_all(sumi_graph *g, sumi_tensor *x) {
  sumi_tensor *sum = sumi_sum_all(g, x);
  return sum ? sumi_affine(g, sum, (float)(1.0 / (double)sumi__count(x)), 0.0f) : NULL;
}
