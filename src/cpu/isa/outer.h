/* Sums of outer products: a tile of the result in registers, while both operands stream by in packed panels. The
 * innermost loop of the gradients of weights. */
#ifndef SUMI_SRC_CPU_ISA_OUTER_H
#define SUMI_SRC_CPU_ISA_OUTER_H

#include "cpu/isa/panel.h"

enum { NV = 3 };
#if defined(SUMI__SIMD_AVX512)
enum { MR = 8 };
#else
enum { MR = 4 };
#endif

#if defined(SUMI__SIMD_PAIRS)
enum { PAIRS = 1 };
#else
enum { PAIRS = 0 };
#endif

/* c (MR, nv vectors) [+]= sum over steps of a[step] (MR) times b[step] (nv vectors). A pair of bf16 takes
 * the place of an f32. */

typedef struct outer_tile {
  float *c;
  int64_t stride, rows, columns;
  bool add;
} outer_tile;

ALWAYS_INLINE void store_tile(const outer_tile *t, vf sums[MR][NV], int nv) {
  for (int i = 0; i < MR; i++) {
    if (i >= t->rows) break;
    for (int v = 0; v < nv; v++) {
      float *c = t->c + i * t->stride + v * V;
      const int64_t n = t->columns - v * V;
      if (n >= V)
        vstore(c, t->add ? vload(c) + sums[i][v] : sums[i][v]);
      else
        vstore_n(c, t->add ? vload_n(c, n) + sums[i][v] : sums[i][v], n);
    }
  }
}

ALWAYS_INLINE void run_tile(const outer_tile *t, int64_t steps, const float *a, const float *b, bool pairs, int nv) {
  vf sums[MR][NV];
  for (int i = 0; i < MR; i++)
    for (int v = 0; v < nv; v++) sums[i][v] = vzero();
  for (int64_t k = 0; k < steps; k++, a += MR, b += nv * V) {
    vf columns[NV];
    for (int v = 0; v < nv; v++) columns[v] = vload(b + v * V);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
      const vf row = panel_unit(a + i);
      for (int v = 0; v < nv; v++) sums[i][v] = panel_madd(sums[i][v], row, columns[v], pairs);
    }
  }
  store_tile(t, sums, nv);
}

static void any_tile(const outer_tile *t, int64_t steps, const float *a, const float *b, bool pairs, int nv) {
  if (nv == 3)
    pairs ? run_tile(t, steps, a, b, true, 3) : run_tile(t, steps, a, b, false, 3);
  else if (nv == 2)
    pairs ? run_tile(t, steps, a, b, true, 2) : run_tile(t, steps, a, b, false, 2);
  else
    pairs ? run_tile(t, steps, a, b, true, 1) : run_tile(t, steps, a, b, false, 1);
}

#endif
