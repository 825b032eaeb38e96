/* What the loops of group normalisation share: units, types, the sigmoid, and from columns' statistics to factors. */
#ifndef SUMI_SRC_CPU_ISA_GROUP_NORM_PARTS_H
#define SUMI_SRC_CPU_ISA_GROUP_NORM_PARTS_H

#include "cpu/group_norm.h"

#include "cpu/isa/vmath.h"

enum { SIDE_BY_SIDE = 4 }; /* vectors of channels that are taken at once: two cache lines of bf16 */

/* One unit, with the memory that the worker has for it. */
typedef struct unit {
  const sumi__group_norm_task *t;
  int64_t picture, first, count; /* channels [first, first + count) */
  int64_t at;                    /* of (position 0, channel `first`) in x */
  int64_t row;                   /* floats from one work row to the next */
  float *work;
  float *du; /* for each position, `row` values */
} unit;

static inline unit unit_at(const sumi__group_norm_task *t, int64_t index, int worker) {
  const int64_t per_picture = (t->channels + t->unit_channels - 1) / t->unit_channels;
  unit u = {.t = t, .picture = index / per_picture, .first = index % per_picture * t->unit_channels};
  u.count = sumi__min_i64(t->unit_channels, t->channels - u.first);
  u.at = u.picture * t->positions * t->channels + u.first;
  u.row = (t->unit_channels + V - 1) / V * V;
  u.work = t->work + worker * t->work_floats;
  u.du = u.work + SUMI__GROUP_NORM_ROWS * u.row;
  return u;
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

/* From columns to groups: means of x + shift, and the reciprocal standard deviations. */
static inline void group_stats(const unit *u, float *mean, const float *squares) {
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
static inline void normalising(const unit *u, float *scale, float *offset) {
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

/* y at one position, for up to SIDE_BY_SIDE vectors of channels from element `at` on. */
ALWAYS_INLINE void normalise(const sumi__group_norm_task *t, sumi_dtype dtype, bool silu, int64_t at, const int vectors,
                             int64_t n, const vf *scale, const vf *offset) {
  vf y[SIDE_BY_SIDE];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) {
    y[v] = vload_up_to(t->x, dtype, at + v * V, n) * scale[v] + offset[v];
    if (silu) y[v] *= sigmoid(y[v], dtype == SUMI_BF16);
  }
  if (vectors == 1) vstore_up_to(t->y, dtype, at, y[0], n);
#pragma GCC unroll 2
  for (int v = 0; v + 1 < vectors; v += 2) vstore_two_as(t->y, dtype, at + v * V, y[v], y[v + 1]);
}

#endif
