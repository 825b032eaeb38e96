/* Layer normalisation, row by row: mean and variance in two passes over a row, which is in the first-level cache. */
#include "cpu/layer_norm.h"

#include "cpu/isa/vmath.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE vf load(const void *p, sumi_dtype dtype, int64_t i, int64_t n) {
  return n == V ? vload_as(p, dtype, i) : vload_as_n(p, dtype, i, n);
}
ALWAYS_INLINE void store(void *p, sumi_dtype dtype, int64_t i, vf x, int64_t n) {
  if (n == V)
    vstore_as(p, dtype, i, x);
  else
    vstore_as_n(p, dtype, i, x, n);
}
ALWAYS_INLINE vf load_or(const float *p, int64_t i, int64_t n, float otherwise) {
  return p ? load(p, SUMI_F32, i, n) : vset(otherwise);
}

/* The lanes of the vector at element i that lie within a row. */
ALWAYS_INLINE int64_t lanes(const sumi__layer_norm_task *t, int64_t i) { return sumi__min_i64(V, t->width - i); }

typedef struct row_stats {
  float mean, rstd;
} row_stats;

/* Lanes that are not in use are loaded as zeros, and kept out of the sum of squares. */
ALWAYS_INLINE row_stats stats_of(const sumi__layer_norm_task *t, sumi_dtype dtype, int64_t at) {
  vf sum = vzero(), squares = vzero();
  for (int64_t i = 0; i < t->width; i += V) sum += load(t->x, dtype, at + i, lanes(t, i));
  const float mean = vsum(sum) / (float)t->width;
  const vf centre = vset(mean);
  for (int64_t i = 0; i < t->width; i += V) {
    const int64_t n = lanes(t, i);
    vf d = load(t->x, dtype, at + i, n) - centre;
    if (n < V) {
      float used[V];
      vstore(used, d);
      d = vload_n(used, n);
    }
    squares += d * d;
  }
  return (row_stats){mean, 1.0f / sqrtf(vsum(squares) / (float)t->width + t->eps)};
}

ALWAYS_INLINE void forward_rows(const sumi__layer_norm_task *t, sumi_dtype dtype, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = row * t->width;
    const row_stats s = stats_of(t, dtype, at);
    const vf mean = vset(s.mean), rstd = vset(s.rstd);
    for (int64_t i = 0; i < t->width; i += V) {
      const int64_t n = lanes(t, i);
      const vf h = (load(t->x, dtype, at + i, n) - mean) * rstd;
      store(t->y, dtype, at + i, h * load_or(t->gamma, i, n, 1.0f) + load_or(t->beta, i, n, 0.0f), n);
    }
  }
}

void SUMI__ISA_NAME(sumi__cpu_layer_norm_rows)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__layer_norm_task *t = task;
  (void)worker;
  switch (t->dtype) {
  case SUMI_F32: forward_rows(t, SUMI_F32, begin, end); break;
  case SUMI_BF16: forward_rows(t, SUMI_BF16, begin, end); break;
  default: forward_rows(t, SUMI_F16, begin, end); break;
  }
}

/* dx = rstd (dh - mean of dh - h * mean of dh h), with h the normalised value and dh = dy gamma. */
ALWAYS_INLINE void backward_rows(const sumi__layer_norm_task *t, sumi_dtype dtype, int64_t begin, int64_t end,
                                 int worker) {
  float *hs = t->work + worker * SUMI__LAYER_NORM_WORK * t->padded_width, *dhs = hs + t->padded_width;
  float *dgamma = dhs + t->padded_width, *dbeta = dgamma + t->padded_width;
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = row * t->width;
    const row_stats s = stats_of(t, dtype, at);
    const vf mean = vset(s.mean), rstd = vset(s.rstd);
    vf sum = vzero(), sum_h = vzero();
    for (int64_t i = 0; i < t->width; i += V) {
      const int64_t n = lanes(t, i);
      const vf h = (load(t->x, dtype, at + i, n) - mean) * rstd, dy = load(t->dy, dtype, at + i, n);
      const vf dh = dy * load_or(t->gamma, i, n, 1.0f); /* zero in lanes that are not in use */
      vstore(hs + i, h);
      vstore(dhs + i, dh);
      sum += dh;
      sum_h += dh * h;
      vstore(dgamma + i, vload(dgamma + i) + dy * h);
      vstore(dbeta + i, vload(dbeta + i) + dy);
    }
    const vf share = vset(vsum(sum) / (float)t->width), share_h = vset(vsum(sum_h) / (float)t->width);
    for (int64_t i = 0; i < t->width; i += V)
      store(t->dx, dtype, at + i, ((vload(dhs + i) - share) - vload(hs + i) * share_h) * rstd, lanes(t, i));
  }
}

void SUMI__ISA_NAME(sumi__cpu_layer_norm_grad_rows)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__layer_norm_task *t = task;
  switch (t->dtype) {
  case SUMI_F32: backward_rows(t, SUMI_F32, begin, end, worker); break;
  case SUMI_BF16: backward_rows(t, SUMI_BF16, begin, end, worker); break;
  default: backward_rows(t, SUMI_F16, begin, end, worker); break;
  }
}
