/* The loops of cpu/taps.h. */
#include "cpu/taps.h"

#include "cpu/isa/simd.h"

enum { NV = SUMI__TAPS_VECTORS, ROWS = SUMI__TAPS_ROWS };
#if defined(SUMI__SIMD_AVX512)
enum { MR = 8 };
#else
enum { MR = 4 };
#endif

/* MR rows by nv vectors. a[t * ROWS + i]: where row i reads the class's tap t. b (taps, k, nv vectors). */
ALWAYS_INLINE void run_tile(const sumi__tap_class *cl, int64_t k, const float *const *a, const float *panel,
                            const float *bias, float *const *c, int64_t rows, int64_t columns, int nv) {
  vf sums[MR][NV];
#pragma GCC unroll 3
  for (int v = 0; v < nv; v++) {
    const int64_t n = sumi__min_i64(V, columns - v * V);
    const vf start = !bias ? vzero() : n == V ? vload(bias + v * V) : vload_n(bias + v * V, n);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) sums[i][v] = start;
  }
  for (int t = 0; t < cl->n_taps; t++, a += ROWS) {
    const float *b = panel + cl->taps[t] * k * nv * V;
    for (int64_t at = 0; at < k; at++, b += nv * V) {
      vf row_of_b[NV];
#pragma GCC unroll 3
      for (int v = 0; v < nv; v++) row_of_b[v] = vload(b + v * V);
#pragma GCC unroll 8
      for (int i = 0; i < MR; i++) {
        const vf x = vset(a[i][at]);
#pragma GCC unroll 3
        for (int v = 0; v < nv; v++) sums[i][v] += x * row_of_b[v];
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 3
    for (int v = 0; v < nv; v++) {
      const int64_t n = columns - v * V;
      if (i < rows && n >= V) vstore(c[i] + v * V, sums[i][v]);
      if (i < rows && n < V) vstore_n(c[i] + v * V, sums[i][v], n);
    }
}

static void any_tile(const sumi__tap_class *cl, int64_t k, const float *const *a, const float *b, const float *bias,
                     float *const *c, int64_t rows, int64_t columns) {
  if (columns > 2 * V)
    run_tile(cl, k, a, b, bias, c, rows, columns, 3);
  else if (columns > V)
    run_tile(cl, k, a, b, bias, c, rows, columns, 2);
  else
    run_tile(cl, k, a, b, bias, c, rows, columns, 1);
}

/* The pixel of a that the tap reads at (h, w) of the result, or -1. */
static int64_t pixel_of(const sumi__taps *t, int tap, int64_t h, int64_t w) {
  const int64_t kh = tap / t->kernel_w * t->dilation_h, kw = tap % t->kernel_w * t->dilation_w;
  int64_t y, x;
  if (t->gradient) {
    y = h + t->pad_top - kh, x = w + t->pad_left - kw;
    if (y < 0 || x < 0) return -1;
    y /= t->stride_h, x /= t->stride_w; /* the class has only taps that divide */
  } else {
    y = h * t->stride_h - t->pad_top + kh, x = w * t->stride_w - t->pad_left + kw;
  }
  return y < 0 || x < 0 || y >= t->a_h || x >= t->a_w ? -1 : y * t->a_w + x;
}

/* Where each row of an item reads each tap, and where it is written. Rows beyond the last repeat it. */
static void point(const sumi__taps_call *call, const sumi__tap_class *cl, const sumi__tap_product *p, int64_t first,
                  int64_t rows, const float **a, float **c) {
  const sumi__taps *t = call->t;
  const int64_t step_h = t->gradient ? t->stride_h : 1, step_w = t->gradient ? t->stride_w : 1;
  for (int64_t r = 0; r < (rows + MR - 1) / MR * MR; r++) {
    const int64_t row = first + sumi__min_i64(r, rows - 1);
    const int64_t w = cl->first_w + row % cl->rows_w * step_w;
    const int64_t h = cl->first_h + row / cl->rows_w % cl->rows_h * step_h, n = row / cl->rows_w / cl->rows_h;
    c[r] = call->c + p->c + ((n * t->c_h + h) * t->c_w + w) * t->c_stride;
    for (int k = 0; k < cl->n_taps; k++) {
      const int64_t pixel = pixel_of(t, cl->taps[k], h, w);
      a[k * ROWS + r] = pixel < 0 ? call->zeros : call->a + p->a + (n * t->a_h * t->a_w + pixel) * t->a_stride;
    }
  }
}

static void run_item(const sumi__taps_call *call, const sumi__tap_product *p, int64_t item, void *work) {
  const sumi__taps *t = call->t;
  const sumi__tap_class *cl = t->classes;
  while (item >= cl->item_end) cl++;
  const int64_t first = (item - (cl == t->classes ? 0 : cl[-1].item_end)) * ROWS;
  const int64_t rows = sumi__min_i64(ROWS, t->n * cl->rows_h * cl->rows_w - first);
  const int64_t panel = t->kernel_h * t->kernel_w * t->k; /* vectors' rows of a panel, over all taps */
  float **c = work;
  const float **a = (const float **)(c + ROWS);
  point(call, cl, p, first, rows, a, c);
  for (int64_t column = 0; column < t->columns; column += NV * V) {
    const int64_t columns = sumi__min_i64(NV * V, t->columns - column);
    const float *b = call->b + p->b + column * panel;
    const float *bias = call->bias ? call->bias + p->column + column : NULL;
    for (int64_t r = 0; r < rows; r += MR) {
      float *to[MR];
      for (int i = 0; i < MR; i++) to[i] = c[r + i] + column;
      any_tile(cl, t->k, a + r, b, bias, to, rows - r, columns);
    }
  }
}

void SUMI__ISA_NAME(sumi__cpu_taps_items)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__taps_call *c = call;
  for (int64_t i = begin; i < end; i++)
    run_item(c, &c->t->products[i / c->t->items], i % c->t->items, c->work + (size_t)worker * c->work_bytes);
}
