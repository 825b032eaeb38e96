/* The gradient of conv2d for its weight, always f32 so that optimisers see all of it:
 *   dw[o, kh, kw, i] = sum over n, oh, ow of dy[n, oh, ow, o] x[n, oh s_h + kh d_h - p_top, ow s_w + kw d_w - p_left,
 * i'] Linear in x and in dy: d x = conv2d_input_grad(dy, d dw), d dy = conv2d(x, d dw). */
#include "ops/conv.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__conv_attrs *a = n->attrs;
  if (!sumi__conv_check_types(g, n)) return false;
  const sumi_shape *x = &n->inputs[0]->shape, *dy = &n->inputs[1]->shape;
  SUMI__INFER(g, x->dims[3] % a->groups == 0 && dy->dims[3] % a->groups == 0, SUMI_SHAPE,
              "%s: %d groups do not divide the channels of %s and %s", n->op->name, a->groups, SUMI__SHAPE_STR(x),
              SUMI__SHAPE_STR(dy));
  const sumi_shape w = SUMI_SHAPE(dy->dims[3], a->kernel_h, a->kernel_w, x->dims[3] / a->groups);
  if (!sumi__conv_check(g, n, x, dy, &w)) return false;
  return sumi__declare(g, n, 0, SUMI_F32, w);
}

static double tap(const sumi__conv_attrs *a, const sumi_shape *xs, const sumi_shape *ys, const float *x,
                  const float *dy, int64_t kh, int64_t kw) {
  double sum = 0.0;
  for (int64_t n = 0; n < ys->dims[0]; n++)
    for (int64_t oh = 0; oh < ys->dims[1]; oh++)
      for (int64_t ow = 0; ow < ys->dims[2]; ow++) {
        const int64_t ih = sumi__conv_at(oh, kh, a->stride_h, a->dilation_h, a->pad_top);
        const int64_t iw = sumi__conv_at(ow, kw, a->stride_w, a->dilation_w, a->pad_left);
        if (ih < 0 || ih >= a->height || iw < 0 || iw >= a->width) continue;
        sum += (double)dy[((n * ys->dims[1] + oh) * ys->dims[2] + ow) * ys->dims[3]] *
               (double)x[((n * a->height + ih) * a->width + iw) * xs->dims[3]];
      }
  return sum;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__conv_attrs *a = c->node->attrs;
  const sumi_shape *xs = &c->node->inputs[0]->shape, *ys = &c->node->inputs[1]->shape;
  const sumi_shape *ws = &c->node->outputs[0]->shape;
  const float *x = c->in[0], *dy = c->in[1];
  float *dw = c->out[0];
  const int64_t per_group = ws->dims[3], outs_per_group = ws->dims[0] / a->groups;
  for (int64_t o = 0; o < ws->dims[0]; o++)
    for (int64_t kh = 0; kh < a->kernel_h; kh++)
      for (int64_t kw = 0; kw < a->kernel_w; kw++)
        for (int64_t i = 0; i < per_group; i++)
          *dw++ = (float)tap(a, xs, ys, x + o / outs_per_group * per_group + i, dy + o, kh, kw);
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__conv_attrs *a = n->attrs;
  if (need[0]) dx[0] = sumi__conv2d_input_grad(g, n->inputs[1], dy[0], NULL, a);
  if (need[1]) dx[1] = sumi__conv2d(g, n->inputs[0], dy[0], NULL, a);
}

static double flops(const sumi__node *n) { return sumi__conv_flops(&n->inputs[1]->shape, &n->outputs[0]->shape); }

const sumi__op sumi__op_conv2d_weight_grad = {
    .name = "conv2d_weight_grad", .infer = infer, .reference = reference, .grad = grad, .flops = flops};

sumi_tensor *sumi__conv2d_weight_grad(sumi_graph *g, sumi_tensor *x, sumi_tensor *dy, const sumi__conv_attrs *a) {
  if (!x || !dy) return NULL;
  return sumi__build(g, &sumi__op_conv2d_weight_grad, 2, (sumi_tensor *[]){x, sumi_cast(g, dy, x->dtype)}, a,
                     sizeof *a);
}
