/* The loops of cpu/weight_grad.h. With AVX512_BF16, bf16 operands stay so: panels then hold pairs of pixels side by
 * side, and VDPBF16PS takes both at once. Elsewhere they are widened while they are packed. */
#include "cpu/weight_grad.h"

#include "cpu/isa/outer.h"

enum { BLOCK = SUMI__WEIGHT_GRAD_PIXELS };

/* ---- Packing ---- */

/* n values from each of two pixels (NULL: zeros), side by side. */
ALWAYS_INLINE void pack_pair(float *to, const uint16_t *even, const uint16_t *odd, int64_t n) {
  for (int64_t i = 0; i < n; i += V) {
    const int64_t lanes = sumi__min_i64(V, n - i);
    vu pair = {0};
    if (even) pair = __builtin_convertvector(lanes == V ? vload_h(even + i) : vload_h_n(even + i, lanes), vu);
    if (odd) pair |= (vu)vfrom_bf16(lanes == V ? vload_h(odd + i) : vload_h_n(odd + i, lanes));
    if (lanes == V)
      vstore(to + i, (vf)pair);
    else
      vstore_n(to + i, (vf)pair, lanes);
  }
}

/* n values of x at element `at` (below 0: zeros). */
ALWAYS_INLINE void pack_single(float *to, const void *x, sumi_dtype dtype, int64_t at, bool present, int64_t n) {
  for (int64_t i = 0; i < n; i += V) {
    const int64_t lanes = sumi__min_i64(V, n - i);
    const vf value = !present ? vzero() : lanes == V ? vload_as(x, dtype, at + i) : vload_as_n(x, dtype, at + i, lanes);
    if (lanes == V)
      vstore(to + i, value);
    else
      vstore_n(to + i, value, lanes);
  }
}

/* A run of channels under one tap of the kernel: where it is in a window, and in a panel. */
typedef struct segment {
  int64_t dy, dx, offset, to, count;
} segment;

ALWAYS_INLINE bool reaches(const sumi__weight_grad_task *t, const sumi__window *w, const segment *s) {
  return t->inside || ((uint64_t)(w->y + s->dy) < (uint64_t)t->h && (uint64_t)(w->x + s->dx) < (uint64_t)t->w);
}

/* `width`: floats from one step of the panel to the next. */
ALWAYS_INLINE void pack_segment(const sumi__weight_grad_task *t, const sumi__window *windows, int64_t pixels,
                                const segment *s, float *panel, int64_t width, int64_t count) {
  panel += s->to;
  if (PAIRS && t->dtype == SUMI_BF16) {
    const uint16_t *x = t->x;
    for (int64_t k = 0; k < pixels; k += 2, panel += width) {
      const bool odd = k + 1 < pixels && reaches(t, &windows[k + 1], s), even = reaches(t, &windows[k], s);
      pack_pair(panel, even ? x + (windows[k].offset + s->offset) : NULL,
                odd ? x + (windows[k + 1].offset + s->offset) : NULL, count);
    }
  } else {
    for (int64_t k = 0; k < pixels; k++, panel += width)
      pack_single(panel, t->x, t->dtype, windows[k].offset + s->offset, reaches(t, &windows[k], s), count);
  }
}

static void pack_columns(const sumi__weight_grad_task *t, const sumi__window *windows, int64_t pixels, int64_t first,
                         int64_t columns, float *panel, int64_t width) {
  if (columns % V) memset(panel, 0, sizeof(float) * (size_t)(width * pixels));
  for (int64_t c = first; c < first + columns;) {
    const int64_t tap = c / t->in, channel = c % t->in;
    segment s = {.dy = tap / t->kernel_w * t->dilation_h, .dx = tap % t->kernel_w * t->dilation_w, .to = c - first};
    s.count = sumi__min_i64(t->in - channel, first + columns - c);
    s.offset = (s.dy * t->w + s.dx) * t->in + channel;
    if (s.count == V)
      pack_segment(t, windows, pixels, &s, panel, width, V);
    else if (s.count == 2 * V)
      pack_segment(t, windows, pixels, &s, panel, width, 2 * V);
    else if (s.count == 3 * V)
      pack_segment(t, windows, pixels, &s, panel, width, 3 * V);
    else
      pack_segment(t, windows, pixels, &s, panel, width, s.count);
    c += s.count;
  }
}

/* Rows [first, first + rows) of dy, panel after panel of MR rows and `steps` steps. */
static void pack_rows(const sumi__weight_grad_task *t, int64_t begin, int64_t pixels, int64_t first, int64_t rows,
                      float *to) {
  const bool pairs = PAIRS && t->dtype == SUMI_BF16;
  for (int64_t r = first; r < first + rows; r += MR) {
    const int64_t n = sumi__min_i64(MR, first + rows - r);
    for (int64_t k = 0; k < pixels; k += pairs ? 2 : 1, to += MR) {
      const int64_t at = (begin + k) * t->out + r;
      if (n < MR) memset(to, 0, MR * sizeof *to);
      if (pairs)
        pack_pair(to, (const uint16_t *)t->dy + at, k + 1 < pixels ? (const uint16_t *)t->dy + at + t->out : NULL, n);
      else
        pack_single(to, t->dy, t->dtype, at, true, n);
    }
  }
}

/* ---- Blocks ---- */

static void find_windows(const sumi__weight_grad_task *t, int64_t begin, int64_t pixels, sumi__window *windows) {
  int64_t x = begin % t->ow, y = begin / t->ow % t->oh, n = begin / t->ow / t->oh;
  for (int64_t k = 0; k < pixels; k++) {
    const int64_t at_y = y * t->stride_h - t->pad_top, at_x = x * t->stride_w - t->pad_left;
    windows[k] = (sumi__window){((n * t->h + at_y) * t->w + at_x) * t->in, (int32_t)at_y, (int32_t)at_x};
    if (++x < t->ow) continue;
    x = 0;
    if (++y < t->oh) continue;
    y = 0;
    n++;
  }
}

/* A block of pixels, for column panels [begin, end) of one group of rows. */
static void run_block(const sumi__weight_grad_task *t, char *work, int64_t first_pixel, int64_t first_row,
                      int64_t begin, int64_t end) {
  float *a = (float *)(void *)work, *b = (float *)(void *)(work + t->b_offset);
  sumi__window *windows = (sumi__window *)(void *)(work + t->pixel_offset);
  const bool pairs = PAIRS && t->dtype == SUMI_BF16;
  const int64_t pixels = sumi__min_i64(BLOCK, t->pixels - first_pixel), steps = pairs ? (pixels + 1) / 2 : pixels;
  const int64_t rows = sumi__min_i64(t->group_rows, t->out - first_row);
  find_windows(t, first_pixel, pixels, windows);
  pack_rows(t, first_pixel, pixels, first_row, rows, a);
  for (int64_t panel = begin; panel < end; panel++) {
    const int64_t first = panel * t->panel_columns, columns = sumi__min_i64(t->panel_columns, t->columns - first);
    const int nv = (int)((columns + V - 1) / V);
    pack_columns(t, windows, pixels, first, columns, b, nv * V);
    for (int64_t r = 0; r < rows; r += MR) {
      const outer_tile c = {.c = t->dw + (first_row + r) * t->columns + first,
                            .stride = t->columns,
                            .rows = sumi__min_i64(MR, rows - r),
                            .columns = columns,
                            .add = first_pixel > 0};
      any_tile(&c, steps, a + r * steps, b, pairs, nv);
    }
  }
}

void SUMI__ISA_NAME(sumi__cpu_weight_grad_items)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__weight_grad_task *t = task;
  char *work = t->work + (size_t)worker * t->work_bytes;
  while (begin < end) {
    const int64_t group = begin / t->column_panels, from = begin % t->column_panels;
    const int64_t to = sumi__min_i64(t->column_panels, from + end - begin);
    for (int64_t p = 0; p < t->pixels; p += BLOCK) run_block(t, work, p, group * t->group_rows, from, to);
    begin += to - from;
  }
}
