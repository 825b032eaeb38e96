/* Winograd's transformations of vectors of channels, and of the types around them, for convolutions and the gradients
 * of their weights. The points are 0, +-a, +-b and infinity. With a = 5/8 and b = 3/2 the error of F(4x4) is less than
 * half of that with 1 and 2, and all constants are exact. */
#ifndef SUMI_SRC_CPU_ISA_WINOGRAD_TILES_H
#define SUMI_SRC_CPU_ISA_WINOGRAD_TILES_H

#include "cpu/isa/panel.h"
#include "cpu/winograd.h"

enum { SIDE = SUMI__WINOGRAD_MAX_SIDE };
#define PA 0.625f
#define PB 1.5f
#define PA2 (PA * PA)
#define PB2 (PB * PB)

/* ---- One dimension: element k is x[k * step] ---- */

/* What a tile's pixels are multiplied with. */
ALWAYS_INLINE void transform_pixels(vf *x, int step, int m) {
  const vf x0 = x[0], x1 = x[step], x2 = x[2 * step], x3 = x[3 * step];
  if (m == 2) {
    x[0] = x0 - x2;
    x[step] = x1 + x2;
    x[2 * step] = x2 - x1;
    x[3 * step] = x1 - x3;
    return;
  }
  const vf x4 = x[4 * step], x5 = x[5 * step];
  const vf even_a = x4 - PB2 * x2, odd_a = x3 - PB2 * x1, even_b = x4 - PA2 * x2, odd_b = x3 - PA2 * x1;
  x[0] = (PA2 * PB2) * x0 - (PA2 + PB2) * x2 + x4;
  x[step] = even_a + PA * odd_a;
  x[2 * step] = even_a - PA * odd_a;
  x[3 * step] = even_b + PB * odd_b;
  x[4 * step] = even_b - PB * odd_b;
  x[5 * step] = (PA2 * PB2) * x1 - (PA2 + PB2) * x3 + x5;
}

/* What the three taps of a filter become: m + 2 of them. */
ALWAYS_INLINE void transform_filter(vf *x, int step, int m) {
  const vf x0 = x[0], x1 = x[step], x2 = x[2 * step];
  if (m == 2) {
    x[step] = 0.5f * (x0 + x2 + x1);
    x[2 * step] = 0.5f * (x0 + x2 - x1);
    x[3 * step] = x2;
    return;
  }
  const float na = 1.0f / (2.0f * PA2 * (PA2 - PB2)), nb = 1.0f / (2.0f * PB2 * (PB2 - PA2));
  const vf even_a = na * (x0 + PA2 * x2), even_b = nb * (x0 + PB2 * x2);
  x[0] = (1.0f / (PA2 * PB2)) * x0;
  x[step] = even_a + (na * PA) * x1;
  x[2 * step] = even_a - (na * PA) * x1;
  x[3 * step] = even_b + (nb * PB) * x1;
  x[4 * step] = even_b - (nb * PB) * x1;
  x[5 * step] = x2;
}

/* The m results. */
ALWAYS_INLINE void transform_sums(vf *x, int step, int m) {
  const vf x0 = x[0], x1 = x[step], x2 = x[2 * step], x3 = x[3 * step];
  if (m == 2) {
    x[0] = x0 + x1 + x2;
    x[step] = x1 - x2 - x3;
    return;
  }
  const vf x4 = x[4 * step], x5 = x[5 * step];
  const vf even_a = x1 + x2, odd_a = x1 - x2, even_b = x3 + x4, odd_b = x3 - x4;
  x[0] = x0 + even_a + even_b;
  x[step] = PA * odd_a + PB * odd_b;
  x[2 * step] = PA2 * even_a + PB2 * even_b;
  x[3 * step] = (PA * PA2) * odd_a + (PB * PB2) * odd_b + x5;
}

/* ---- A picture that is read twice as large (cpu/winograd.h): three pixels, two results ---- */

ALWAYS_INLINE void transform_doubled_pixels(vf *x, int step) {
  x[0] -= x[step];
  x[2 * step] -= x[step];
}
ALWAYS_INLINE void transform_doubled_filter(vf *x, int step) { x[step] += x[0] + x[2 * step]; }
ALWAYS_INLINE void transform_doubled_sums(vf *x, int step) {
  x[0] += x[step];
  x[step] += x[2 * step];
}

/* ---- Transposed, for gradients ---- */

/* What m gradients of results are multiplied with: the transpose of transform_sums, in place. */
ALWAYS_INLINE void spread_results(vf *x, int step, int m) {
  const vf y0 = x[0], y1 = x[step];
  if (m == 2) {
    x[step] = y0 + y1;
    x[2 * step] = y0 - y1;
    x[3 * step] = -y1;
    return;
  }
  const vf y2 = x[2 * step], y3 = x[3 * step];
  const vf even_a = y0 + PA2 * y2, odd_a = PA * y1 + (PA * PA2) * y3;
  const vf even_b = y0 + PB2 * y2, odd_b = PB * y1 + (PB * PB2) * y3;
  x[step] = even_a + odd_a;
  x[2 * step] = even_a - odd_a;
  x[3 * step] = even_b + odd_b;
  x[4 * step] = even_b - odd_b;
  x[5 * step] = y3;
}

/* The three taps' gradients from m + 2 sums: the transpose of transform_filter, in place. */
ALWAYS_INLINE void gather_taps(vf *x, int step, int m) {
  const vf u0 = x[0], u1 = x[step], u2 = x[2 * step], u3 = x[3 * step];
  if (m == 2) {
    const vf even = 0.5f * (u1 + u2);
    x[0] = u0 + even;
    x[step] = 0.5f * (u1 - u2);
    x[2 * step] = even + u3;
    return;
  }
  const float na = 1.0f / (2.0f * PA2 * (PA2 - PB2)), nb = 1.0f / (2.0f * PB2 * (PB2 - PA2));
  const vf u4 = x[4 * step], u5 = x[5 * step];
  const vf even_a = na * (u1 + u2), odd_a = na * (u1 - u2), even_b = nb * (u3 + u4), odd_b = nb * (u3 - u4);
  x[0] = (1.0f / (PA2 * PB2)) * u0 + even_a + even_b;
  x[step] = PA * odd_a + PB * odd_b;
  x[2 * step] = PA2 * even_a + PB2 * even_b + u5;
}

/* ---- Types ---- */

/* Channels [c, c + V) of a row of `count`, zeros behind the last. */
ALWAYS_INLINE vf load_channels(const void *p, sumi_dtype dtype, int64_t at, int64_t c, int64_t count) {
  if (c + V <= count) return vload_as(p, dtype, at + c);
  return c < count ? vload_as_n(p, dtype, at + c, count - c) : vzero();
}

/* Two vectors of channels that follow one another as one of pairs. */
ALWAYS_INLINE vf join_pairs(vf low, vf high) {
#if defined(SUMI__SIMD_PAIRS)
  return (vf)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
#else
  (void)high;
  return low;
#endif
}

/* In each lane the pair of what the two have there. */
ALWAYS_INLINE vf mix_pairs(vf low, vf high) {
#if defined(SUMI__SIMD_PAIRS)
  const __m512i l = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)low));
  const __m512i h = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)high));
  return (vf)_mm512_or_si512(l, _mm512_slli_epi32(h, 16));
#else
  (void)high;
  return low;
#endif
}

#endif
