/* The geometry of convolutions: per dimension, out = floor((in + pads - dilation (kernel - 1) - 1) / stride) + 1
 * (Dumoulin and Visin 2016, arXiv:1603.07285; PyTorch's Conv2d documents the same). */
#include "ops/conv.h"

enum { SIZE_LIMIT = 1 << 24 }; /* of strides, paddings and dilations: far beyond use, far below any overflow */

static bool in_range(int value, int low) { return value >= low && value <= SIZE_LIMIT; }

bool sumi__conv_resolve(sumi_graph *g, const char *who, const sumi_conv_options *options, const sumi_tensor *w,
                        sumi__conv_attrs *out) {
  const sumi_conv_options o = options ? *options : (sumi_conv_options){0};
  SUMI__INFER(g, w->shape.rank == 4, SUMI_SHAPE, "%s: the weight has the shape %s, expected (O, KH, KW, I/groups)", who,
              SUMI__SHAPE_STR(&w->shape));
  *out = (sumi__conv_attrs){
      .stride_h = o.stride_h ? o.stride_h : 1,
      .stride_w = o.stride_w ? o.stride_w : 1,
      .pad_top = o.pad_top,
      .pad_left = o.pad_left,
      .pad_bottom = o.pad_bottom,
      .pad_right = o.pad_right,
      .dilation_h = o.dilation_h ? o.dilation_h : 1,
      .dilation_w = o.dilation_w ? o.dilation_w : 1,
      .groups = o.groups ? o.groups : 1,
      .kernel_h = w->shape.dims[1],
      .kernel_w = w->shape.dims[2],
  };
  SUMI__INFER(g, in_range(out->stride_h, 1) && in_range(out->stride_w, 1), SUMI_INVALID,
              "%s: strides %d, %d: expected 1 or more", who, out->stride_h, out->stride_w);
  SUMI__INFER(g, in_range(out->dilation_h, 1) && in_range(out->dilation_w, 1), SUMI_INVALID,
              "%s: dilations %d, %d: expected 1 or more", who, out->dilation_h, out->dilation_w);
  SUMI__INFER(
      g, in_range(o.pad_top, 0) && in_range(o.pad_left, 0) && in_range(o.pad_bottom, 0) && in_range(o.pad_right, 0),
      SUMI_INVALID, "%s: paddings %d, %d, %d, %d: expected 0 or more", who, o.pad_top, o.pad_left, o.pad_bottom,
      o.pad_right);
  SUMI__INFER(g, out->kernel_h <= SIZE_LIMIT && out->kernel_w <= SIZE_LIMIT, SUMI_SHAPE, "%s: a kernel of %s", who,
              SUMI__SHAPE_STR(&w->shape));
  SUMI__INFER(g, out->groups >= 1 && w->shape.dims[0] % out->groups == 0, SUMI_SHAPE,
              "%s: %d groups do not divide the %lld outputs of the weight %s", who, out->groups,
              (long long)w->shape.dims[0], SUMI__SHAPE_STR(&w->shape));
  return true;
}

static int64_t out_size(int64_t in, int before, int after, int64_t kernel, int stride, int dilation) {
  const int64_t room = in + before + after - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

int64_t sumi__conv_out_height(const sumi__conv_attrs *a) {
  return out_size(a->height, a->pad_top, a->pad_bottom, a->kernel_h, a->stride_h, a->dilation_h);
}

int64_t sumi__conv_out_width(const sumi__conv_attrs *a) {
  return out_size(a->width, a->pad_left, a->pad_right, a->kernel_w, a->stride_w, a->dilation_w);
}

bool sumi__conv_check(sumi_graph *g, const sumi__node *n, const sumi_shape *x, const sumi_shape *y,
                      const sumi_shape *w) {
  const sumi__conv_attrs *a = n->attrs;
  const char *who = n->op->name;
  SUMI__INFER(g, !x || (x->dims[1] == a->height && x->dims[2] == a->width), SUMI_SHAPE,
              "%s: the input is %s, expected height %lld and width %lld", who, SUMI__SHAPE_STR(x), (long long)a->height,
              (long long)a->width);
  SUMI__INFER(g, !x || x->dims[3] == w->dims[3] * a->groups, SUMI_SHAPE,
              "%s: input %s with weight %s and %d group(s): expected %lld input channels", who, SUMI__SHAPE_STR(x),
              SUMI__SHAPE_STR(w), a->groups, (long long)(w->dims[3] * a->groups));
  const int64_t height = sumi__conv_out_height(a), width = sumi__conv_out_width(a);
  SUMI__INFER(g, height > 0 && width > 0, SUMI_SHAPE,
              "%s: a kernel of %lld x %lld does not fit into a padded input of %lld x %lld", who,
              (long long)a->kernel_h, (long long)a->kernel_w, (long long)(a->height + a->pad_top + a->pad_bottom),
              (long long)(a->width + a->pad_left + a->pad_right));
  SUMI__INFER(g, !y || (y->dims[1] == height && y->dims[2] == width && y->dims[3] == w->dims[0]), SUMI_SHAPE,
              "%s: %s does not go with weight %s, expected [N, %lld, %lld, %lld]", who, SUMI__SHAPE_STR(y),
              SUMI__SHAPE_STR(w), (long long)height, (long long)width, (long long)w->dims[0]);
  SUMI__INFER(g, !x || !y || x->dims[0] == y->dims[0], SUMI_SHAPE, "%s: batches of %s and %s differ", who,
              SUMI__SHAPE_STR(x), SUMI__SHAPE_STR(y));
  return true;
}

bool sumi__conv_check_types(sumi_graph *g, const sumi__node *n) {
  const sumi_tensor *a = n->inputs[0], *b = n->inputs[1];
  SUMI__INFER(g, (a->dtype == SUMI_F32 || a->dtype == SUMI_BF16) && b->dtype == a->dtype, SUMI_SHAPE,
              "%s: operands are %s and %s, expected both f32 or both bf16", n->op->name, sumi_dtype_name(a->dtype),
              sumi_dtype_name(b->dtype));
  SUMI__INFER(g, a->shape.rank == 4 && b->shape.rank == 4, SUMI_SHAPE,
              "%s: operands are %s and %s, expected four dimensions each", n->op->name, SUMI__SHAPE_STR(&a->shape),
              SUMI__SHAPE_STR(&b->shape));
  return true;
}

bool sumi__conv_check_bias(sumi_graph *g, const sumi__node *n, int64_t width) {
  return n->n_inputs < 3 || sumi__check_input(g, n, 2, "the bias", SUMI_F32, SUMI_SHAPE(width));
}

double sumi__conv_flops(const sumi_shape *y, const sumi_shape *w) {
  return 2.0 * (double)sumi_shape_count(y) * (double)w->dims[1] * (double)w->dims[2] * (double)w->dims[3];
}
