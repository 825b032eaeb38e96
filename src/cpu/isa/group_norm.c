/* Group normalisation over channels-last memory, a vector of channels at a time down the positions of a picture.
 * Mean and variance are found in two passes over pieces that fit the first-level cache, which are then joined by the
 * formula of Chan, Golub and LeVeque (1979): nothing cancels, however far the mean is from zero. */
#include "cpu/isa/group_norm_parts.h"

enum { PIECE = 64 }; /* positions that are summed at once */

/* ---- Statistics ---- */

/* Means of x and sums of squared distances from them, for `vectors` vectors of channels from c on; each has n of them,
 * which are fewer than V only if it is alone. */
ALWAYS_INLINE void column_stats(const unit *u, sumi_dtype dtype, int64_t c, const int vectors, int64_t n,
                                float *mean_out, float *squares_out) {
  const int64_t stride = u->t->channels;
  vf mean[SIDE_BY_SIDE], squares[SIDE_BY_SIDE], m[SIDE_BY_SIDE], q[SIDE_BY_SIDE];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) mean[v] = squares[v] = vzero();
  for (int64_t p = 0; p < u->t->positions; p += PIECE) {
    const int64_t rows = sumi__min_i64(PIECE, u->t->positions - p), first = u->at + p * stride + c;
    const float part = (float)rows / (float)(p + rows);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) m[v] = q[v] = vzero();
    for (int64_t r = 0, at = first; r < rows; r++, at += stride)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) m[v] += vload_up_to(u->t->x, dtype, at + v * V, n);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) m[v] *= 1.0f / (float)rows;
    for (int64_t r = 0, at = first; r < rows; r++, at += stride)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) {
        const vf d = vload_up_to(u->t->x, dtype, at + v * V, n) - m[v];
        q[v] += d * d;
      }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      const vf delta = m[v] - mean[v];
      mean[v] += delta * part;
      squares[v] += q[v] + delta * delta * ((float)p * part);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) {
    vstore(mean_out + c + v * V, mean[v]);
    vstore(squares_out + c + v * V, squares[v]);
  }
}

/* ---- Forward ---- */

ALWAYS_INLINE void column_apply(const unit *u, sumi_dtype dtype, bool silu, int64_t c, const int vectors, int64_t n,
                                const float *scales, const float *offsets) {
  const int64_t stride = u->t->channels;
  vf scale[SIDE_BY_SIDE], offset[SIDE_BY_SIDE];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) {
    const int64_t k = c + v * V;
    const vf gamma = load_channels(u->t->gamma, u->first + k, n, 1.0f);
    scale[v] = vload(scales + k) * gamma;
    offset[v] = vload(offsets + k) * gamma + load_channels(u->t->beta, u->first + k, n, 0.0f);
  }
  for (int64_t p = 0, at = u->at + c; p < u->t->positions; p++, at += stride)
    normalise(u->t, dtype, silu, at, vectors, n, scale, offset);
}

ALWAYS_INLINE void forward_unit(const unit *u, sumi_dtype dtype, bool silu) {
  float *mean = u->work, *squares = u->work + u->row, *scale = squares + u->row, *offset = scale + u->row;
  const int64_t most = u->count / (SIDE_BY_SIDE * V) * (SIDE_BY_SIDE * V);
  for (int64_t c = 0; c < most; c += SIDE_BY_SIDE * V) column_stats(u, dtype, c, SIDE_BY_SIDE, V, mean, squares);
  for (int64_t c = most; c < u->count; c += V)
    column_stats(u, dtype, c, 1, sumi__min_i64(V, u->count - c), mean, squares);
  group_stats(u, mean, squares);
  normalising(u, scale, offset);
  for (int64_t c = 0; c < most; c += SIDE_BY_SIDE * V) column_apply(u, dtype, silu, c, SIDE_BY_SIDE, V, scale, offset);
  for (int64_t c = most; c < u->count; c += V)
    column_apply(u, dtype, silu, c, 1, sumi__min_i64(V, u->count - c), scale, offset);
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
      const vf h = vload_up_to(u->t->x, dtype, at, n) * scale + offset;
      vf du = vload_up_to(u->t->dy, dtype, at, n);
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
      const vf h = vload_up_to(u->t->x, dtype, at, n) * rstd + offset;
      const vf dx = (vload(u->du + k * u->row + c) * gain - mean) - h * slope;
      vstore_up_to(u->t->dx, dtype, at, dx, n);
      piece += dx;
    }
    total += piece;
  }
  if (u->t->dshift) vstore_up_to(u->t->dshift, SUMI_F32, u->picture * stride + u->first + c, total, n);
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
