/* Layer normalisation, row by row: mean and variance in two passes over a row, which is in the first-level cache. */
#include "cpu/layer_norm.h"

#include "cpu/isa/vmath.h"

ALWAYS_INLINE vf load_or(const float *p, int64_t i, int64_t n, float otherwise) {
  return p ? vload_up_to(p, SUMI_F32, i, n) : vset(otherwise);
}

/* The lanes of the vector at element i that lie within a row. */
ALWAYS_INLINE int64_t lanes(const sumi__layer_norm_task *t, int64_t i) { return sumi__min_i64(V, t->width - i); }

typedef struct row_stats {
  float mean, rstd;
} row_stats;

enum { SIDE_BY_SIDE = 4 }; /* sums that do not wait for one another */

/* Lanes that are not in use are loaded as zeros, and kept out of the sum of squares. */
ALWAYS_INLINE row_stats stats_of(const sumi__layer_norm_task *t, sumi_dtype dtype, int64_t at) {
  const int64_t most = t->width / (SIDE_BY_SIDE * V) * (SIDE_BY_SIDE * V);
  vf sum[SIDE_BY_SIDE], squares[SIDE_BY_SIDE];
#pragma GCC unroll 4
  for (int k = 0; k < SIDE_BY_SIDE; k++) sum[k] = squares[k] = vzero();
  for (int64_t i = 0; i < most; i += SIDE_BY_SIDE * V)
#pragma GCC unroll 4
    for (int k = 0; k < SIDE_BY_SIDE; k++) sum[k] += vload_as(t->x, dtype, at + i + k * V);
  for (int64_t i = most; i < t->width; i += V) sum[0] += vload_up_to(t->x, dtype, at + i, lanes(t, i));
  const float mean = vsum((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)t->width;
  const vf centre = vset(mean);
  for (int64_t i = 0; i < most; i += SIDE_BY_SIDE * V)
#pragma GCC unroll 4
    for (int k = 0; k < SIDE_BY_SIDE; k++) {
      const vf d = vload_as(t->x, dtype, at + i + k * V) - centre;
      squares[k] += d * d;
    }
  for (int64_t i = most; i < t->width; i += V) {
    const int64_t n = lanes(t, i);
    const vf d = vload_up_to(t->x, dtype, at + i, n) - centre, used = n < V ? vfill(d, vzero(), n) : d;
    squares[0] += used * used;
  }
  const float around = vsum((squares[0] + squares[1]) + (squares[2] + squares[3]));
  return (row_stats){mean, 1.0f / sqrtf(around / (float)t->width + t->eps)};
}

/* y = x rstd gamma + (beta - mean rstd gamma) would be shorter, and lose digits where the mean is far from zero. */
ALWAYS_INLINE vf normalised(const sumi__layer_norm_task *t, sumi_dtype dtype, bool affine, int64_t at, int64_t i,
                            int64_t n, row_stats s) {
  const vf h = (vload_up_to(t->x, dtype, at + i, n) - vset(s.mean)) * vset(s.rstd);
  return affine ? h * vload_up_to(t->gamma, SUMI_F32, i, n) + vload_up_to(t->beta, SUMI_F32, i, n) : h;
}

ALWAYS_INLINE void forward_rows(const sumi__layer_norm_task *t, sumi_dtype dtype, bool affine, int64_t begin,
                                int64_t end) {
  const int64_t pairs = t->width / (2 * V) * (2 * V);
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = row * t->width;
    const row_stats s = stats_of(t, dtype, at);
    for (int64_t i = 0; i < pairs; i += 2 * V)
      vstore_two_as(t->y, dtype, at + i, normalised(t, dtype, affine, at, i, V, s),
                    normalised(t, dtype, affine, at, i + V, V, s));
    for (int64_t i = pairs; i < t->width; i += V)
      vstore_up_to(t->y, dtype, at + i, normalised(t, dtype, affine, at, i, lanes(t, i), s), lanes(t, i));
  }
}

ALWAYS_INLINE void forward_as(const sumi__layer_norm_task *t, sumi_dtype dtype, int64_t begin, int64_t end) {
  if (t->gamma)
    forward_rows(t, dtype, true, begin, end);
  else
    forward_rows(t, dtype, false, begin, end);
}

void SUMI__ISA_NAME(sumi__cpu_layer_norm_rows)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__layer_norm_task *t = task;
  (void)worker;
  switch (t->dtype) {
  case SUMI_F32: forward_as(t, SUMI_F32, begin, end); break;
  case SUMI_BF16: forward_as(t, SUMI_BF16, begin, end); break;
  default: forward_as(t, SUMI_F16, begin, end); break;
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
      const vf h = (vload_up_to(t->x, dtype, at + i, n) - mean) * rstd, dy = vload_up_to(t->dy, dtype, at + i, n);
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
      vstore_up_to(t->dx, dtype, at + i, ((vload(dhs + i) - share) - vload(hs + i) * share_h) * rstd, lanes(t, i));
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
