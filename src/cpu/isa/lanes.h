/* Rows of a parameter's file as vectors over rows, for the packing of cpu/lent.h. */
#ifndef SUMI_SRC_CPU_ISA_LANES_H
#define SUMI_SRC_CPU_ISA_LANES_H

#include "cpu/isa/tile.h"
#include "cpu/lent.h"

typedef float vf_bytes __attribute__((vector_size(4 * SUMI__SIMD_WIDTH), aligned(1), may_alias));
typedef uint16_t vh_bytes __attribute__((vector_size(2 * SUMI__SIMD_WIDTH), aligned(1), may_alias));

/* The first n values, at most V, zeros behind; at any address. */
static inline __attribute__((always_inline)) vf lanes_load(const void *p, const sumi_dtype from, int64_t n) {
  float some[SUMI__SIMD_WIDTH] = {0};
  if (n < V) p = memcpy(some, p, (size_t)n * (from == SUMI_F32 ? 4 : 2));
  if (from == SUMI_F32) return *(const vf_bytes *)p;
  const vh h = *(const vh_bytes *)p;
  return from == SUMI_BF16 ? vfrom_bf16(h) : vfrom_f16(h);
}

/* Values [at, at + n) of rows [row, row + V), n at most SUMI__LENT_VALUES: lanes[i] has value at + i of each row.
 * Beyond the last row and the last value there are zeros. */
static inline __attribute__((always_inline)) void lanes_read_as(const sumi__lent *l, int64_t row, int64_t at, int64_t n,
                                                                vf *lanes, const sumi_dtype from) {
  const int64_t all = l->channels * l->taps, bytes = from == SUMI_F32 ? 4 : 2;
  for (int64_t i = 0; i < n; i += V) {
    const int64_t there = sumi__min_i64(V, all - at - i), first = (row * all + at + i) * bytes;
    vf square[SUMI__SIMD_WIDTH];
    if (there == V && row + V <= l->rows)
      for (int r = 0; r < V; r++) square[r] = lanes_load(l->data + first + r * all * bytes, from, V);
    else
      for (int r = 0; r < V; r++)
        square[r] =
            there > 0 && row + r < l->rows ? lanes_load(l->data + first + r * all * bytes, from, there) : vzero();
    tile_transpose_vectors(square);
    for (int r = 0; r < V; r++) lanes[i + r] = square[r];
  }
}
static inline void lanes_read(const sumi__lent *l, int64_t row, int64_t at, int64_t n, vf *lanes) {
  if (l->from == SUMI_F32)
    lanes_read_as(l, row, at, n, lanes, SUMI_F32);
  else if (l->from == SUMI_BF16)
    lanes_read_as(l, row, at, n, lanes, SUMI_BF16);
  else
    lanes_read_as(l, row, at, n, lanes, SUMI_F16);
}

#endif
