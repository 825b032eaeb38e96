/* Products of rows with packed panels, the innermost loop of Winograd's convolutions and of attention.
 *
 * Everything is counted in units of 32 bits: an f32, or two bf16 that are neighbours along the sum, which VDPBF16PS
 * multiplies and adds at once. A panel is up to PANEL_VECTORS vectors of columns: for each step of the sum, one unit of
 * each column. So one loop does both types. */
#ifndef SUMI_SRC_CPU_ISA_PANEL_H
#define SUMI_SRC_CPU_ISA_PANEL_H

#include "cpu/isa/simd.h"

enum { PANEL_VECTORS = 3, PANEL_COLUMNS = PANEL_VECTORS * V };
#if defined(SUMI__SIMD_AVX512)
enum { PANEL_ROWS = 8 }; /* 24 sums of 32 registers */
#else
enum { PANEL_ROWS = 4 };
#endif

#if defined(__AVX512BF16__)
#define SUMI__SIMD_PAIRS 1 /* there is an instruction for products of pairs */
#endif

/* c (PANEL_ROWS, vectors * V) f32 = a b, plus what is there unless `fresh`. Rows of a are a_row units apart, rows of c
 * c_row floats. b is a panel: `steps` times `vectors` vectors. */
typedef struct panel_product {
  const float *a, *b;
  float *c;
  int64_t a_row, c_row, steps;
  bool fresh;
} panel_product;

ALWAYS_INLINE vf panel_madd(vf sum, vf a, vf b, bool pairs) {
#if defined(SUMI__SIMD_PAIRS)
  if (pairs) return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  (void)pairs;
#endif
  return sum + a * b;
}

/* One unit in all lanes, whatever it is: a pair of bf16 must not meet arithmetic. */
ALWAYS_INLINE vf panel_unit(const float *p) {
#if defined(SUMI__SIMD_AVX512)
  return (vf)_mm512_set1_ps(*p);
#elif defined(SUMI__SIMD_AVX2)
  return (vf)_mm256_set1_ps(*p);
#else
  return vset(*p);
#endif
}

/* Every loop over registers is unrolled where it stands: else the compiler keeps the sums in memory before and after
 * the loop over steps. */
ALWAYS_INLINE void panel_registers(const panel_product *p, const int vectors, const bool pairs, const bool fresh) {
  vf sum[PANEL_ROWS][PANEL_VECTORS], right[PANEL_VECTORS];
  const float *a = p->a, *b = p->b;
#pragma GCC unroll 8
  for (int r = 0; r < PANEL_ROWS; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) sum[r][v] = fresh ? vzero() : vload(p->c + r * p->c_row + v * V);
  for (int64_t s = 0; s < p->steps; s++, a++, b += vectors * V) {
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) right[v] = vload(b + v * V);
#pragma GCC unroll 8
    for (int r = 0; r < PANEL_ROWS; r++) {
      const vf left = panel_unit(a + r * p->a_row);
#pragma GCC unroll 3
      for (int v = 0; v < vectors; v++) sum[r][v] = panel_madd(sum[r][v], left, right[v], pairs);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < PANEL_ROWS; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) vstore(p->c + r * p->c_row + v * V, sum[r][v]);
}

/* With as many vectors as the panel has. */
ALWAYS_INLINE void panel_multiply_as(const panel_product *p, int vectors, const bool pairs, const bool fresh) {
  if (vectors == 3)
    panel_registers(p, 3, pairs, fresh);
  else if (vectors == 2)
    panel_registers(p, 2, pairs, fresh);
  else
    panel_registers(p, 1, pairs, fresh);
}
static inline void panel_multiply(const panel_product *p, int vectors, bool pairs) {
#if defined(SUMI__SIMD_PAIRS)
  if (pairs && p->fresh) panel_multiply_as(p, vectors, true, true);
  if (pairs && !p->fresh) panel_multiply_as(p, vectors, true, false);
  if (pairs) return;
#else
  (void)pairs;
#endif
  if (p->fresh)
    panel_multiply_as(p, vectors, false, true);
  else
    panel_multiply_as(p, vectors, false, false);
}

#if defined(SUMI__SIMD_PAIRS)
/* Pairs, where the last vector of the panel has eight columns alone, and the panel so much less. Rows of c have room
 * for a whole vector. */
ALWAYS_INLINE void panel_half_registers(const panel_product *p, const int whole) {
  vf sum[PANEL_ROWS][PANEL_VECTORS];
  __m256 rest[PANEL_ROWS];
  const float *a = p->a, *b = p->b;
#pragma GCC unroll 8
  for (int r = 0; r < PANEL_ROWS; r++) {
#pragma GCC unroll 2
    for (int v = 0; v < whole; v++) sum[r][v] = vload(p->c + r * p->c_row + v * V);
    rest[r] = _mm256_loadu_ps(p->c + r * p->c_row + whole * V);
  }
  for (int64_t s = 0; s < p->steps; s++, a++, b += whole * V + 8) {
    vf right[PANEL_VECTORS];
    const __m256bh half = (__m256bh)_mm256_loadu_ps(b + whole * V);
#pragma GCC unroll 2
    for (int v = 0; v < whole; v++) right[v] = vload(b + v * V);
#pragma GCC unroll 8
    for (int r = 0; r < PANEL_ROWS; r++) {
      const vf left = panel_unit(a + r * p->a_row);
#pragma GCC unroll 2
      for (int v = 0; v < whole; v++) sum[r][v] = panel_madd(sum[r][v], left, right[v], true);
      rest[r] = _mm256_dpbf16_ps(rest[r], (__m256bh)_mm512_castps512_ps256((__m512)left), half);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < PANEL_ROWS; r++) {
#pragma GCC unroll 2
    for (int v = 0; v < whole; v++) vstore(p->c + r * p->c_row + v * V, sum[r][v]);
    _mm256_storeu_ps(p->c + r * p->c_row + whole * V, rest[r]);
  }
}
static inline void panel_multiply_half(const panel_product *p, int vectors) {
  if (vectors == 3)
    panel_half_registers(p, 2);
  else if (vectors == 2)
    panel_half_registers(p, 1);
  else
    panel_half_registers(p, 0);
}
#endif

/* Vectors of the panel that begins at `column` of `columns`. */
static inline int panel_vectors(int64_t columns, int64_t column) {
  const int64_t vectors = (columns - column + V - 1) / V;
  return (int)sumi__min_i64(vectors, PANEL_VECTORS);
}

#endif
