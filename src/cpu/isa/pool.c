/* Average and maximum pooling and their gradients; the meaning is in src/ops. */
#include "cpu/pictures.h"

#include "cpu/isa/pixels.h"
#include "ops/attrs.h"

/* What is higher so far and where: a NaN counts as the highest. */
static inline vm higher(vf x, vf than) {
#if defined(SUMI__SIMD_AVX512)
  return (vm)(vlt(than, x) | vnan(x));
#else
  return vlt(than, x) | vnan(x);
#endif
}

static inline void pool(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype, bool max) {
  const sumi__pool_attrs *a = c->node->attrs;
  const int64_t *out = c->node->outputs[0]->shape.dims, channels = out[3];
  const float share = 1.0f / (float)(a->kernel * a->kernel);
  for (int64_t row = begin; row < end; row++)
    for (int64_t ow = 0; ow < out[2]; ow++) {
      const int64_t top = row / out[1] * a->height + row % out[1] * a->stride;
      const int64_t first = (top * a->width + ow * a->stride) * channels;
      for (int64_t ch = 0; ch < channels; ch += V) {
        vf all = vset(max ? -INFINITY : 0.0f);
        for (int64_t h = 0; h < a->kernel; h++)
          for (int64_t w = 0; w < a->kernel; w++) {
            const vf x = vload_up_to(c->in[0], dtype, first + (h * a->width + w) * channels + ch, channels - ch);
            all = max ? vselect(higher(x, all), x, all) : all + x;
          }
        vstore_up_to(c->out[0], dtype, (row * out[2] + ow) * channels + ch, max ? all : all * share, channels - ch);
      }
    }
}

static inline void average(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype) {
  pool(c, begin, end, dtype, false);
}
static inline void maximum(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype) {
  pool(c, begin, end, dtype, true);
}

/* The windows that position `at` lies in: [first, last], none if last < first. */
typedef struct span {
  int64_t first, last;
} span;
static inline span windows_over(const sumi__pool_attrs *a, int64_t at, int64_t windows) {
  const int64_t before = at - a->kernel + 1;
  return (span){before > 0 ? (before + a->stride - 1) / a->stride : 0, sumi__min_i64(at / a->stride, windows - 1)};
}

static inline void average_grad(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype) {
  const sumi__pool_attrs *a = c->node->attrs;
  const int64_t *d = c->node->inputs[0]->shape.dims, channels = d[3];
  const float share = 1.0f / (float)a->kernel / (float)a->kernel;
  for (int64_t row = begin; row < end; row++)
    for (int64_t w = 0; w < a->width; w++) {
      const span down = windows_over(a, row % a->height, d[1]), across = windows_over(a, w, d[2]);
      for (int64_t ch = 0; ch < channels; ch += V) {
        vf sum = vzero();
        for (int64_t oh = down.first; oh <= down.last; oh++)
          for (int64_t ow = across.first; ow <= across.last; ow++) {
            const int64_t at = (row / a->height * d[1] + oh) * d[2] + ow;
            sum += vload_up_to(c->in[0], dtype, at * channels + ch, channels - ch);
          }
        vstore_up_to(c->out[0], dtype, (row * a->width + w) * channels + ch, sum * share, channels - ch);
      }
    }
}

/* dy of one window to the first highest of each channel. */
static inline void to_highest(const sumi__call *c, int64_t first, int64_t dy_at, int64_t n, sumi_dtype dtype) {
  const sumi__pool_attrs *a = c->node->attrs;
  const int64_t channels = c->node->inputs[0]->shape.dims[3];
  const vf dy = vload_up_to(c->in[0], dtype, dy_at, n);
  vf most = vload_up_to(c->in[1], dtype, first, n), place = vzero();
  for (int k = 0; k < a->kernel * a->kernel; k++) {
    const vf x = vload_up_to(c->in[1], dtype, first + (k / a->kernel * a->width + k % a->kernel) * channels, n);
    const vm m = higher(x, most);
    most = vselect(m, x, most);
    place = vselect(m, vset((float)k), place);
  }
  for (int k = 0; k < a->kernel * a->kernel; k++) {
    const int64_t at = first + (k / a->kernel * a->width + k % a->kernel) * channels;
    const vf share = vselect(veq(place, vset((float)k)), dy, vzero());
    vstore_up_to(c->out[0], dtype, at, a->kernel > a->stride ? vload_up_to(c->out[0], dtype, at, n) + share : share, n);
  }
}

static inline void maximum_grad(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype) {
  const sumi__pool_attrs *a = c->node->attrs;
  const int64_t *d = c->node->inputs[0]->shape.dims, channels = d[3];
  const size_t picture = (size_t)(a->height * a->width * channels) * (dtype == SUMI_F32 ? 4 : 2);
  for (int64_t n = begin; n < end; n++) {
    memset((char *)c->out[0] + (size_t)n * picture, 0, picture);
    for (int64_t oh = 0; oh < d[1]; oh++)
      for (int64_t ow = 0; ow < d[2]; ow++)
        for (int64_t ch = 0; ch < channels; ch += V) {
          const int64_t first = ((n * a->height + oh * a->stride) * a->width + ow * a->stride) * channels + ch;
          to_highest(c, first, ((n * d[1] + oh) * d[2] + ow) * channels + ch, channels - ch, dtype);
        }
  }
}

void SUMI__ISA_NAME(sumi__cpu_avg_pool_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  SUMI__FOR_DTYPE(c, begin, end, c->node->outputs[0]->dtype, average);
}
void SUMI__ISA_NAME(sumi__cpu_max_pool_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  SUMI__FOR_DTYPE(c, begin, end, c->node->outputs[0]->dtype, maximum);
}
void SUMI__ISA_NAME(sumi__cpu_avg_pool_grad_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  SUMI__FOR_DTYPE(c, begin, end, c->node->outputs[0]->dtype, average_grad);
}
void SUMI__ISA_NAME(sumi__cpu_max_pool_grad_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  SUMI__FOR_DTYPE(c, begin, end, c->node->outputs[0]->dtype, maximum_grad);
}
