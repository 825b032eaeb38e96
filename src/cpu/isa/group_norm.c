/* Group normalisation over channels-last memory, a vector of channels at a time down the positions of a picture.
 * Mean and variance are found in two passes over pieces that fit the first-level cache, which are then joined by the
 * formula of Chan, Golub and LeVeque (1979): nothing cancels, however far the mean is from zero. */
#include "cpu/isa/group_norm_parts.h"

enum { PIECE = 64 }; /* positions that are summed at once */

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
