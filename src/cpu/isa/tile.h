/* Small dense products on tiles that lie in the cache, and packing for them. */
#ifndef SUMI_SRC_CPU_ISA_TILE_H
#define SUMI_SRC_CPU_ISA_TILE_H

#include "cpu/isa/panel.h"

/* c (m, n) += a (m, k) b (k, n), or = where `fresh`. Element (i, l) of a is a[i * a_row + l * a_step], so that a may be
 * read transposed; rows of b and c are b_row and c_row floats apart. n is a multiple of V. With `pairs`, elements of a
 * and b are pairs of bf16 that are neighbours along the sum (isa/panel.h), where there is an instruction for them. */
typedef struct tile_product {
  const float *a, *b;
  float *c;
  int64_t m, n, k, a_row, a_step, b_row, c_row;
  bool fresh, pairs;
} tile_product;

/* `rows` by `vectors` results in registers. */
ALWAYS_INLINE void tile_registers(const tile_product *p, int64_t i, int64_t j, const int rows, const int vectors,
                                  const bool pairs) {
  vf sum[8][3];
  const float *a = p->a + i * p->a_row, *b = p->b + j;
  float *c = p->c + i * p->c_row + j;
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) sum[r][v] = p->fresh ? vzero() : vload(c + r * p->c_row + v * V);
  for (int64_t l = 0; l < p->k; l++) {
    vf right[3];
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) right[v] = vload(b + l * p->b_row + v * V);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      const vf left = panel_unit(a + r * p->a_row + l * p->a_step);
#pragma GCC unroll 3
      for (int v = 0; v < vectors; v++) sum[r][v] = panel_madd(sum[r][v], left, right[v], pairs);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) vstore(c + r * p->c_row + v * V, sum[r][v]);
}

ALWAYS_INLINE void tile_columns(const tile_product *p, int64_t i, const int rows, const bool pairs) {
  int64_t j = 0;
  for (; j + 3 * V <= p->n; j += 3 * V) tile_registers(p, i, j, rows, 3, pairs);
  if (p->n - j == 2 * V) tile_registers(p, i, j, rows, 2, pairs);
  if (p->n - j == V) tile_registers(p, i, j, rows, 1, pairs);
}

ALWAYS_INLINE void tile_rows(const tile_product *p, const bool pairs) {
  int64_t i = 0;
#if defined(SUMI__SIMD_AVX512)
  for (; i + 8 <= p->m; i += 8) tile_columns(p, i, 8, pairs);
#endif
  for (; i + 4 <= p->m; i += 4) tile_columns(p, i, 4, pairs);
  if (p->m - i >= 2) {
    tile_columns(p, i, 2, pairs);
    i += 2;
  }
  if (i < p->m) tile_columns(p, i, 1, pairs);
}

static inline void tile_multiply(const tile_product *p) {
#if defined(SUMI__SIMD_PAIRS)
  if (p->pairs) {
    tile_rows(p, true);
    return;
  }
#endif
  tile_rows(p, false);
}

/* rows x columns numbers from x (rows `stride` elements apart, beginning at element `at`) to rows of `padded` floats,
 * with zeros behind. */
static inline void tile_copy(float *to, int64_t padded, const void *x, sumi_dtype dtype, int64_t at, int64_t stride,
                             int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; r++) {
    int64_t i = 0;
    for (; i + V <= columns; i += V) vstore(to + r * padded + i, vload_as(x, dtype, at + r * stride + i));
    if (i < columns) vstore(to + r * padded + i, vload_as_n(x, dtype, at + r * stride + i, columns - i));
    for (i = (columns + V - 1) / V * V; i < padded; i++) to[r * padded + i] = 0.0f;
  }
}

/* Transposes V vectors, by V/2 interleavings in each of log2 V steps. */
static inline void tile_transpose_vectors(vf x[SUMI__SIMD_WIDTH]) {
  for (int step = 1; step < V; step *= 2) {
    vf y[SUMI__SIMD_WIDTH];
    for (int i = 0; i < V / 2; i++) {
      y[2 * i] = vzip_low(x[i], x[i + V / 2]);
      y[2 * i + 1] = vzip_high(x[i], x[i + V / 2]);
    }
    for (int i = 0; i < V; i++) x[i] = y[i];
  }
}

/* The same rows as columns: to[column * padded + row], zeros behind the last row. padded is a multiple of V. */
static inline void tile_copy_across(float *to, int64_t padded, const void *x, sumi_dtype dtype, int64_t at,
                                    int64_t stride, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < padded; r += V)
    for (int64_t i = 0; i < columns; i += V) {
      const int64_t n = sumi__min_i64(V, columns - i);
      vf square[SUMI__SIMD_WIDTH];
      for (int k = 0; k < V; k++)
        square[k] = r + k < rows ? vload_as_n(x, dtype, at + (r + k) * stride + i, n) : vzero();
      tile_transpose_vectors(square);
      for (int64_t k = 0; k < n; k++) vstore(to + (i + k) * padded + r, square[k]);
    }
}

#endif
