/* The mean over each kernel x kernel window. Linear in x: dx is avg_pool2d_grad. */
#include "ops/pool.h"

static sumi_status reference(const sumi__call *c) {
  const sumi__pool_attrs *a = c->node->attrs;
  const int64_t *out = c->node->outputs[0]->shape.dims;
  const float *x = c->in[0];
  float *y = c->out[0];
  for (int64_t n = 0; n < out[0]; n++)
    for (int64_t oh = 0; oh < out[1]; oh++)
      for (int64_t ow = 0; ow < out[2]; ow++)
        for (int64_t ch = 0; ch < out[3]; ch++) {
          double sum = 0.0;
          for (int64_t h = oh * a->stride; h < oh * a->stride + a->kernel; h++)
            for (int64_t w = ow * a->stride; w < ow * a->stride + a->kernel; w++)
              sum += (double)x[((n * a->height + h) * a->width + w) * out[3] + ch];
          *y++ = (float)(sum / a->kernel / a->kernel);
        }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi__unary(g, &sumi__op_avg_pool2d_grad, dy[0], n->attrs, n->attrs_bytes);
}

const sumi__op sumi__op_avg_pool2d = {
    .name = "avg_pool2d", .infer = sumi__pool_infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_avg_pool2d(sumi_graph *g, sumi_tensor *x, int kernel, int stride) {
  return sumi__pool_build(g, &sumi__op_avg_pool2d, x, kernel, stride);
}
