/* The gradient of resize_bilinear: every dy goes to the four pixels that its y was made of, by their parts. Its own
 * gradient is resize_bilinear again. */
#include "ops/resize.h"

#include <string.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__resize_attrs *a = n->attrs;
  const sumi_tensor *dy = n->inputs[0];
  if (!sumi__check_pictures(g, n, 0, "dy")) return false;
  const int64_t *d = dy->shape.dims;
  SUMI__INFER(g, d[1] == a->out_h && d[2] == a->out_w, SUMI_SHAPE,
              "resize_bilinear_grad: dy is %s, expected %lld x %lld", SUMI__SHAPE_STR(&dy->shape), (long long)a->out_h,
              (long long)a->out_w);
  return sumi__declare(g, n, 0, dy->dtype, SUMI_SHAPE(d[0], a->in_h, a->in_w, d[3]));
}

static void spread(float *row_upper, float *row_lower, const sumi__resize_tap *h, const sumi__resize_tap *w,
                   int64_t channels, float dy) {
  row_upper[w->low * channels] += (1.0f - h->part) * (1.0f - w->part) * dy;
  row_upper[w->high * channels] += (1.0f - h->part) * w->part * dy;
  row_lower[w->low * channels] += h->part * (1.0f - w->part) * dy;
  row_lower[w->high * channels] += h->part * w->part * dy;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__resize_attrs *a = c->node->attrs;
  const int64_t *d = c->node->inputs[0]->shape.dims, channels = d[3];
  const float *dy = c->in[0];
  float *dx = c->out[0];
  memset(dx, 0, (size_t)sumi__count(c->node->outputs[0]) * sizeof *dx);
  for (int64_t n = 0; n < d[0]; n++, dx += a->in_h * a->in_w * channels)
    for (int64_t oh = 0; oh < d[1]; oh++)
      for (int64_t ow = 0; ow < d[2]; ow++) {
        const sumi__resize_tap h = sumi__resize_at(oh, a->in_h, a->out_h, a->align_corners);
        const sumi__resize_tap w = sumi__resize_at(ow, a->in_w, a->out_w, a->align_corners);
        for (int64_t ch = 0; ch < channels; ch++)
          spread(dx + h.low * a->in_w * channels + ch, dx + h.high * a->in_w * channels + ch, &h, &w, channels, *dy++);
      }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  if (need[0]) dx[0] = sumi__unary(g, &sumi__op_resize_bilinear, dy[0], n->attrs, n->attrs_bytes);
}

const sumi__op sumi__op_resize_bilinear_grad = {
    .name = "resize_bilinear_grad", .infer = infer, .reference = reference, .grad = grad};
