/* Convolution (a cross-correlation, as in PyTorch), channels last:
 *   y[n, oh, ow, o] = bias[o] + sum over kh, kw, i of x[n, oh s_h + kh d_h - p_top, ow s_w + kw d_w - p_left, i'] *
 *                     w[o, kh, kw, i]
 * with i' the i-th channel of o's group and zeros around x. It is linear in x and in w, so that its gradients are
 * conv2d_input_grad and conv2d_weight_grad, and theirs are it again (Dumoulin and Visin 2016, arXiv:1603.07285). */
#include "ops/conv.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__conv_attrs *a = n->attrs;
  if (!sumi__conv_check_types(g, n)) return false;
  const sumi_shape *x = &n->inputs[0]->shape, *w = &n->inputs[1]->shape;
  if (!sumi__conv_check(g, n, x, NULL, w) || !sumi__conv_check_bias(g, n, w->dims[0])) return false;
  const sumi_shape y = SUMI_SHAPE(x->dims[0], sumi__conv_out_height(a), sumi__conv_out_width(a), w->dims[0]);
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, y);
}

static double pixel(const sumi__conv_attrs *a, const float *x, const float *w, int64_t oh, int64_t ow, int64_t from,
                    int64_t width_i, int64_t per_group) {
  double sum = 0.0;
  for (int64_t kh = 0; kh < a->kernel_h; kh++)
    for (int64_t kw = 0; kw < a->kernel_w; kw++) {
      const int64_t ih = sumi__conv_at(oh, kh, a->stride_h, a->dilation_h, a->pad_top);
      const int64_t iw = sumi__conv_at(ow, kw, a->stride_w, a->dilation_w, a->pad_left);
      if (ih < 0 || ih >= a->height || iw < 0 || iw >= a->width) continue;
      const float *xs = x + (ih * a->width + iw) * width_i + from, *ws = w + (kh * a->kernel_w + kw) * per_group;
      for (int64_t i = 0; i < per_group; i++) sum += (double)xs[i] * (double)ws[i];
    }
  return sum;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__conv_attrs *a = c->node->attrs;
  const sumi_shape *xs = &c->node->inputs[0]->shape, *ws = &c->node->inputs[1]->shape;
  const sumi_shape *ys = &c->node->outputs[0]->shape;
  const float *x = c->in[0], *w = c->in[1], *bias = sumi__operands(c->node) > 2 ? c->in[2] : NULL;
  float *y = c->out[0];
  const int64_t per_group = ws->dims[3], outs_per_group = ys->dims[3] / a->groups;
  for (int64_t n = 0; n < ys->dims[0]; n++)
    for (int64_t oh = 0; oh < ys->dims[1]; oh++)
      for (int64_t ow = 0; ow < ys->dims[2]; ow++)
        for (int64_t o = 0; o < ys->dims[3]; o++) {
          const float *picture = x + n * a->height * a->width * xs->dims[3];
          const float *kernel = w + o * a->kernel_h * a->kernel_w * per_group;
          const double sum = pixel(a, picture, kernel, oh, ow, o / outs_per_group * per_group, xs->dims[3], per_group);
          *y++ = (float)(sum + (bias ? (double)bias[o] : 0.0));
        }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__conv_attrs *a = n->attrs;
  if (need[0]) dx[0] = sumi__conv2d_input_grad(g, dy[0], n->inputs[1], NULL, a);
  if (need[1]) dx[1] = sumi__conv2d_weight_grad(g, n->inputs[0], dy[0], a);
  if (n->n_inputs > 2 && need[2]) dx[2] = sumi_sum(g, dy[0], 3, (int[]){0, 1, 2}, false);
}

static double flops(const sumi__node *n) { return sumi__conv_flops(&n->outputs[0]->shape, &n->inputs[1]->shape); }

const sumi__op sumi__op_conv2d = {
    .name = "conv2d", .flags = SUMI__OP_ADDS, .infer = infer, .reference = reference, .grad = grad, .flops = flops};

sumi_tensor *sumi__conv2d(sumi_graph *g, sumi_tensor *x, sumi_tensor *w, sumi_tensor *bias, const sumi__conv_attrs *a) {
  if (!x) return NULL;
  return sumi__build(g, &sumi__op_conv2d, bias ? 3 : 2, (sumi_tensor *[]){x, sumi__float_cast(g, w, x->dtype), bias}, a,
                     sizeof *a);
}

sumi_tensor *sumi_conv2d(sumi_graph *g, sumi_tensor *x, sumi_tensor *w, sumi_tensor *bias,
                         const sumi_conv_options *options) {
  sumi__conv_attrs a;
  if (!sumi__inputs_given(g, "conv2d", 2, (sumi_tensor *[]){x, w})) return NULL;
  if (!sumi__conv_resolve(g, "conv2d", options, w, &a)) return NULL;
  if (x->shape.rank == 4) a.height = x->shape.dims[1], a.width = x->shape.dims[2];
  return sumi__conv2d(g, sumi__compute_cast(g, x), sumi__compute_cast(g, w), bias, &a);
}
