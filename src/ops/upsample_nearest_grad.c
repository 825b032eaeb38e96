/* The gradient of upsample_nearest: dx[h, w] = the sum of dy over the block that x[h, w] was repeated to. Its own
 * gradient is upsample_nearest again. */
#include "ops/ops.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__upsample_attrs *a = n->attrs;
  const sumi_tensor *dy = n->inputs[0];
  if (!sumi__check_pictures(g, n, 0, "dy")) return false;
  const int64_t *d = dy->shape.dims;
  SUMI__INFER(g, d[1] % a->factor_h == 0 && d[2] % a->factor_w == 0, SUMI_SHAPE,
              "upsample_nearest_grad: dy %s is not made of whole blocks of %d x %d", SUMI__SHAPE_STR(&dy->shape),
              a->factor_h, a->factor_w);
  return sumi__declare(g, n, 0, dy->dtype, SUMI_SHAPE(d[0], d[1] / a->factor_h, d[2] / a->factor_w, d[3]));
}

static sumi_status reference(const sumi__call *c) {
  const sumi__upsample_attrs *a = c->node->attrs;
  const int64_t *in = c->node->inputs[0]->shape.dims, *out = c->node->outputs[0]->shape.dims;
  const float *dy = c->in[0];
  float *dx = c->out[0];
  for (int64_t n = 0; n < out[0]; n++)
    for (int64_t h = 0; h < out[1]; h++)
      for (int64_t w = 0; w < out[2]; w++)
        for (int64_t ch = 0; ch < out[3]; ch++) {
          double sum = 0.0;
          for (int i = 0; i < a->factor_h; i++)
            for (int j = 0; j < a->factor_w; j++)
              sum += (double)dy[((n * in[1] + h * a->factor_h + i) * in[2] + w * a->factor_w + j) * in[3] + ch];
          *dx++ = (float)sum;
        }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi__unary(g, &sumi__op_upsample_nearest, dy[0], n->attrs, n->attrs_bytes);
}

const sumi__op sumi__op_upsample_nearest_grad = {
    .name = "upsample_nearest_grad", .infer = infer, .reference = reference, .grad = grad};
