/* Convolutions and their gradients, for the most part through oneDNN. Weights are packed as it prefers them;
 * activations stay channels-last. */
#include "cpu/cpu.h"
#include "cpu/product.h"
#include "ops/attrs.h"

static sumi_status plan(const sumi__prep *p, sumi_dtype dtype, sumi_dtype c_dtype, sumi__dnn_conv_kind kind,
                        sumi__product_plan *out) {
  const sumi__node *n = p->node;
  const sumi__conv_attrs *a = n->attrs;
  /* The tensor on the side of the convolution's output: conv2d's own, or the gradient that comes in. */
  const sumi_shape *y = kind == SUMI__DNN_CONV              ? &n->outputs[0]->shape
                        : kind == SUMI__DNN_CONV_INPUT_GRAD ? &n->inputs[0]->shape
                                                            : &n->inputs[1]->shape;
  const sumi_shape *x = kind == SUMI__DNN_CONV_INPUT_GRAD ? &n->outputs[0]->shape : &n->inputs[0]->shape;
  const bool packs = kind != SUMI__DNN_CONV_WEIGHT_GRAD;
  const sumi__dnn_conv spec = {.kind = kind,
                               .dtype = dtype,
                               .c_dtype = c_dtype,
                               .bias = kind == SUMI__DNN_CONV && sumi__operands(n) == 3,
                               .adds = kind == SUMI__DNN_CONV && sumi__product_adds_inside(p, c_dtype),
                               .pack = packs,
                               .n = x->dims[0],
                               .h = a->height,
                               .w = a->width,
                               .i = x->dims[3],
                               .oh = y->dims[1],
                               .ow = y->dims[2],
                               .o = y->dims[3],
                               .kh = a->kernel_h,
                               .kw = a->kernel_w,
                               .stride_h = a->stride_h,
                               .stride_w = a->stride_w,
                               .pad_top = a->pad_top,
                               .pad_left = a->pad_left,
                               .pad_bottom = a->pad_bottom,
                               .pad_right = a->pad_right,
                               .dilation_h = a->dilation_h,
                               .dilation_w = a->dilation_w,
                               .groups = a->groups};
  if (!sumi__isa_limited(p->ctx)) return sumi__dnn_conv_create(p->ctx, &spec, &out->dnn);
  if (dtype != SUMI_F32 || c_dtype != SUMI_F32 || kind == SUMI__DNN_CONV_WEIGHT_GRAD) return SUMI_UNSUPPORTED;
  return sumi__taps_conv_create(p->ctx, &spec, &out->taps);
}

static sumi_status plan_conv2d(const sumi__prep *p, sumi_dtype dtype, sumi_dtype c_dtype, sumi__product_plan *out) {
  return plan(p, dtype, c_dtype, SUMI__DNN_CONV, out);
}
static sumi_status prepare_conv2d(sumi__prep *p) { return sumi__product_prepare(p, plan_conv2d, false); }
const sumi__kernel sumi__cpu_conv2d_library = {.prepare = prepare_conv2d,
                                               .pack = sumi__product_pack,
                                               .pack_lent = sumi__product_pack_lent,
                                               .run = sumi__product_run,
                                               .destroy = sumi__product_destroy};

/* oneDNN 2.6.3 gives wrong bf16 gradients of 1 x 1 kernels with an odd number of outputs and certain numbers of pixels
 * (30, 59, 60, ...); such a product is done in f32. */
static sumi_status plan_input_grad(const sumi__prep *p, sumi_dtype dtype, sumi_dtype c_dtype, sumi__product_plan *out) {
  const sumi__conv_attrs *a = p->node->attrs;
  if (dtype == SUMI_BF16 && a->kernel_h == 1 && a->kernel_w == 1 && p->node->inputs[0]->shape.dims[3] % 2)
    return SUMI_UNSUPPORTED;
  return plan(p, dtype, c_dtype, SUMI__DNN_CONV_INPUT_GRAD, out);
}
static sumi_status prepare_input_grad(sumi__prep *p) { return sumi__product_prepare(p, plan_input_grad, true); }
const sumi__kernel sumi__cpu_conv2d_input_grad_library = {.prepare = prepare_input_grad,
                                                          .pack = sumi__product_pack,
                                                          .run = sumi__product_run,
                                                          .destroy = sumi__product_destroy};

static sumi_status plan_weight_grad(const sumi__prep *p, sumi_dtype dtype, sumi_dtype c_dtype,
                                    sumi__product_plan *out) {
  return plan(p, dtype, c_dtype, SUMI__DNN_CONV_WEIGHT_GRAD, out);
}
static sumi_status prepare_weight_grad(sumi__prep *p) { return sumi__product_prepare(p, plan_weight_grad, false); }
const sumi__kernel sumi__cpu_conv2d_weight_grad_library = {
    .prepare = prepare_weight_grad, .run = sumi__product_run, .destroy = sumi__product_destroy};
