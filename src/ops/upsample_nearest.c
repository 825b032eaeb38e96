/* Every pixel repeated factor_h x factor_w times: y[h, w] = x[h / factor_h, w / factor_w], as PyTorch's nearest
 * interpolation by a whole factor. dx = the sum of dy over each block (upsample_nearest_grad). */
#include "ops/ops.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__upsample_attrs *a = n->attrs;
  const sumi_tensor *x = n->inputs[0];
  if (!sumi__check_pictures(g, n, 0, "the operand")) return false;
  sumi_shape y = x->shape;
  SUMI__INFER(g, a->factor_h >= 1 && a->factor_w >= 1, SUMI_INVALID,
              "upsample_nearest: factors %d, %d: expected 1 or more", a->factor_h, a->factor_w);
  SUMI__INFER(g, sumi__mul_i64(y.dims[1], a->factor_h, &y.dims[1]) && sumi__mul_i64(y.dims[2], a->factor_w, &y.dims[2]),
              SUMI_SHAPE, "upsample_nearest: %s by %d x %d is too large", SUMI__SHAPE_STR(&x->shape), a->factor_h,
              a->factor_w);
  return sumi__declare(g, n, 0, x->dtype, y);
}

static sumi_status reference(const sumi__call *c) {
  const sumi__upsample_attrs *a = c->node->attrs;
  const int64_t *in = c->node->inputs[0]->shape.dims, *out = c->node->outputs[0]->shape.dims;
  const float *x = c->in[0];
  float *y = c->out[0];
  for (int64_t n = 0; n < out[0]; n++)
    for (int64_t h = 0; h < out[1]; h++)
      for (int64_t w = 0; w < out[2]; w++)
        for (int64_t ch = 0; ch < out[3]; ch++)
          *y++ = x[((n * in[1] + h / a->factor_h) * in[2] + w / a->factor_w) * in[3] + ch];
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi__unary(g, &sumi__op_upsample_nearest_grad, dy[0], n->attrs, n->attrs_bytes);
}

const sumi__op sumi__op_upsample_nearest = {
    .name = "upsample_nearest", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_upsample_nearest(sumi_graph *g, sumi_tensor *x, int factor_h, int factor_w) {
  if (x && factor_h == 1 && factor_w == 1 && x->shape.rank == 4) return x;
  return sumi__unary(g, &sumi__op_upsample_nearest, x, &(sumi__upsample_attrs){factor_h, factor_w},
                     sizeof(sumi__upsample_attrs));
}
