/* Plans of cpu/taps.h: from a convolution's or product's sizes to classes of rows, packed operands and items of work.
 * The loops are in isa/taps.c. */
#include "cpu/taps.h"

#include <string.h>

void sumi__taps_free(sumi__taps *t) {
  if (!t) return;
  for (int i = 0; t->classes && i < t->n_classes; i++) sumi__free(t->ctx, t->classes[i].taps);
  sumi__free(t->ctx, t->classes);
  sumi__free(t->ctx, t->products);
  sumi__free(t->ctx, t);
}

/* ---- Classes of rows ---- */

/* Whether the rows of the class can meet the tap at all. */
static bool meets(const sumi__taps *t, const sumi__tap_class *cl, int tap) {
  if (!t->gradient) return true;
  const int64_t y = cl->first_h + t->pad_top - tap / t->kernel_w * t->dilation_h;
  const int64_t x = cl->first_w + t->pad_left - tap % t->kernel_w * t->dilation_w;
  return y % t->stride_h == 0 && x % t->stride_w == 0;
}

static sumi_status make_classes(sumi__taps *t) {
  const int64_t step_h = t->gradient ? t->stride_h : 1, step_w = t->gradient ? t->stride_w : 1;
  const int64_t count = sumi__min_i64(step_h, t->c_h) * sumi__min_i64(step_w, t->c_w);
  t->classes = sumi__alloc_array(t->ctx, (size_t)count, sizeof *t->classes);
  if (!t->classes) return SUMI_NO_MEMORY;
  for (int64_t h = 0; h < sumi__min_i64(step_h, t->c_h); h++)
    for (int64_t w = 0; w < sumi__min_i64(step_w, t->c_w); w++) {
      sumi__tap_class *cl = &t->classes[t->n_classes++];
      const int taps = (int)(t->kernel_h * t->kernel_w);
      *cl = (sumi__tap_class){.first_h = h, .first_w = w};
      cl->rows_h = (t->c_h - h + step_h - 1) / step_h;
      cl->rows_w = (t->c_w - w + step_w - 1) / step_w;
      cl->taps = sumi__alloc_array(t->ctx, (size_t)taps, sizeof *cl->taps);
      if (!cl->taps) return SUMI_NO_MEMORY;
      for (int tap = 0; tap < taps; tap++)
        if (meets(t, cl, tap)) cl->taps[cl->n_taps++] = tap;
      t->items += (t->n * cl->rows_h * cl->rows_w + SUMI__TAPS_ROWS - 1) / SUMI__TAPS_ROWS;
      cl->item_end = t->items;
    }
  return SUMI_OK;
}

static sumi__taps *new_taps(sumi_context *ctx, int64_t products) {
  sumi__taps *t = sumi__alloc_zero(ctx, sizeof *t);
  if (!t) return NULL;
  t->ctx = ctx;
  t->threads = ctx->threads;
  t->vector = sumi__isa_floats(ctx->isa);
  t->n_products = products;
  t->products = sumi__alloc_array(ctx, (size_t)products, sizeof *t->products);
  if (t->products) return t;
  sumi__taps_free(t);
  return NULL;
}

static sumi_status finish(sumi__taps *t, sumi__taps **out) {
  t->packed_floats = t->kernel_h * t->kernel_w * t->k * ((t->columns + t->vector - 1) / t->vector * t->vector);
  const sumi_status status = make_classes(t);
  if (status == SUMI_OK)
    *out = t;
  else
    sumi__taps_free(t);
  return status;
}

/* ---- What is computed ---- */

sumi_status sumi__taps_conv_create(sumi_context *ctx, const sumi__dnn_conv *s, sumi__taps **out) {
  const int64_t g = s->groups, i = s->i / g, o = s->o / g, taps = s->kh * s->kw;
  sumi__taps *t = new_taps(ctx, g);
  *out = NULL;
  if (!t) return SUMI_NO_MEMORY;
  t->gradient = s->kind == SUMI__DNN_CONV_INPUT_GRAD;
  t->n = s->n;
  t->c_h = t->gradient ? s->h : s->oh, t->c_w = t->gradient ? s->w : s->ow;
  t->a_h = t->gradient ? s->oh : s->h, t->a_w = t->gradient ? s->ow : s->w;
  t->kernel_h = s->kh, t->kernel_w = s->kw;
  t->stride_h = s->stride_h, t->stride_w = s->stride_w;
  t->pad_top = s->pad_top, t->pad_left = s->pad_left;
  t->dilation_h = s->dilation_h, t->dilation_w = s->dilation_w;
  t->k = t->gradient ? o : i, t->columns = t->gradient ? i : o;
  t->a_stride = t->gradient ? s->o : s->i, t->c_stride = t->gradient ? s->i : s->o;
  t->b_tap = i; /* O, KH, KW, I/groups */
  t->b_k = t->gradient ? taps * i : 1, t->b_column = t->gradient ? 1 : taps * i;
  t->b_product = o * taps * i;
  t->b_count = g;
  for (int64_t p = 0; p < g; p++) {
    t->products[p] = (sumi__tap_product){.a = p * t->k, .c = p * t->columns, .column = p * t->columns};
    t->products[p].b = p * taps * t->k * ((t->columns + t->vector - 1) / t->vector * t->vector);
  }
  return finish(t, out);
}

/* Which matrix of an operand meets the p-th of the result; leading dimensions of 1 repeat. */
static int64_t matrix_of(const sumi__dnn_matmul *s, const int64_t *batch, int64_t p) {
  int64_t index = 0, stride = 1;
  for (int d = s->batch_dims - 1; d >= 0; d--) {
    const int64_t size = sumi__max_i64(s->batch_a[d], s->batch_b[d]), at = p % size;
    p /= size;
    index += batch[d] == 1 ? 0 : at * stride;
    stride *= batch[d];
  }
  return index;
}

sumi_status sumi__taps_matmul_create(sumi_context *ctx, const sumi__dnn_matmul *s, sumi__taps **out) {
  int64_t products = 1, count_a = 1, count_b = 1;
  for (int d = 0; d < s->batch_dims; d++) {
    products *= sumi__max_i64(s->batch_a[d], s->batch_b[d]);
    count_a *= s->batch_a[d];
    count_b *= s->batch_b[d];
  }
  sumi__taps *t = new_taps(ctx, products);
  *out = NULL;
  if (!t) return SUMI_NO_MEMORY;
  t->n = 1;
  t->c_h = t->a_h = 1, t->c_w = t->a_w = s->m; /* a row of pixels with k channels */
  t->kernel_h = t->kernel_w = t->stride_h = t->stride_w = t->dilation_h = t->dilation_w = 1;
  t->k = s->k, t->columns = s->n;
  t->a_stride = s->k, t->c_stride = s->n;
  t->b_k = s->transpose_b ? 1 : s->n, t->b_column = s->transpose_b ? s->k : 1;
  t->b_product = s->k * s->n;
  t->b_count = count_b;
  t->transposed = s->transpose_a ? count_a : 0;
  for (int64_t p = 0; p < products; p++) {
    t->products[p] = (sumi__tap_product){.a = matrix_of(s, s->batch_a, p) * s->m * s->k, .c = p * s->m * s->n};
    t->products[p].b = matrix_of(s, s->batch_b, p) * s->k * ((s->n + t->vector - 1) / t->vector * t->vector);
  }
  return finish(t, out);
}

/* ---- Packing: for each product, panels of a few vectors of columns: (taps, k, columns) ---- */

typedef struct pack_task {
  const sumi__taps *t;
  const float *b;
  float *packed;
} pack_task;

static void pack_panel(const sumi__taps *t, const float *b, int64_t column, int64_t columns, float *to) {
  const int64_t width = (columns + t->vector - 1) / t->vector * t->vector;
  for (int64_t tap = 0; tap < t->kernel_h * t->kernel_w; tap++)
    for (int64_t k = 0; k < t->k; k++, to += width) {
      const float *from = b + tap * t->b_tap + k * t->b_k + column * t->b_column;
      for (int64_t i = 0; i < columns; i++) to[i] = from[i * t->b_column];
      for (int64_t i = columns; i < width; i++) to[i] = 0.0f;
    }
}

static void pack_range(void *arg, int64_t begin, int64_t end, int worker) {
  const pack_task *task = arg;
  const sumi__taps *t = task->t;
  const int64_t panel = SUMI__TAPS_VECTORS * t->vector, panels = (t->columns + panel - 1) / panel;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const int64_t column = i % panels * panel, product = i / panels;
    pack_panel(t, task->b + product * t->b_product, column, sumi__min_i64(panel, t->columns - column),
               task->packed + product * t->packed_floats + column * t->kernel_h * t->kernel_w * t->k);
  }
}

void sumi__taps_pack(const sumi__taps *t, const float *b, float *packed) {
  const int64_t panel = SUMI__TAPS_VECTORS * t->vector, panels = (t->columns + panel - 1) / panel;
  pack_task task = {t, b, packed};
  sumi__parallel_for(t->threads, panels * t->b_count, 1, pack_range, &task);
}

uint64_t sumi__taps_packed_layout(const sumi__taps *t) {
  const int64_t layout[] = {t->kernel_h, t->kernel_w, t->k,        t->columns,  t->vector,
                            t->b_tap,    t->b_k,      t->b_column, t->b_product};
  return sumi__hash(layout, sizeof layout, 0);
}

size_t sumi__taps_packed_bytes(const sumi__taps *t) { return (size_t)(t->b_count * t->packed_floats) * sizeof(float); }

/* ---- Running ---- */

static size_t table_bytes(const sumi__taps *t) {
  return sumi__align_up((size_t)(SUMI__TAPS_ROWS * (1 + t->kernel_h * t->kernel_w)) * sizeof(float *), 64);
}
static size_t zero_bytes(const sumi__taps *t) { return sumi__align_up((size_t)t->k * sizeof(float), 64); }

size_t sumi__taps_scratch_bytes(const sumi__taps *t) {
  const size_t transposed = (size_t)(t->transposed * t->k * t->c_w) * sizeof(float);
  return (size_t)t->threads * table_bytes(t) + zero_bytes(t) + transposed;
}

typedef struct transpose_task {
  const float *from;
  float *to;
  int64_t rows, columns; /* of the result */
} transpose_task;

static void transpose_range(void *arg, int64_t begin, int64_t end, int worker) {
  const transpose_task *t = arg;
  (void)worker;
  for (int64_t r = begin; r < end; r++) {
    const float *from = t->from + r / t->rows * t->rows * t->columns + r % t->rows;
    for (int64_t i = 0; i < t->columns; i++) t->to[r * t->columns + i] = from[i * t->rows];
  }
}

void sumi__taps_run(const sumi__taps *t, const float *a, const float *packed, const float *bias, float *c,
                    void *scratch) {
  char *zeros = (char *)scratch + (size_t)t->threads * table_bytes(t);
  float *transposed = (float *)(void *)(zeros + zero_bytes(t));
  memset(zeros, 0, zero_bytes(t));
  if (t->transposed) {
    transpose_task task = {a, transposed, t->c_w, t->k};
    sumi__parallel_for(t->threads, t->transposed * t->c_w, 16, transpose_range, &task);
  }
  sumi__taps_call call = {.t = t,
                          .a = t->transposed ? transposed : a,
                          .b = packed,
                          .bias = bias,
                          .zeros = (const float *)(const void *)zeros,
                          .c = c,
                          .work = scratch,
                          .work_bytes = table_bytes(t)};
  sumi__parallel_for(t->threads, t->items * t->n_products, 1, SUMI__ISA_PICK(t->ctx, sumi__cpu_taps_items), &call);
}
