/* The gradient of max_pool2d: every dy goes to the first pixel, in row order, that is the highest of its window. */
#include "ops/pool.h"

#include <math.h>
#include <string.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi_tensor *dy = n->inputs[0];
  sumi_shape dx;
  return sumi__pool_check_grad(g, n, &dx) && sumi__check_input(g, n, 1, "the operand", dy->dtype, dx) &&
         sumi__declare(g, n, 0, dy->dtype, dx);
}

static int64_t highest_of(const sumi__pool_attrs *a, const float *x, int64_t n, int64_t oh, int64_t ow, int64_t ch,
                          int64_t channels) {
  int64_t best = ((n * a->height + oh * a->stride) * a->width + ow * a->stride) * channels + ch;
  for (int64_t h = oh * a->stride; h < oh * a->stride + a->kernel; h++)
    for (int64_t w = ow * a->stride; w < ow * a->stride + a->kernel; w++) {
      const int64_t at = ((n * a->height + h) * a->width + w) * channels + ch;
      if (x[at] > x[best] || isnan(x[at])) best = at;
    }
  return best;
}

static sumi_status reference(const sumi__call *c) {
  const int64_t *d = c->node->inputs[0]->shape.dims;
  const float *dy = c->in[0], *x = c->in[1];
  float *dx = c->out[0];
  memset(dx, 0, (size_t)sumi__count(c->node->outputs[0]) * sizeof *dx);
  for (int64_t n = 0; n < d[0]; n++)
    for (int64_t oh = 0; oh < d[1]; oh++)
      for (int64_t ow = 0; ow < d[2]; ow++)
        for (int64_t ch = 0; ch < d[3]; ch++) dx[highest_of(c->node->attrs, x, n, oh, ow, ch, d[3])] += *dy++;
  return SUMI_OK;
}

const sumi__op sumi__op_max_pool2d_grad = {.name = "max_pool2d_grad", .infer = infer, .reference = reference};
