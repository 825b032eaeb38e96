/* The loops of cpu/winograd_grad.h. */
#include "cpu/winograd_grad.h"

#include "cpu/isa/outer.h"
#include "cpu/isa/winograd_tiles.h"

enum { MAX = SUMI__WINOGRAD_MAX };

/* A tile in a picture: first row and column of its results. */
typedef struct place {
  int64_t n, h, w;
} place;

static place place_of(const sumi__winograd_grad *p, int64_t tile) {
  const int64_t w = tile % p->tiles_w, h = tile / p->tiles_w % p->tiles_h;
  return (place){tile / (p->tiles_w * p->tiles_h), h * p->m, w * p->m};
}

/* Pointers to side x side pixels from row `h` and column `w` of a picture, zeros around it and beyond the last tile. */
static void point(const sumi__winograd_grad_run *run, const void *x, int64_t height, int64_t width, int64_t channels,
                  int64_t tile, const place *at, int side, const void **pixels) {
  const int64_t bytes = channels * (int64_t)sumi_dtype_bytes(run->p->dtype);
  for (int y = 0; y < side; y++)
    for (int k = 0; k < side; k++) {
      const int64_t h = at->h + y, w = at->w + k;
      const bool outside = tile >= run->p->tiles || h < 0 || w < 0 || h >= height || w >= width;
      pixels[y * SIDE + k] =
          outside ? (const void *)run->zeros : (const char *)x + ((at->n * height + h) * width + w) * bytes;
    }
}

ALWAYS_INLINE void pixels_of_tile(const void *const *pixels, sumi_dtype dtype, int64_t c, int64_t count, vf *x, int m) {
  for (int h = 0; h < m + 2; h++) {
    for (int w = 0; w < m + 2; w++) x[h * SIDE + w] = load_channels(pixels[h * SIDE + w], dtype, 0, c, count);
    transform_pixels(x + h * SIDE, 1, m);
  }
  for (int w = 0; w < m + 2; w++) transform_pixels(x + w, SIDE, m);
}

ALWAYS_INLINE void results_of_tile(const void *const *pixels, sumi_dtype dtype, int64_t c, int64_t count, vf *x,
                                   int m) {
  for (int h = 0; h < m; h++) {
    for (int w = 0; w < m; w++) x[h * SIDE + w] = load_channels(pixels[h * SIDE + w], dtype, 0, c, count);
    spread_results(x + h * SIDE, 1, m);
  }
  for (int w = 0; w < m + 2; w++) spread_results(x + w, SIDE, m);
}

/* V rows of a unit, as panels of MR. */
ALWAYS_INLINE void store_rows(float *to, int64_t steps, vf unit) {
  float lanes[V];
  vstore(lanes, unit);
  for (int k = 0; k < V / MR; k++) memcpy(to + k * steps * MR, lanes + k * MR, MR * sizeof *to);
}

ALWAYS_INLINE void step_of_dy(const sumi__winograd_grad_run *run, int64_t step, int m, bool pairs, sumi_dtype dtype) {
  const sumi__winograd_grad *p = run->p;
  const void *pixels[2][MAX];
  for (int k = 0; k < (pairs ? 2 : 1); k++) {
    const int64_t tile = run->first + step * (pairs ? 2 : 1) + k;
    const place at = place_of(p, tile);
    point(run, run->dy, p->oh, p->ow, p->o, tile, &at, m, pixels[k]);
  }
  for (int64_t o = 0; o < p->rows; o += V) {
    vf x[MAX], y[MAX];
    float *to = run->a + o * run->used + step * MR;
    results_of_tile(pixels[0], dtype, o, p->o, x, m);
    if (pairs) results_of_tile(pixels[1], dtype, o, p->o, y, m);
    for (int h = 0; h < m + 2; h++)
      for (int w = 0; w < m + 2; w++, to += p->a_position)
        store_rows(to, run->used, pairs ? mix_pairs(x[h * SIDE + w], y[h * SIDE + w]) : x[h * SIDE + w]);
  }
}

ALWAYS_INLINE void step_of_x(const sumi__winograd_grad_run *run, int64_t step, int m, bool pairs, sumi_dtype dtype) {
  const sumi__winograd_grad *p = run->p;
  const void *pixels[2][MAX];
  for (int k = 0; k < (pairs ? 2 : 1); k++) {
    const int64_t tile = run->first + step * (pairs ? 2 : 1) + k;
    place at = place_of(p, tile);
    at.h -= p->pad_top;
    at.w -= p->pad_left;
    point(run, run->x, p->h, p->w, p->i, tile, &at, m + 2, pixels[k]);
  }
  for (int64_t c = 0; c < p->columns; c += V) {
    const int64_t panel = c / PANEL_COLUMNS * PANEL_COLUMNS;
    const int vectors = panel_vectors(p->columns, panel);
    float *to = run->b + panel * run->used + step * vectors * V + (c - panel);
    vf x[MAX], y[MAX];
    pixels_of_tile(pixels[0], dtype, c, p->i, x, m);
    if (pairs) pixels_of_tile(pixels[1], dtype, c, p->i, y, m);
    for (int h = 0; h < m + 2; h++)
      for (int w = 0; w < m + 2; w++, to += p->b_position)
        vstore(to, pairs ? mix_pairs(x[h * SIDE + w], y[h * SIDE + w]) : x[h * SIDE + w]);
  }
}

ALWAYS_INLINE void steps_as(const sumi__winograd_grad_run *run, int64_t begin, int64_t end, int m, bool pairs,
                            sumi_dtype dtype) {
  for (int64_t step = begin; step < end; step++) {
    step_of_dy(run, step, m, pairs, dtype);
    step_of_x(run, step, m, pairs, dtype);
  }
}

void SUMI__ISA_NAME(sumi__cpu_winograd_grad_pixels)(void *run_, int64_t begin, int64_t end, int worker) {
  const sumi__winograd_grad_run *run = run_;
  const int m = run->p->m;
  const bool bf16 = run->p->dtype == SUMI_BF16;
  (void)worker;
#if defined(SUMI__SIMD_PAIRS)
  if (run->p->pairs && m == 2) steps_as(run, begin, end, 2, true, SUMI_BF16);
  if (run->p->pairs && m == 4) steps_as(run, begin, end, 4, true, SUMI_BF16);
  if (run->p->pairs) return;
#endif
  if (bf16 && m == 2) steps_as(run, begin, end, 2, false, SUMI_BF16);
  if (bf16 && m == 4) steps_as(run, begin, end, 4, false, SUMI_BF16);
  if (!bf16 && m == 2) steps_as(run, begin, end, 2, false, SUMI_F32);
  if (!bf16 && m == 4) steps_as(run, begin, end, 4, false, SUMI_F32);
}

void SUMI__ISA_NAME(sumi__cpu_winograd_grad_products)(void *run_, int64_t begin, int64_t end, int worker) {
  const sumi__winograd_grad_run *run = run_;
  const sumi__winograd_grad *p = run->p;
  (void)worker;
  for (int64_t item = begin; item < end; item++) {
    const int64_t position = item / p->panels, column = item % p->panels * PANEL_COLUMNS;
    const int vectors = panel_vectors(p->columns, column);
    const float *a = run->a + position * p->a_position, *b = run->b + position * p->b_position + column * run->used;
    outer_tile t = {.c = run->c + position * p->c_position + column,
                    .stride = p->columns,
                    .rows = MR,
                    .columns = vectors * V,
                    .add = run->first > 0};
    for (int64_t r = 0; r < p->rows; r += MR, t.c += MR * p->columns)
      any_tile(&t, run->used, a + r * run->used, b, p->pairs, vectors);
  }
}

ALWAYS_INLINE void taps_as(const sumi__winograd_grad_run *run, int64_t o, int64_t c, int m) {
  const sumi__winograd_grad *p = run->p;
  const float *from = run->c + o * p->columns + c;
  const int64_t n = sumi__min_i64(V, p->i - c);
  vf x[MAX];
  for (int h = 0; h < m + 2; h++) {
    for (int w = 0; w < m + 2; w++, from += p->c_position) x[h * SIDE + w] = vload(from);
    gather_taps(x + h * SIDE, 1, m);
  }
  for (int w = 0; w < 3; w++) gather_taps(x + w, SIDE, m);
  for (int h = 0; h < 3; h++)
    for (int w = 0; w < 3; w++) {
      float *to = run->dw + ((o * 3 + h) * 3 + w) * p->i + c;
      if (n == V)
        vstore(to, x[h * SIDE + w]);
      else
        vstore_n(to, x[h * SIDE + w], n);
    }
}

void SUMI__ISA_NAME(sumi__cpu_winograd_grad_taps)(void *run_, int64_t begin, int64_t end, int worker) {
  const sumi__winograd_grad_run *run = run_;
  (void)worker;
  for (int64_t o = begin; o < end; o++)
    for (int64_t c = 0; c < run->p->i; c += V)
      if (run->p->m == 2)
        taps_as(run, o, c, 2);
      else
        taps_as(run, o, c, 4);
}
