/* The gradient of avg_pool2d: every dy, divided by the window's size, goes to each pixel of its window. Its own
 * gradient is avg_pool2d again. */
#include "ops/pool.h"

#include <string.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  sumi_shape dx;
  return sumi__pool_check_grad(g, n, &dx) && sumi__declare(g, n, 0, n->inputs[0]->dtype, dx);
}

static sumi_status reference(const sumi__call *c) {
  const sumi__pool_attrs *a = c->node->attrs;
  const int64_t *d = c->node->inputs[0]->shape.dims;
  const float *dy = c->in[0], share = 1.0f / (float)a->kernel / (float)a->kernel;
  float *dx = c->out[0];
  memset(dx, 0, (size_t)sumi__count(c->node->outputs[0]) * sizeof *dx);
  for (int64_t n = 0; n < d[0]; n++)
    for (int64_t oh = 0; oh < d[1]; oh++)
      for (int64_t ow = 0; ow < d[2]; ow++)
        for (int64_t ch = 0; ch < d[3]; ch++, dy++)
          for (int64_t h = oh * a->stride; h < oh * a->stride + a->kernel; h++)
            for (int64_t w = ow * a->stride; w < ow * a->stride + a->kernel; w++)
              dx[((n * a->height + h) * a->width + w) * d[3] + ch] += share * *dy;
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi__unary(g, &sumi__op_avg_pool2d, dy[0], n->attrs, n->attrs_bytes);
}

const sumi__op sumi__op_avg_pool2d_grad = {
    .name = "avg_pool2d_grad", .infer = infer, .reference = reference, .grad = grad};
