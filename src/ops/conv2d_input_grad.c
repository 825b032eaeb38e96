/* The gradient of conv2d for its input, which is the transposed convolution (PyTorch's ConvTranspose2d):
 *   dx[n, h, w, i] = bias[i] + sum over kh, kw, o of dy[n, oh, ow, o] w[o, kh, kw, i]
 * over the oh, ow, kh, kw with oh s_h + kh d_h - p_top = h and ow s_w + kw d_w - p_left = w, and o of i's group.
 * Linear in dy and in w: d dy = conv2d(d dx, w), d w = conv2d_weight_grad(d dx, dy). */
#include "ops/conv.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__conv_attrs *a = n->attrs;
  if (!sumi__conv_check_types(g, n)) return false;
  const sumi_shape *dy = &n->inputs[0]->shape, *w = &n->inputs[1]->shape;
  const int64_t channels = w->dims[3] * a->groups;
  if (!sumi__conv_check(g, n, NULL, dy, w) || !sumi__conv_check_bias(g, n, channels)) return false;
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, SUMI_SHAPE(dy->dims[0], a->height, a->width, channels));
}

/* `w`: the weights from the group's first output on; `i`: the input channel within the group. */
static double pixel(const sumi__conv_attrs *a, const sumi_shape *ys, const float *dy, const float *w, int64_t h,
                    int64_t column, int64_t i, int64_t from, int64_t outs_per_group, int64_t per_group) {
  double sum = 0.0;
  for (int64_t kh = 0; kh < a->kernel_h; kh++)
    for (int64_t kw = 0; kw < a->kernel_w; kw++) {
      const int64_t oh = sumi__conv_from(h, kh, a->stride_h, a->dilation_h, a->pad_top, ys->dims[1]);
      const int64_t ow = sumi__conv_from(column, kw, a->stride_w, a->dilation_w, a->pad_left, ys->dims[2]);
      if (oh < 0 || ow < 0) continue;
      const float *dys = dy + (oh * ys->dims[2] + ow) * ys->dims[3] + from;
      for (int64_t o = 0; o < outs_per_group; o++)
        sum += (double)dys[o] * (double)w[((o * a->kernel_h + kh) * a->kernel_w + kw) * per_group + i];
    }
  return sum;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__conv_attrs *a = c->node->attrs;
  const sumi_shape *ys = &c->node->inputs[0]->shape, *ws = &c->node->inputs[1]->shape;
  const sumi_shape *xs = &c->node->outputs[0]->shape;
  const float *dy = c->in[0], *w = c->in[1], *bias = c->node->n_inputs > 2 ? c->in[2] : NULL;
  float *dx = c->out[0];
  const int64_t per_group = ws->dims[3], outs_per_group = ys->dims[3] / a->groups;
  for (int64_t n = 0; n < xs->dims[0]; n++)
    for (int64_t h = 0; h < xs->dims[1]; h++)
      for (int64_t column = 0; column < xs->dims[2]; column++)
        for (int64_t i = 0; i < xs->dims[3]; i++) {
          const int64_t from = i / per_group * outs_per_group;
          const float *picture = dy + n * ys->dims[1] * ys->dims[2] * ys->dims[3];
          const float *kernels = w + from * a->kernel_h * a->kernel_w * per_group;
          const double sum = pixel(a, ys, picture, kernels, h, column, i % per_group, from, outs_per_group, per_group);
          *dx++ = (float)(sum + (bias ? (double)bias[i] : 0.0));
        }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__conv_attrs *a = n->attrs;
  if (need[0]) dx[0] = sumi__conv2d(g, dy[0], n->inputs[1], NULL, a);
  if (need[1]) dx[1] = sumi__conv2d_weight_grad(g, dy[0], n->inputs[0], a);
  if (n->n_inputs > 2 && need[2]) dx[2] = sumi_sum(g, dy[0], 3, (int[]){0, 1, 2}, false);
}

static double flops(const sumi__node *n) { return sumi__conv_flops(&n->inputs[0]->shape, &n->inputs[1]->shape); }

const sumi__op sumi__op_conv2d_input_grad = {
    .name = "conv2d_input_grad", .infer = infer, .reference = reference, .grad = grad, .flops = flops};

sumi_tensor *sumi__conv2d_input_grad(sumi_graph *g, sumi_tensor *dy, sumi_tensor *w, sumi_tensor *bias,
                                     const sumi__conv_attrs *a) {
  if (!dy) return NULL;
  return sumi__build(g, &sumi__op_conv2d_input_grad, bias ? 3 : 2,
                     (sumi_tensor *[]){dy, sumi__float_cast(g, w, dy->dtype), bias}, a, sizeof *a);
}

static int64_t in_size(int64_t out, int before, int after, int64_t kernel, int stride, int dilation, int extra) {
  return (out - 1) * stride - before - after + dilation * (kernel - 1) + 1 + extra;
}

sumi_tensor *sumi_conv_transpose2d(sumi_graph *g, sumi_tensor *x, sumi_tensor *w, sumi_tensor *bias,
                                   const sumi_conv_options *options, int output_pad_h, int output_pad_w) {
  sumi__conv_attrs a;
  if (!sumi__inputs_given(g, "conv_transpose2d", 2, (sumi_tensor *[]){x, w})) return NULL;
  if (!sumi__conv_resolve(g, "conv_transpose2d", options, w, &a)) return NULL;
  if (output_pad_h < 0 || output_pad_h >= a.stride_h || output_pad_w < 0 || output_pad_w >= a.stride_w) {
    sumi__graph_fail(g, SUMI_INVALID, "conv_transpose2d: output paddings %d, %d: expected below the strides %d, %d",
                     output_pad_h, output_pad_w, a.stride_h, a.stride_w);
    return NULL;
  }
  if (x->shape.rank == 4) {
    const int64_t limit = INT32_MAX;
    if (x->shape.dims[1] > limit || x->shape.dims[2] > limit) {
      sumi__graph_fail(g, SUMI_SHAPE, "conv_transpose2d: an input of %s is too large", SUMI__SHAPE_STR(&x->shape));
      return NULL;
    }
    a.height = in_size(x->shape.dims[1], a.pad_top, a.pad_bottom, a.kernel_h, a.stride_h, a.dilation_h, output_pad_h);
    a.width = in_size(x->shape.dims[2], a.pad_left, a.pad_right, a.kernel_w, a.stride_w, a.dilation_w, output_pad_w);
  }
  return sumi__conv2d_input_grad(g, sumi__compute_cast(g, x), sumi__compute_cast(g, w), bias, &a);
}
