/* A 3x3 convolution of x (N, H, W, I) as if each of its pixels were there twice along both sides (upsample_nearest),
 * with one zero around that picture: y[n, h, w, o] = bias[o] + sum over kh, kw, i of x[n, (h + kh - 1) / 2, (w + kw -
 * 1) / 2, i] * w[o, kh, kw, i] with y (N, 2H, 2W, O). The compiler makes it of the two, so that the large picture is
 * never written. Its attributes are the convolution's: height and width are the large picture's. */
#include "ops/conv.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  (void)n;
  return sumi__graph_fail(g, SUMI_INVALID, "conv2d_upsampled is made by the compiler alone");
}

/* `x` is a picture (H, W, I), `w` the filter of one output. */
static double pixel(const sumi__conv_attrs *a, const float *x, const float *w, int64_t oh, int64_t ow,
                    int64_t channels) {
  double sum = 0.0;
  for (int64_t kh = 0; kh < 3; kh++)
    for (int64_t kw = 0; kw < 3; kw++) {
      const int64_t h = oh + kh - 1, v = ow + kw - 1;
      if (h < 0 || h >= a->height || v < 0 || v >= a->width) continue;
      const float *xs = x + (h / 2 * (a->width / 2) + v / 2) * channels, *ws = w + (kh * 3 + kw) * channels;
      for (int64_t i = 0; i < channels; i++) sum += (double)xs[i] * (double)ws[i];
    }
  return sum;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__conv_attrs *a = c->node->attrs;
  const int64_t *y_dims = c->node->outputs[0]->shape.dims, channels = c->node->inputs[0]->shape.dims[3];
  const int64_t picture = a->height / 2 * (a->width / 2) * channels;
  const float *x = c->in[0], *w = c->in[1], *bias = sumi__operands(c->node) > 2 ? c->in[2] : NULL;
  float *y = c->out[0];
  for (int64_t n = 0; n < y_dims[0]; n++)
    for (int64_t oh = 0; oh < y_dims[1]; oh++)
      for (int64_t ow = 0; ow < y_dims[2]; ow++)
        for (int64_t o = 0; o < y_dims[3]; o++)
          *y++ = (float)(pixel(a, x + n * picture, w + o * 9 * channels, oh, ow, channels) +
                         (bias ? (double)bias[o] : 0.0));
  return SUMI_OK;
}

static double flops(const sumi__node *n) { return sumi__conv_flops(&n->outputs[0]->shape, &n->inputs[1]->shape); }

const sumi__op sumi__op_conv2d_upsampled = {
    .name = "conv2d_upsampled", .flags = SUMI__OP_ADDS, .infer = infer, .reference = reference, .flops = flops};
