/* Bilinear resizing, its gradient, and the gradient of nearest upsampling; the meaning is in src/ops. */
#include "cpu/pictures.h"

#include "cpu/isa/pixels.h"
#include "ops/attrs.h"

static inline void upsample_grad(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype) {
  const sumi__upsample_attrs *a = c->node->attrs;
  const int64_t *out = c->node->outputs[0]->shape.dims, channels = out[3], in_width = out[2] * a->factor_w;
  for (int64_t row = begin; row < end; row++)
    for (int64_t w = 0; w < out[2]; w++)
      for (int64_t ch = 0; ch < channels; ch += V) {
        vf sum = vzero();
        for (int64_t i = 0; i < a->factor_h; i++)
          for (int64_t j = 0; j < a->factor_w; j++) {
            const int64_t at = (row * a->factor_h + i) * in_width + w * a->factor_w + j;
            sum += vload_up_to(c->in[0], dtype, at * channels + ch, channels - ch);
          }
        vstore_up_to(c->out[0], dtype, (row * out[2] + w) * channels + ch, sum, channels - ch);
      }
}

static inline void resize(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype) {
  const sumi__resize_plan *p = c->state;
  const sumi__resize_attrs *a = c->node->attrs;
  const int64_t *out = c->node->outputs[0]->shape.dims, channels = out[3];
  for (int64_t row = begin; row < end; row++) {
    const sumi__resize_tap *h = &p->h.taps[row % out[1]];
    const int64_t picture = row / out[1] * a->in_h;
    const int64_t above = (picture + h->low) * a->in_w * channels, below = (picture + h->high) * a->in_w * channels;
    for (int64_t ow = 0; ow < out[2]; ow++) {
      const sumi__resize_tap *w = &p->w.taps[ow];
      for (int64_t ch = 0; ch < channels; ch += V) {
        const int64_t low = w->low * channels + ch, high = w->high * channels + ch, n = channels - ch;
        const vf upper = (1.0f - w->part) * vload_up_to(c->in[0], dtype, above + low, n) +
                         w->part * vload_up_to(c->in[0], dtype, above + high, n);
        const vf lower = (1.0f - w->part) * vload_up_to(c->in[0], dtype, below + low, n) +
                         w->part * vload_up_to(c->in[0], dtype, below + high, n);
        vstore_up_to(c->out[0], dtype, (row * out[2] + ow) * channels + ch, (1.0f - h->part) * upper + h->part * lower,
                     n);
      }
    }
  }
}

/* How much of input position `at` the output position of the tap takes. */
static inline float share(const sumi__resize_tap *tap, int64_t at) {
  return (tap->low == at ? 1.0f - tap->part : 0.0f) + (tap->high == at ? tap->part : 0.0f);
}

static inline void resize_grad(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype) {
  const sumi__resize_plan *p = c->state;
  const sumi__resize_attrs *a = c->node->attrs;
  const int64_t channels = c->node->outputs[0]->shape.dims[3];
  for (int64_t row = begin; row < end; row++) {
    const int64_t h = row % a->in_h, picture = row / a->in_h * a->out_h;
    for (int64_t w = 0; w < a->in_w; w++)
      for (int64_t ch = 0; ch < channels; ch += V) {
        vf sum = vzero();
        for (int64_t oh = p->h.first[h]; oh <= p->h.last[h]; oh++) {
          const float down = share(&p->h.taps[oh], h);
          for (int64_t ow = p->w.first[w]; ow <= p->w.last[w]; ow++) {
            const int64_t at = ((picture + oh) * a->out_w + ow) * channels + ch;
            sum += down * share(&p->w.taps[ow], w) * vload_up_to(c->in[0], dtype, at, channels - ch);
          }
        }
        vstore_up_to(c->out[0], dtype, (row * a->in_w + w) * channels + ch, sum, channels - ch);
      }
  }
}

void SUMI__ISA_NAME(sumi__cpu_upsample_grad_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  SUMI__FOR_DTYPE(c, begin, end, c->node->outputs[0]->dtype, upsample_grad);
}
void SUMI__ISA_NAME(sumi__cpu_resize_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  SUMI__FOR_DTYPE(c, begin, end, c->node->outputs[0]->dtype, resize);
}
void SUMI__ISA_NAME(sumi__cpu_resize_grad_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  SUMI__FOR_DTYPE(c, begin, end, c->node->outputs[0]->dtype, resize_grad);
}
