/* The loops of cpu/winograd.h; the transformations are in isa/winograd_tiles.h, written for each vector of channels. */
#include "cpu/winograd.h"

#include "cpu/isa/lanes.h"
#include "cpu/isa/tile.h"
#include "cpu/isa/winograd_tiles.h"

ALWAYS_INLINE void store_channels(void *p, sumi_dtype dtype, int64_t at, vf x, int64_t n) {
#if defined(SUMI__SIMD_PAIRS)
  if (dtype == SUMI_BF16) { /* as vto_bf16, but that subnormal numbers become zero */
    _mm256_mask_storeu_epi16((uint16_t *)p + at, vfirst(n), (__m256i)_mm512_cvtneps_pbh((__m512)x));
    return;
  }
#endif
  if (n == V)
    vstore_as(p, dtype, at, x);
  else
    vstore_as_n(p, dtype, at, x, n);
}

/* ---- Tiles of `side` products along each side: 3 where the picture is read twice as large, else m + 2 ---- */

ALWAYS_INLINE int results_of(int side) { return side == 3 ? 2 : side - 2; }

ALWAYS_INLINE void pixels_of(vf *x, int step, int side) {
  if (side == 3)
    transform_doubled_pixels(x, step);
  else
    transform_pixels(x, step, side - 2);
}
ALWAYS_INLINE void filter_of(vf *x, int step, int side) {
  if (side == 3)
    transform_doubled_filter(x, step);
  else
    transform_filter(x, step, side - 2);
}
ALWAYS_INLINE void sums_of(vf *x, int step, int side) {
  if (side == 3)
    transform_doubled_sums(x, step);
  else
    transform_sums(x, step, side - 2);
}

/* ---- Filters ---- */

/* V input channels from `c` of output channel `o`, transformed. */
ALWAYS_INLINE void one_filter(const sumi__winograd_packing *k, int64_t o, int64_t c, vf *x, int side) {
  const sumi__winograd *p = k->p;
  for (int h = 0; h < 3; h++) {
    for (int w = 0; w < 3; w++)
      x[h * SIDE + w] =
          o < p->o ? load_channels(k->filters, p->w_dtype, ((o * 3 + h) * 3 + w) * p->i, c, p->i) : vzero();
    filter_of(x + h * SIDE, 1, side);
  }
  for (int w = 0; w < side; w++) filter_of(x + w, SIDE, side);
}

/* Of a gradient: V output channels from `o` of input channel `c`, which lie beside one another there. */
ALWAYS_INLINE void turned_filter(const sumi__winograd_packing *k, int64_t o, int64_t c, vf *x, int side) {
  const sumi__winograd *p = k->p;
  for (int h = 0; h < 3; h++) {
    for (int w = 0; w < 3; w++)
      x[h * SIDE + w] =
          c < p->i ? load_channels(k->filters, p->w_dtype, ((c * 3 + 2 - h) * 3 + 2 - w) * p->o, o, p->o) : vzero();
    filter_of(x + h * SIDE, 1, side);
  }
  for (int w = 0; w < side; w++) filter_of(x + w, SIDE, side);
}

/* V output channels from `o` by V units of input channels from `unit`, for all positions: rows[f][u] is unit u. */
ALWAYS_INLINE void gather_square(const sumi__winograd_packing *k, int64_t o, int64_t unit, int side, bool pairs,
                                 vf rows[SUMI__WINOGRAD_MAX][SUMI__SIMD_WIDTH]) {
  const bool gradient = k->p->gradient;
  const int part = pairs ? 2 : 1;
  vf low[SUMI__WINOGRAD_MAX], high[SUMI__WINOGRAD_MAX];
  for (int r = 0; r < V; r++) {
    if (gradient) {
      turned_filter(k, o, (unit + r) * part, low, side);
      if (pairs) turned_filter(k, o, (unit + r) * part + 1, high, side);
    } else {
      one_filter(k, o + r, unit * part, low, side);
      if (pairs) one_filter(k, o + r, unit * part + V, high, side);
    }
    for (int f = 0; f < side * side; f++) {
      const int at = f / side * SIDE + f % side;
      rows[f][r] = !pairs ? low[at] : gradient ? mix_pairs(low[at], high[at]) : join_pairs(low[at], high[at]);
    }
  }
  for (int f = 0; f < side * side && !gradient; f++) tile_transpose_vectors(rows[f]);
}

ALWAYS_INLINE void pack_square(const sumi__winograd_packing *k, int64_t o, int64_t unit, int side, bool pairs) {
  const sumi__winograd *p = k->p;
  const int64_t panel = o / PANEL_COLUMNS * PANEL_COLUMNS;
  const int vectors = panel_vectors(p->columns, panel);
  vf rows[SUMI__WINOGRAD_MAX][SUMI__SIMD_WIDTH];
  gather_square(k, o, unit, side, pairs, rows);
  for (int f = 0; f < side * side; f++) {
    float *to = k->packed + f * p->units * p->columns + panel * p->units + unit * vectors * V + (o - panel);
    for (int u = 0; u < V; u++) vstore(to + u * vectors * V, rows[f][u]);
  }
}

void SUMI__ISA_NAME(sumi__cpu_winograd_pack)(void *packing, int64_t begin, int64_t end, int worker) {
  const sumi__winograd_packing *k = packing;
  (void)worker;
  for (int64_t o = begin * V; o < end * V; o += V)
    for (int64_t unit = 0; unit < k->p->units; unit += V) {
#if defined(SUMI__SIMD_PAIRS)
      if (k->p->pairs && k->p->side == 3) pack_square(k, o, unit, 3, true);
      if (k->p->pairs && k->p->side == 4) pack_square(k, o, unit, 4, true);
      if (k->p->pairs && k->p->side == 6) pack_square(k, o, unit, 6, true);
#endif
      if (!k->p->pairs && k->p->side == 3) pack_square(k, o, unit, 3, false);
      if (!k->p->pairs && k->p->side == 4) pack_square(k, o, unit, 4, false);
      if (!k->p->pairs && k->p->side == 6) pack_square(k, o, unit, 6, false);
    }
}

/* What a filter of V output channels becomes, out of their 9 taps. */
ALWAYS_INLINE void lanes_filter(const vf *taps, vf *x, int side) {
  for (int h = 0; h < 3; h++) {
    for (int w = 0; w < 3; w++) x[h * SIDE + w] = taps[h * 3 + w];
    filter_of(x + h * SIDE, 1, side);
  }
  for (int w = 0; w < side; w++) filter_of(x + w, SIDE, side);
}

/* V output channels from `o` by `channels` input channels from `channel`. */
ALWAYS_INLINE void pack_lanes(const sumi__winograd_lent *k, int64_t o, int64_t channel, int64_t channels, int side,
                              bool pairs) {
  const sumi__winograd *p = k->p;
  const int64_t panel = o / PANEL_COLUMNS * PANEL_COLUMNS, row = panel_vectors(p->columns, panel) * V;
  const int part = pairs ? 2 : 1;
  vf lanes[SUMI__LENT_VALUES], low[SUMI__WINOGRAD_MAX], high[SUMI__WINOGRAD_MAX];
  lanes_read(&k->filters, o, channel * 9, channels * 9, lanes);
  if (p->w_dtype == SUMI_BF16)
    for (int64_t i = 0; i < channels * 9; i++) lanes[i] = vfrom_bf16(vto_bf16(lanes[i]));
  for (int64_t c = 0; c < channels; c += part) {
    float *to = k->packed + panel * p->units + (channel + c) / part * row + (o - panel);
    lanes_filter(lanes + c * 9, low, side);
    if (pairs) lanes_filter(lanes + (c + 1) * 9, high, side);
    for (int f = 0; f < side * side; f++, to += p->units * p->columns) {
      const int at = f / side * SIDE + f % side;
      vstore(to, pairs ? mix_pairs(low[at], high[at]) : low[at]);
    }
  }
}

static void prepare_panel(const sumi__winograd_lent *k, int64_t panel) {
  const sumi__winograd *p = k->p;
  const size_t bytes = (size_t)(panel_vectors(p->columns, panel) * V * p->units) * sizeof *k->packed;
  for (int f = 0; f < p->side * p->side; f++)
    sumi__pages_prepare(k->packed + (f * p->columns + panel) * p->units, bytes);
}

void SUMI__ISA_NAME(sumi__cpu_winograd_pack_lent)(void *packing, int64_t begin, int64_t end, int worker) {
  const sumi__winograd_lent *k = packing;
  const sumi__winograd *p = k->p;
  const int64_t all = p->units * (p->pairs ? 2 : 1);
  const int64_t blocks = (all + SUMI__WINOGRAD_LENT - 1) / SUMI__WINOGRAD_LENT;
  (void)worker;
  for (int64_t item = begin; item < end; item++) {
    const int64_t panel = item / blocks * PANEL_COLUMNS, c = item % blocks * SUMI__WINOGRAD_LENT;
    const int64_t n = sumi__min_i64(SUMI__WINOGRAD_LENT, all - c);
    if (item == begin || item % blocks == 0) prepare_panel(k, panel);
    for (int64_t o = panel; o < sumi__min_i64(panel + PANEL_COLUMNS, p->columns); o += V) {
#if defined(SUMI__SIMD_PAIRS)
      if (p->pairs && p->side == 3) pack_lanes(k, o, c, n, 3, true);
      if (p->pairs && p->side == 4) pack_lanes(k, o, c, n, 4, true);
      if (p->pairs && p->side == 6) pack_lanes(k, o, c, n, 6, true);
#endif
      if (!p->pairs && p->side == 3) pack_lanes(k, o, c, n, 3, false);
      if (!p->pairs && p->side == 4) pack_lanes(k, o, c, n, 4, false);
      if (!p->pairs && p->side == 6) pack_lanes(k, o, c, n, 6, false);
    }
  }
}

/* ---- Pixels ---- */

typedef struct tile_place {
  int64_t n, h, w; /* picture, first row and column of its results */
} tile_place;

static tile_place place_of_tile(const sumi__winograd *p, int64_t tile) {
  const int64_t w = tile % p->tiles_w, h = tile / p->tiles_w % p->tiles_h;
  return (tile_place){tile / (p->tiles_w * p->tiles_h), h * p->m, w * p->m};
}

/* The tile's pixels, or zeros around the picture. */
static void point(const sumi__winograd_run *run, int64_t tile, const void **pixels) {
  const sumi__winograd *p = run->p;
  const tile_place t = place_of_tile(p, tile);
  const int64_t bytes = p->i * (int64_t)sumi_dtype_bytes(p->x_dtype), part = p->side == 3 ? 2 : 1;
  for (int64_t h = t.h / part - p->pad_top, y = 0; y < p->side; y++, h++)
    for (int64_t w = t.w / part - p->pad_left, x = 0; x < p->side; x++, w++)
      pixels[y * SIDE + x] = h < 0 || w < 0 || h >= p->h || w >= p->w
                                 ? (const void *)run->zeros
                                 : (const char *)run->x + ((t.n * p->h + h) * p->w + w) * bytes;
}

ALWAYS_INLINE void one_tile(const void *const *pixels, sumi_dtype dtype, int64_t c, int64_t count, vf *x, int side) {
  for (int h = 0; h < side; h++) {
    for (int w = 0; w < side; w++) x[h * SIDE + w] = load_channels(pixels[h * SIDE + w], dtype, 0, c, count);
    pixels_of(x + h * SIDE, 1, side);
  }
  for (int w = 0; w < side; w++) pixels_of(x + w, SIDE, side);
}

ALWAYS_INLINE void tiles_as(const sumi__winograd_run *run, int64_t begin, int64_t end, int side, bool pairs,
                            sumi_dtype dtype) {
  const sumi__winograd *p = run->p;
  const void *pixels[SUMI__WINOGRAD_MAX];
  for (int64_t tile = begin; tile < end; tile++) {
    point(run, run->first + tile, pixels);
    for (int64_t unit = 0; unit < p->units; unit += V) {
      vf low[SUMI__WINOGRAD_MAX], high[SUMI__WINOGRAD_MAX];
      float *to = run->a + tile * p->units + unit;
      one_tile(pixels, dtype, unit * (pairs ? 2 : 1), p->i, low, side);
      if (pairs) one_tile(pixels, dtype, unit * 2 + V, p->i, high, side);
      for (int h = 0; h < side; h++)
        for (int w = 0; w < side; w++, to += p->a_position)
          vstore(to, pairs ? join_pairs(low[h * SIDE + w], high[h * SIDE + w]) : low[h * SIDE + w]);
    }
  }
}

void SUMI__ISA_NAME(sumi__cpu_winograd_pixels)(void *run_, int64_t begin, int64_t end, int worker) {
  const sumi__winograd_run *run = run_;
  const int side = run->p->side;
  const bool bf16 = run->p->x_dtype == SUMI_BF16;
  (void)worker;
#if defined(SUMI__SIMD_PAIRS)
  if (run->p->pairs && side == 3) tiles_as(run, begin, end, 3, true, SUMI_BF16);
  if (run->p->pairs && side == 4) tiles_as(run, begin, end, 4, true, SUMI_BF16);
  if (run->p->pairs && side == 6) tiles_as(run, begin, end, 6, true, SUMI_BF16);
  if (run->p->pairs) return;
#endif
  if (bf16 && side == 3) tiles_as(run, begin, end, 3, false, SUMI_BF16);
  if (bf16 && side == 4) tiles_as(run, begin, end, 4, false, SUMI_BF16);
  if (bf16 && side == 6) tiles_as(run, begin, end, 6, false, SUMI_BF16);
  if (!bf16 && side == 3) tiles_as(run, begin, end, 3, false, SUMI_F32);
  if (!bf16 && side == 4) tiles_as(run, begin, end, 4, false, SUMI_F32);
  if (!bf16 && side == 6) tiles_as(run, begin, end, 6, false, SUMI_F32);
}

/* ---- Products and results ---- */

/* Results of one tile for V output channels from `o`; sums are those of position 0, in this vector. */
ALWAYS_INLINE void one_result(const sumi__winograd_run *run, const tile_place *t, const float *sums, int64_t o,
                              int side, sumi_dtype dtype) {
  const int m = results_of(side);
  const sumi__winograd *p = run->p;
  const int64_t n = sumi__min_i64(V, p->o - o);
  const int64_t rows = sumi__min_i64(m, p->oh - t->h), columns = sumi__min_i64(m, p->ow - t->w);
  const vf bias = run->bias ? (n == V ? vload(run->bias + o) : vload_n(run->bias + o, n)) : vzero();
  vf x[SUMI__WINOGRAD_MAX];
  for (int h = 0; h < side; h++) {
    for (int w = 0; w < side; w++) x[h * SIDE + w] = vload(sums + (h * side + w) * p->c_position);
    sums_of(x + h * SIDE, 1, side);
  }
  for (int w = 0; w < m; w++) sums_of(x + w, SIDE, side);
  for (int h = 0; h < m; h++)
    for (int w = 0; w < m; w++) {
      if (h >= rows || w >= columns) continue;
      const int64_t pixel = (t->n * p->oh + t->h + h) * p->ow + t->w + w;
      vf y = x[h * SIDE + w] + bias;
      if (run->addend) {
        const int64_t at = (run->addend_repeats == 1 ? pixel : pixel / run->addend_repeats) * p->o + o;
        y += load_channels(run->addend, dtype, at, 0, n);
      }
      store_channels(run->y, dtype, pixel * p->o + o, y, n);
    }
}

ALWAYS_INLINE void results_as(const sumi__winograd_run *run, const float *c, int64_t first, int64_t count,
                              int64_t column, int vectors, int side, sumi_dtype dtype) {
  for (int64_t tile = 0; tile < count; tile++) {
    const tile_place t = place_of_tile(run->p, run->first + first + tile);
    for (int v = 0; v < vectors; v++)
      one_result(run, &t, c + tile * PANEL_COLUMNS + v * V, column + v * V, side, dtype);
  }
}

static void results(const sumi__winograd_run *run, const float *c, int64_t first, int64_t count, int64_t column,
                    int vectors) {
  const bool bf16 = run->p->y_dtype == SUMI_BF16;
  const int side = run->p->side;
  if (bf16 && side == 3) results_as(run, c, first, count, column, vectors, 3, SUMI_BF16);
  if (bf16 && side == 4) results_as(run, c, first, count, column, vectors, 4, SUMI_BF16);
  if (bf16 && side == 6) results_as(run, c, first, count, column, vectors, 6, SUMI_BF16);
  if (!bf16 && side == 3) results_as(run, c, first, count, column, vectors, 3, SUMI_F32);
  if (!bf16 && side == 4) results_as(run, c, first, count, column, vectors, 4, SUMI_F32);
  if (!bf16 && side == 6) results_as(run, c, first, count, column, vectors, 6, SUMI_F32);
}

/* Tiles [first, first + rows) of the block by the panel at `column`. */
static void multiply(const sumi__winograd_run *run, float *c, int64_t first, int64_t rows, int64_t column,
                     int vectors) {
  const sumi__winograd *p = run->p;
  panel_product q = {.a_row = p->units, .c_row = PANEL_COLUMNS, .steps = p->units, .fresh = true};
  for (int f = 0; f < p->side * p->side; f++) {
    q.b = run->filters + (f * p->columns + column) * p->units;
    for (int64_t r = 0; r < rows; r += PANEL_ROWS) {
      q.a = run->a + f * p->a_position + (first + r) * p->units;
      q.c = c + f * p->c_position + r * PANEL_COLUMNS;
      panel_multiply(&q, vectors, p->pairs);
    }
  }
}

void SUMI__ISA_NAME(sumi__cpu_winograd_products)(void *run_, int64_t begin, int64_t end, int worker) {
  const sumi__winograd_run *run = run_;
  const sumi__winograd *p = run->p;
  const int64_t rows = (run->count + PANEL_ROWS - 1) / PANEL_ROWS;
  float *c = run->c + worker * run->c_worker;
  for (int64_t column = 0; column < p->columns; column += PANEL_COLUMNS) {
    const int vectors = panel_vectors(p->columns, column);
    const int64_t base = column / V * rows;
    /* The same rounding at both ends of a range: neighbours meet. */
    const int64_t from = sumi__max_i64(0, begin - base + vectors - 1) / vectors;
    const int64_t to = sumi__min_i64(rows, sumi__max_i64(0, end - base + vectors - 1) / vectors);
    for (int64_t first = from * PANEL_ROWS; first < to * PANEL_ROWS; first += p->segment) {
      const int64_t count = sumi__min_i64(p->segment, to * PANEL_ROWS - first);
      multiply(run, c, first, count, column, vectors);
      results(run, c, first, sumi__min_i64(count, run->count - first), column, vectors);
    }
  }
}

int SUMI__ISA_NAME(sumi__cpu_winograd_rows)(void) { return PANEL_ROWS; }
