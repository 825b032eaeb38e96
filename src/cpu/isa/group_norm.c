/* Group normalisation over channels-last memory, a vector of channels at a time down the positions of a picture.
 * Mean and variance are found in two passes over pieces that fit the first-level cache, which are then joined by the
 * formula of Chan, Golub and LeVeque (1979): nothing cancels, however far the mean is from zero. */
#include "cpu/group_norm.h"

#include "cpu/isa/vmath.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { PIECE = 64 }; /* positions that are summed at once */

/* One unit, with the memory that the worker has for it. */
typedef struct unit {
  const sumi__group_norm_task *t;
  int64_t picture, first, count; /* channels [first, first + count) */
  int64_t at;                    /* of (position 0, channel `first`) in x */
  int64_t row;                   /* floats from one work row to the next */
  float *work;
  float *du; /* for each position, `row` values */
} unit;

static unit unit_at(const sumi__group_norm_task *t, int64_t index, int worker) {
  const int64_t per_picture = (t->channels + t->unit_channels - 1) / t->unit_channels;
  unit u = {.t = t, .picture = index / per_picture, .first = index % per_picture * t->unit_channels};
  u.count = sumi__min_i64(t->unit_channels, t->channels - u.first);
  u.at = u.picture * t->positions * t->channels + u.first;
  u.row = (t->unit_channels + V - 1) / V * V;
  u.work = t->work + worker * t->work_floats;
  u.du = u.work + SUMI__GROUP_NORM_ROWS * u.row;
  return u;
}

ALWAYS_INLINE vf load(const void *p, sumi_dtype dtype, int64_t i, int64_t n) {
  return n == V ? vload_as(p, dtype, i) : vload_as_n(p, dtype, i, n);
}
ALWAYS_INLINE void store(void *p, sumi_dtype dtype, int64_t i, vf x, int64_t n) {
#if defined(__AVX512BF16__)
  if (dtype == SUMI_BF16) { /* as vto_bf16, but that subnormal numbers become zero */
    _mm256_mask_storeu_epi16((uint16_t *)p + i, vfirst(n), (__m256i)_mm512_cvtneps_pbh((__m512)x));
    return;
  }
#endif
  if (n == V)
    vstore_as(p, dtype, i, x);
  else
    vstore_as_n(p, dtype, i, x, n);
}
ALWAYS_INLINE vf load_channels(const float *p, int64_t i, int64_t n, float otherwise) {
  return p ? (n == V ? vload(p + i) : vload_n(p + i, n)) : vset(otherwise);
}

/* 1 / (1 + e^-x), within 2e-7 of the result, or 2e-4 where `rough` (of a bf16 result that is a twentieth of its last
 * place): 2^f on [-1/2, 1/2] by a minimax polynomial, and the reciprocal by Newton's method. */
ALWAYS_INLINE vf sigmoid(vf x, bool rough) {
#if defined(SUMI__SIMD_AVX512)
  const vf t = vmin(x * -1.44269504f, vset(126.0f));
  const vf n = (vf)_mm512_roundscale_ps((__m512)t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = t - n;
  const vf p =
      rough ? 0.999928057f + f * (0.693260968f + f * (0.24261114f + f * 0.0551716685f))
            : 1.00000012f + f * (0.693146944f +
                                 f * (0.240221202f + f * (0.0555071309f + f * (0.00967554189f + f * 0.00132764725f))));
  const vf d = 1.0f + (vf)_mm512_scalef_ps((__m512)p, (__m512)n), r = (vf)_mm512_rcp14_ps((__m512)d);
  return rough ? r : r * (2.0f - d * r);
#else
  (void)rough;
  return vsigmoid(x);
#endif
}

/* ---- Statistics ---- */

ALWAYS_INLINE vf piece_sum(const void *x, sumi_dtype dtype, int64_t at, int64_t stride, int64_t rows, int64_t n) {
  vf a = vzero(), b = vzero(), c = vzero(), d = vzero();
  int64_t p = 0;
  for (; p + 4 <= rows; p += 4, at += 4 * stride) {
    a += load(x, dtype, at, n);
    b += load(x, dtype, at + stride, n);
    c += load(x, dtype, at + 2 * stride, n);
    d += load(x, dtype, at + 3 * stride, n);
  }
  for (; p < rows; p++, at += stride) a += load(x, dtype, at, n);
  return (a + b) + (c + d);
}

ALWAYS_INLINE vf piece_squares(const void *x, sumi_dtype dtype, int64_t at, int64_t stride, int64_t rows, vf mean,
                               int64_t n) {
  vf a = vzero(), b = vzero(), c = vzero(), d = vzero();
  int64_t p = 0;
  for (; p + 4 <= rows; p += 4, at += 4 * stride) {
    const vf e = load(x, dtype, at, n) - mean, f = load(x, dtype, at + stride, n) - mean;
    const vf g = load(x, dtype, at + 2 * stride, n) - mean, h = load(x, dtype, at + 3 * stride, n) - mean;
    a += e * e;
    b += f * f;
    c += g * g;
    d += h * h;
  }
  for (; p < rows; p++, at += stride) {
    const vf e = load(x, dtype, at, n) - mean;
    a += e * e;
  }
  return (a + b) + (c + d);
}

/* Mean of x and sum of squared distances from it, for n channels. */
ALWAYS_INLINE void column_stats(const unit *u, sumi_dtype dtype, int64_t c, int64_t n, float *mean_out,
                                float *squares_out) {
  const int64_t stride = u->t->channels;
  vf mean = vzero(), squares = vzero();
  for (int64_t p = 0; p < u->t->positions; p += PIECE) {
    const int64_t rows = sumi__min_i64(PIECE, u->t->positions - p), at = u->at + p * stride + c;
    const vf m = piece_sum(u->t->x, dtype, at, stride, rows, n) * (1.0f / (float)rows);
    const vf q = piece_squares(u->t->x, dtype, at, stride, rows, m, n);
    const float part = (float)rows / (float)(p + rows);
    const vf delta = m - mean;
    mean += delta * part;
    squares += q + delta * delta * ((float)p * part);
  }
  vstore(mean_out + c, mean);
  vstore(squares_out + c, squares);
}

/* From columns to groups: means of x + shift, and the reciprocal standard deviations. */
static void group_stats(const unit *u, float *mean, const float *squares) {
  const sumi__group_norm_task *t = u->t;
  const int64_t width = t->channels / t->attrs.groups;
  float *stats = t->stats + (u->picture * t->attrs.groups + u->first / width) * 2;
  const float *shift = t->shift ? t->shift + u->picture * t->channels + u->first : NULL;
  const float positions = (float)t->positions;
  for (int64_t c = 0; c < u->count; c += width, stats += 2) {
    float sum = 0.0f, around = 0.0f;
    for (int64_t i = c; i < c + width; i++) {
      if (shift) mean[i] += shift[i];
      sum += mean[i];
    }
    const float centre = sum / (float)width;
    for (int64_t i = c; i < c + width; i++) {
      const float d = mean[i] - centre;
      around += squares[i] + positions * d * d;
    }
    stats[0] = centre;
    stats[1] = 1.0f / sqrtf(around / (positions * (float)width) + t->attrs.eps);
  }
}

/* For each channel h = scale x + offset: the normalised value. */
static void normalising(const unit *u, float *scale, float *offset) {
  const sumi__group_norm_task *t = u->t;
  const int64_t width = t->channels / t->attrs.groups;
  const float *stats = t->stats + (u->picture * t->attrs.groups + u->first / width) * 2;
  const float *shift = t->shift ? t->shift + u->picture * t->channels + u->first : NULL;
  for (int64_t c = 0; c < u->count; c += width, stats += 2)
    for (int64_t i = c; i < c + width; i++) {
      scale[i] = stats[1];
      offset[i] = ((shift ? shift[i] : 0.0f) - stats[0]) * stats[1];
    }
}

/* ---- Forward ---- */

ALWAYS_INLINE void column_apply(const unit *u, sumi_dtype dtype, bool silu, int64_t c, int64_t n, const float *scales,
                                const float *offsets) {
  const int64_t stride = u->t->channels;
  const vf gamma = load_channels(u->t->gamma, u->first + c, n, 1.0f);
  const vf scale = vload(scales + c) * gamma;
  const vf offset = vload(offsets + c) * gamma + load_channels(u->t->beta, u->first + c, n, 0.0f);
  int64_t at = u->at + c;
  for (int64_t p = 0; p < u->t->positions; p++, at += stride) {
    const vf y = load(u->t->x, dtype, at, n) * scale + offset;
    store(u->t->y, dtype, at, silu ? y * sigmoid(y, dtype == SUMI_BF16) : y, n);
  }
}

ALWAYS_INLINE void forward_unit(const unit *u, sumi_dtype dtype, bool silu) {
  float *mean = u->work, *squares = u->work + u->row, *scale = squares + u->row, *offset = scale + u->row;
  int64_t c = 0;
  for (; c + V <= u->count; c += V) column_stats(u, dtype, c, V, mean, squares);
  if (c < u->count) column_stats(u, dtype, c, u->count - c, mean, squares);
  group_stats(u, mean, squares);
  normalising(u, scale, offset);
  for (c = 0; c + V <= u->count; c += V) column_apply(u, dtype, silu, c, V, scale, offset);
  if (c < u->count) column_apply(u, dtype, silu, c, u->count - c, scale, offset);
}

void SUMI__ISA_NAME(sumi__cpu_group_norm_units)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__group_norm_task *t = task;
  for (int64_t i = begin; i < end; i++) {
    const unit u = unit_at(t, i, worker);
    switch (t->dtype) {
    case SUMI_F32: t->attrs.silu ? forward_unit(&u, SUMI_F32, true) : forward_unit(&u, SUMI_F32, false); break;
    case SUMI_BF16: t->attrs.silu ? forward_unit(&u, SUMI_BF16, true) : forward_unit(&u, SUMI_BF16, false); break;
    default: forward_unit(&u, SUMI_F16, t->attrs.silu); break;
    }
  }
}

/* ---- Backward. With h the normalised value, v = h gamma + beta and y = v or SiLU(v): du = dy dy/dv. ---- */

/* Keeps du for the second pass, and sums du and du h over the positions. */
ALWAYS_INLINE void column_sums(const unit *u, sumi_dtype dtype, bool silu, int64_t c, int64_t n, const float *scales,
                               const float *offsets, float *sum_out, float *sum_h_out) {
  const int64_t stride = u->t->channels;
  const vf scale = vload(scales + c), offset = vload(offsets + c);
  const vf gamma = load_channels(u->t->gamma, u->first + c, n, 1.0f);
  const vf beta = load_channels(u->t->beta, u->first + c, n, 0.0f);
  vf sum = vzero(), sum_h = vzero();
  for (int64_t p = 0; p < u->t->positions; p += PIECE) {
    const int64_t rows = sumi__min_i64(PIECE, u->t->positions - p);
    vf piece = vzero(), piece_h = vzero();
    for (int64_t k = p; k < p + rows; k++) {
      const int64_t at = u->at + k * stride + c;
      const vf h = load(u->t->x, dtype, at, n) * scale + offset;
      vf du = load(u->t->dy, dtype, at, n);
      if (silu) {
        const vf v = h * gamma + beta, s = sigmoid(v, dtype == SUMI_BF16), w = v * s;
        du *= (s + w) - w * s;
      }
      vstore(u->du + k * u->row + c, du);
      piece += du;
      piece_h += du * h;
    }
    sum += piece;
    sum_h += piece_h;
  }
  vstore(sum_out + c, sum);
  vstore(sum_h_out + c, sum_h);
}

/* Hands out each picture's share of the parameters' gradients; then the means of dh = du gamma and of dh h over each
 * group, to all of its channels. */
static void group_sums(const unit *u, float *sum, float *sum_h) {
  const sumi__group_norm_task *t = u->t;
  const int64_t width = t->channels / t->attrs.groups;
  const float share = 1.0f / (float)(t->positions * width);
  const int64_t at = u->picture * t->channels + u->first;
  if (t->dgamma_of) {
    memcpy(t->dbeta_of + at, sum, (size_t)u->count * sizeof *sum);
    memcpy(t->dgamma_of + at, sum_h, (size_t)u->count * sizeof *sum_h);
  }
  for (int64_t c = 0; c < u->count; c += width) {
    float mean = 0.0f, mean_h = 0.0f;
    for (int64_t i = c; i < c + width; i++) {
      const float gamma = t->gamma ? t->gamma[u->first + i] : 1.0f;
      mean += sum[i] * gamma;
      mean_h += sum_h[i] * gamma;
    }
    for (int64_t i = c; i < c + width; i++) {
      sum[i] = mean * share;
      sum_h[i] = mean_h * share;
    }
  }
}

/* dx = rstd (dh - mean - h mean_h) = du (rstd gamma) - x (rstd mean_h scale) - rstd (mean + mean_h offset), where
 * `scale` is rstd itself. */
ALWAYS_INLINE void column_dx(const unit *u, sumi_dtype dtype, int64_t c, int64_t n, const float *scales,
                             const float *offsets, const float *means, const float *means_h) {
  const int64_t stride = u->t->channels;
  const vf rstd = vload(scales + c), offset = vload(offsets + c), mean_h = vload(means_h + c);
  const vf gain = rstd * load_channels(u->t->gamma, u->first + c, n, 1.0f);
  const vf mean = rstd * vload(means + c), slope = rstd * mean_h;
  vf total = vzero();
  for (int64_t p = 0; p < u->t->positions; p += PIECE) {
    const int64_t rows = sumi__min_i64(PIECE, u->t->positions - p);
    vf piece = vzero();
    for (int64_t k = p; k < p + rows; k++) {
      const int64_t at = u->at + k * stride + c;
      const vf h = load(u->t->x, dtype, at, n) * rstd + offset;
      const vf dx = (vload(u->du + k * u->row + c) * gain - mean) - h * slope;
      store(u->t->dx, dtype, at, dx, n);
      piece += dx;
    }
    total += piece;
  }
  if (u->t->dshift) store(u->t->dshift, SUMI_F32, u->picture * stride + u->first + c, total, n);
}

ALWAYS_INLINE void backward_unit(const unit *u, sumi_dtype dtype, bool silu) {
  float *scale = u->work, *offset = scale + u->row, *sum = offset + u->row, *sum_h = sum + u->row;
  int64_t c = 0;
  normalising(u, scale, offset);
  for (; c + V <= u->count; c += V) column_sums(u, dtype, silu, c, V, scale, offset, sum, sum_h);
  if (c < u->count) column_sums(u, dtype, silu, c, u->count - c, scale, offset, sum, sum_h);
  group_sums(u, sum, sum_h);
  for (c = 0; c + V <= u->count; c += V) column_dx(u, dtype, c, V, scale, offset, sum, sum_h);
  if (c < u->count) column_dx(u, dtype, c, u->count - c, scale, offset, sum, sum_h);
}

void SUMI__ISA_NAME(sumi__cpu_group_norm_grad_units)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__group_norm_task *t = task;
  for (int64_t i = begin; i < end; i++) {
    const unit u = unit_at(t, i, worker);
    switch (t->dtype) {
    case SUMI_F32: t->attrs.silu ? backward_unit(&u, SUMI_F32, true) : backward_unit(&u, SUMI_F32, false); break;
    case SUMI_BF16: t->attrs.silu ? backward_unit(&u, SUMI_BF16, true) : backward_unit(&u, SUMI_BF16, false); break;
    default: backward_unit(&u, SUMI_F16, t->attrs.silu); break;
    }
  }
}
