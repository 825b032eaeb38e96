/* Pooling, nearest upsampling, bilinear resizing, and the gradients of all: rows of the result are shared among the
 * threads. */
#include "cpu/pictures.h"

#include "cpu/cpu.h"
#include "ops/attrs.h"

#include <string.h>

static sumi_status over_rows(const sumi__call *c, sumi__range_fn body) {
  const int64_t *d = c->node->outputs[0]->shape.dims;
  sumi__parallel_for(c->threads, d[0] * d[1], 8192 / (d[2] * d[3]) + 1, body, (void *)c);
  return SUMI_OK;
}

/* ---- Pooling ---- */

static sumi_status run_average(const sumi__call *c) {
  return over_rows(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_avg_pool_range));
}
static sumi_status run_average_grad(const sumi__call *c) {
  return over_rows(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_avg_pool_grad_range));
}
static sumi_status run_maximum(const sumi__call *c) {
  return over_rows(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_max_pool_range));
}
static sumi_status run_maximum_grad(const sumi__call *c) {
  sumi__parallel_for(c->threads, c->node->outputs[0]->shape.dims[0], 1,
                     SUMI__ISA_PICK(c->ctx, sumi__cpu_max_pool_grad_range), (void *)c);
  return SUMI_OK;
}

static bool adds_in_f32(const sumi__prep *p) {
  const sumi__pool_attrs *a = p->node->attrs;
  return a->kernel <= a->stride || p->node->outputs[0]->dtype == SUMI_F32;
}

const sumi__kernel sumi__cpu_avg_pool2d = {.run = run_average};
const sumi__kernel sumi__cpu_avg_pool2d_grad = {.run = run_average_grad};
const sumi__kernel sumi__cpu_max_pool2d = {.run = run_maximum};
const sumi__kernel sumi__cpu_max_pool2d_grad = {.supports = adds_in_f32, .run = run_maximum_grad};

/* ---- Nearest upsampling ---- */

/* Rows of x: each becomes factor_h equal rows of y. */
static void upsample_range(void *arg, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = arg;
  const sumi__upsample_attrs *a = c->node->attrs;
  const int64_t *d = c->node->inputs[0]->shape.dims;
  const size_t pixel = (size_t)d[3] * sumi_dtype_bytes(c->node->inputs[0]->dtype);
  const size_t row_bytes = pixel * (size_t)(d[2] * a->factor_w);
  (void)worker;
  for (int64_t row = begin; row < end; row++) {
    char *first = (char *)c->out[0] + (size_t)(row * a->factor_h) * row_bytes, *to = first;
    for (int64_t w = 0; w < d[2]; w++)
      for (int k = 0; k < a->factor_w; k++, to += pixel)
        memcpy(to, (const char *)c->in[0] + (size_t)(row * d[2] + w) * pixel, pixel);
    for (int k = 1; k < a->factor_h; k++) memcpy(first + (size_t)k * row_bytes, first, row_bytes);
  }
}

static sumi_status run_upsample(const sumi__call *c) {
  const int64_t *d = c->node->inputs[0]->shape.dims;
  sumi__parallel_for(c->threads, d[0] * d[1], 4096 / (d[2] * d[3]) + 1, upsample_range, (void *)c);
  return SUMI_OK;
}
static sumi_status run_upsample_grad(const sumi__call *c) {
  return over_rows(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_upsample_grad_range));
}

const sumi__kernel sumi__cpu_upsample_nearest = {.run = run_upsample};
const sumi__kernel sumi__cpu_upsample_nearest_grad = {.run = run_upsample_grad};

/* ---- Bilinear resizing ---- */

static sumi_status plan_side(sumi_context *ctx, sumi__resize_side *s, int64_t in, int64_t out, bool align_corners) {
  s->taps = sumi__alloc_array(ctx, (size_t)out, sizeof *s->taps);
  s->first = sumi__alloc_array(ctx, (size_t)in, sizeof *s->first);
  s->last = sumi__alloc_array(ctx, (size_t)in, sizeof *s->last);
  if (!s->taps || !s->first || !s->last) return SUMI_NO_MEMORY;
  for (int64_t i = 0; i < in; i++) {
    s->first[i] = out;
    s->last[i] = -1;
  }
  for (int64_t o = 0; o < out; o++) {
    const sumi__resize_tap tap = s->taps[o] = sumi__resize_at(o, in, out, align_corners);
    s->first[tap.low] = sumi__min_i64(s->first[tap.low], o);
    s->first[tap.high] = sumi__min_i64(s->first[tap.high], o);
    s->last[tap.low] = s->last[tap.high] = o;
  }
  return SUMI_OK;
}

static void free_plan(sumi_context *ctx, void *state) {
  sumi__resize_plan *p = state;
  if (!p) return;
  sumi__resize_side *sides[] = {&p->h, &p->w};
  for (int i = 0; i < 2; i++) {
    sumi__free(ctx, sides[i]->taps);
    sumi__free(ctx, sides[i]->first);
    sumi__free(ctx, sides[i]->last);
  }
  sumi__free(ctx, p);
}

static sumi_status prepare_resize(sumi__prep *prep) {
  const sumi__resize_attrs *a = prep->node->attrs;
  sumi__resize_plan *p = sumi__alloc_zero(prep->ctx, sizeof *p);
  if (!p) return SUMI_NO_MEMORY;
  sumi_status status = plan_side(prep->ctx, &p->h, a->in_h, a->out_h, a->align_corners);
  if (status == SUMI_OK) status = plan_side(prep->ctx, &p->w, a->in_w, a->out_w, a->align_corners);
  if (status == SUMI_OK)
    prep->state = p;
  else
    free_plan(prep->ctx, p);
  return status;
}

static sumi_status run_resize(const sumi__call *c) {
  return over_rows(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_resize_range));
}
static sumi_status run_resize_grad(const sumi__call *c) {
  return over_rows(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_resize_grad_range));
}

const sumi__kernel sumi__cpu_resize_bilinear = {.prepare = prepare_resize, .run = run_resize, .destroy = free_plan};
const sumi__kernel sumi__cpu_resize_bilinear_grad = {
    .prepare = prepare_resize, .run = run_resize_grad, .destroy = free_plan};
