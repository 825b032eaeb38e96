/* Bilinear resizing as PyTorch's interpolate has it (without antialiasing): an output position o of a dimension reads
 * the input at
 *   max((o + 1/2) in / out - 1/2, 0), pixels being areas, or, with align_corners,
 *   o (in - 1) / (out - 1), pixels being points whose corners meet,
 * between the two nearest pixels, clamped at the end. Linear in x: dx is resize_bilinear_grad. */
#include "ops/resize.h"

sumi__resize_tap sumi__resize_at(int64_t position, int64_t in, int64_t out, bool align_corners) {
  float at;
  if (align_corners)
    at = out > 1 ? (float)(in - 1) / (float)(out - 1) * (float)position : 0.0f;
  else
    at = (float)in / (float)out * ((float)position + 0.5f) - 0.5f;
  if (at < 0.0f) at = 0.0f;
  sumi__resize_tap tap = {.low = sumi__min_i64((int64_t)at, in - 1)};
  tap.high = sumi__min_i64(tap.low + 1, in - 1);
  tap.part = at - (float)tap.low;
  if (tap.part > 1.0f) tap.part = 1.0f;
  return tap;
}

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__resize_attrs *a = n->attrs;
  const sumi_tensor *x = n->inputs[0];
  if (!sumi__check_pictures(g, n, 0, "the operand")) return false;
  const int64_t *d = x->shape.dims;
  SUMI__INFER(g, a->out_h >= 1 && a->out_w >= 1, SUMI_INVALID, "resize_bilinear: to %lld x %lld: expected 1 or more",
              (long long)a->out_h, (long long)a->out_w);
  SUMI__INFER(g, d[1] == a->in_h && d[2] == a->in_w, SUMI_SHAPE,
              "resize_bilinear: the operand is %s, expected %lld x %lld", SUMI__SHAPE_STR(&x->shape),
              (long long)a->in_h, (long long)a->in_w);
  return sumi__declare(g, n, 0, x->dtype, SUMI_SHAPE(d[0], a->out_h, a->out_w, d[3]));
}

static sumi_status reference(const sumi__call *c) {
  const sumi__resize_attrs *a = c->node->attrs;
  const int64_t *out = c->node->outputs[0]->shape.dims, channels = out[3];
  const float *x = c->in[0];
  float *y = c->out[0];
  for (int64_t n = 0; n < out[0]; n++, x += a->in_h * a->in_w * channels)
    for (int64_t oh = 0; oh < out[1]; oh++)
      for (int64_t ow = 0; ow < out[2]; ow++) {
        const sumi__resize_tap h = sumi__resize_at(oh, a->in_h, a->out_h, a->align_corners);
        const sumi__resize_tap w = sumi__resize_at(ow, a->in_w, a->out_w, a->align_corners);
        for (int64_t ch = 0; ch < channels; ch++) {
          const float *upper = x + h.low * a->in_w * channels + ch, *lower = x + h.high * a->in_w * channels + ch;
          const float above = (1.0f - w.part) * upper[w.low * channels] + w.part * upper[w.high * channels];
          const float below = (1.0f - w.part) * lower[w.low * channels] + w.part * lower[w.high * channels];
          *y++ = (1.0f - h.part) * above + h.part * below;
        }
      }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi__unary(g, &sumi__op_resize_bilinear_grad, dy[0], n->attrs, n->attrs_bytes);
}

const sumi__op sumi__op_resize_bilinear = {
    .name = "resize_bilinear", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_resize_bilinear(sumi_graph *g, sumi_tensor *x, int64_t height, int64_t width, bool align_corners) {
  sumi__resize_attrs a = {.out_h = height, .out_w = width, .align_corners = align_corners};
  if (x && x->shape.rank == 4) a.in_h = x->shape.dims[1], a.in_w = x->shape.dims[2];
  return sumi__unary(g, &sumi__op_resize_bilinear, x, &a, sizeof a);
}
