/* The loops of cpu/thin_conv.h. */
#include "cpu/thin_conv.h"

#include "cpu/isa/panel.h"

enum { NV = SUMI__THIN_CONV_VECTORS, CHUNK = SUMI__THIN_CONV_PIXELS };
#if defined(SUMI__SIMD_AVX512)
enum { MR = 8 };
#else
enum { MR = 4 };
#endif

/* to (rows, nv vectors) = dy (rows, steps) times w (steps, nv vectors), for MR rows or, `one` by one, a single row. */
ALWAYS_INLINE void product_rows(const float *dy, int64_t steps, const float *w, float *to, bool pairs, int nv,
                                bool one) {
  const int rows = one ? 1 : MR;
  vf sums[MR][NV];
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < nv; v++) sums[i][v] = vzero();
  for (int64_t k = 0; k < steps; k++, w += nv * V) {
    vf columns[NV];
    for (int v = 0; v < nv; v++) columns[v] = vload(w + v * V);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
      const vf row = panel_unit(dy + i * steps + k);
      for (int v = 0; v < nv; v++) sums[i][v] = panel_madd(sums[i][v], row, columns[v], pairs);
    }
  }
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < nv; v++) vstore(to + (i * nv + v) * V, sums[i][v]);
}

ALWAYS_INLINE void product_all(const float *dy, int64_t rows, int64_t steps, const float *w, float *to, bool pairs,
                               int nv) {
  int64_t r = 0;
  for (; r + MR <= rows; r += MR) product_rows(dy + r * steps, steps, w, to + r * nv * V, pairs, nv, false);
  for (; r < rows; r++) product_rows(dy + r * steps, steps, w, to + r * nv * V, pairs, nv, true);
}

static void products(const float *dy, int64_t rows, int64_t steps, const float *w, float *to, bool pairs, int nv) {
  if (nv == 3)
    pairs ? product_all(dy, rows, steps, w, to, true, 3) : product_all(dy, rows, steps, w, to, false, 3);
  else if (nv == 2)
    pairs ? product_all(dy, rows, steps, w, to, true, 2) : product_all(dy, rows, steps, w, to, false, 2);
  else
    pairs ? product_all(dy, rows, steps, w, to, true, 1) : product_all(dy, rows, steps, w, to, false, 1);
}

/* Adds one pixel's products to the picture. */
static void add_pixel(const sumi__thin_conv_task *t, int64_t y, int64_t x, const float *from, float *picture) {
  const sumi__conv_attrs *a = &t->attrs;
  for (int64_t kh = 0; kh < a->kernel_h; kh++) {
    const int64_t at_y = y * a->stride_h - a->pad_top + kh * a->dilation_h;
    for (int64_t kw = 0; kw < a->kernel_w; kw++, from += t->in) {
      const int64_t at_x = x * a->stride_w - a->pad_left + kw * a->dilation_w;
      if (!t->inside && ((uint64_t)at_y >= (uint64_t)a->height || (uint64_t)at_x >= (uint64_t)a->width)) continue;
      float *to = picture + (at_y * a->width + at_x) * t->in;
      for (int64_t i = 0; i < t->in; i++) to[i] += from[i];
    }
  }
}

/* 3x3, one channel, nothing outside of the picture: a row of pixels at once. */
static void add_row_3x3(const sumi__thin_conv_task *t, int64_t y, int64_t x, int64_t count, const float *from,
                        float *picture) {
  const int64_t width = t->width, row = t->attrs.width, stride = t->attrs.stride_w;
  float *to = picture + y * t->attrs.stride_h * row + x * stride;
  for (int64_t i = 0; i < count; i++, from += width, to += stride) {
    to[0] += from[0], to[1] += from[1], to[2] += from[2];
    to[row] += from[3], to[row + 1] += from[4], to[row + 2] += from[5];
    to[2 * row] += from[6], to[2 * row + 1] += from[7], to[2 * row + 2] += from[8];
  }
}

static void add_up(const sumi__thin_conv_task *t, int64_t first, int64_t count, const float *from, float *picture) {
  const sumi__conv_attrs *a = &t->attrs;
  const bool plain = t->inside && t->in == 1 && a->kernel_h == 3 && a->kernel_w == 3 && !a->pad_top && !a->pad_left &&
                     a->dilation_h == 1 && a->dilation_w == 1;
  while (count > 0) {
    const int64_t y = first / t->ow, x = first % t->ow, n = sumi__min_i64(count, t->ow - x);
    if (plain)
      add_row_3x3(t, y, x, n, from, picture);
    else
      for (int64_t i = 0; i < n; i++) add_pixel(t, y, x + i, from + i * t->width, picture);
    first += n;
    count -= n;
    from += n * t->width;
  }
}

static void one_picture(const sumi__thin_conv_task *t, int64_t n, char *work) {
  float *product = (float *)(void *)work, *picture = (float *)(void *)(work + t->picture_offset);
  float *wide = (float *)(void *)(work + t->wide_offset);
  const int64_t pixels = t->oh * t->ow, size = t->attrs.height * t->attrs.width * t->in;
  const bool widen = t->dtype != SUMI_F32 && !t->pairs;
  for (int64_t i = 0; i < size; i += t->in)
    for (int64_t c = 0; c < t->in; c++) picture[i + c] = t->bias ? t->bias[c] : 0.0f;
  for (int64_t p = 0; p < pixels; p += CHUNK) {
    const int64_t count = sumi__min_i64(CHUNK, pixels - p), at = (n * pixels + p) * t->out;
    const float *dy = wide;
    if (widen)
      for (int64_t i = 0; i < count * t->out; i += V)
        vstore(wide + i, vload_as_n(t->dy, t->dtype, at + i, sumi__min_i64(V, count * t->out - i)));
    else
      dy = (const float *)(const void *)((const char *)t->dy + (size_t)at * sumi_dtype_bytes(t->dtype));
    products(dy, count, t->pairs ? t->out / 2 : t->out, t->w, product, t->pairs, (int)(t->width / V));
    add_up(t, p, count, product, picture);
  }
  for (int64_t i = 0; i < size; i += V) {
    const int64_t lanes = sumi__min_i64(V, size - i);
    vstore_as_n(t->dx, t->dtype, n * size + i, vload_n(picture + i, lanes), lanes);
  }
}

void SUMI__ISA_NAME(sumi__cpu_thin_conv_pictures)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__thin_conv_task *t = task;
  for (int64_t n = begin; n < end; n++) one_picture(t, n, t->work + (size_t)worker * t->work_bytes);
}
