/* Parameters out of a file: its types become those of the graph, and O, I, H, W becomes O, H, W, I. */
#include "tensor/load.h"
#include "cpu/convert.h"
#include "cpu/cpu.h"

#include <string.h>

enum { BLOCK = 4096 };

typedef struct load_task {
  const sumi__call *c;
  const sumi__load_attrs *a;
  int64_t area, in; /* of a convolution's weight for one output channel */
} load_task;

/* Values [at, at + n) of the file as f32, n at most BLOCK. */
static void read_block(const load_task *t, int64_t at, int64_t n, float *out) {
  uint64_t aligned[BLOCK / 2];
  const size_t bytes = sumi_dtype_bytes(t->a->from);
  const char *from = (const char *)t->a->data + (size_t)at * bytes;
  const void *values = from;
  if ((uintptr_t)from % bytes != 0) values = memcpy(aligned, from, (size_t)n * bytes);
  if (t->a->from == SUMI_F32)
    memcpy(out, values, (size_t)n * sizeof *out);
  else
    SUMI__ISA_PICK(t->c->ctx, sumi__cpu_to_f32)(out, values, t->a->from, n);
}

static void write_block(const load_task *t, int64_t at, int64_t n, const float *values) {
  char *to = (char *)t->c->out[0] + (size_t)at * sumi_dtype_bytes(t->a->dtype);
  if (t->a->dtype == SUMI_F32)
    memcpy(to, values, (size_t)n * sizeof *values);
  else
    SUMI__ISA_PICK(t->c->ctx, sumi__cpu_from_f32)(to, t->a->dtype, values, n);
}

static void copy_range(void *arg, int64_t begin, int64_t end, int worker) {
  const load_task *t = arg;
  float block[BLOCK];
  (void)worker;
  for (int64_t at = begin; at < end; at += BLOCK) {
    const int64_t n = sumi__min_i64(BLOCK, end - at);
    read_block(t, at, n, block);
    write_block(t, at, n, block);
  }
}

/* One output channel after the other, through a copy of it as f32. */
static void transpose_range(void *arg, int64_t begin, int64_t end, int worker) {
  const load_task *t = arg;
  const int64_t count = t->area * t->in;
  float *values = (float *)t->c->scratch + worker * count, block[BLOCK];
  for (int64_t o = begin; o < end; o++) {
    for (int64_t i = 0; i < count; i += BLOCK)
      read_block(t, o * count + i, sumi__min_i64(BLOCK, count - i), values + i);
    for (int64_t tap = 0; tap < t->area; tap++)
      for (int64_t i = 0; i < t->in; i += BLOCK) {
        const int64_t n = sumi__min_i64(BLOCK, t->in - i);
        for (int64_t k = 0; k < n; k++) block[k] = values[(i + k) * t->area + tap];
        write_block(t, o * count + tap * t->in + i, n, block);
      }
  }
}

static bool transposes(const sumi__load_attrs *a) {
  const int64_t *d = a->shape.dims;
  return a->layout == SUMI__LAYOUT_CONV && d[1] * d[2] > 1 && d[3] > 1;
}

static sumi_status prepare(sumi__prep *p) {
  const sumi__load_attrs *a = p->node->attrs;
  if (transposes(a))
    p->scratch_bytes = (size_t)p->threads * (size_t)(sumi_shape_count(&a->shape) / a->shape.dims[0]) * sizeof(float);
  return SUMI_OK;
}

static sumi_status run(const sumi__call *c) {
  const sumi__load_attrs *a = c->node->attrs;
  const int64_t count = sumi_shape_count(&a->shape), *d = a->shape.dims;
  load_task t = {.c = c, .a = a};
  if (transposes(a)) {
    t.area = d[1] * d[2];
    t.in = d[3];
    sumi__parallel_for(c->threads, d[0], 1, transpose_range, &t);
  } else {
    sumi__parallel_for(c->threads, count, BLOCK, copy_range, &t);
  }
  sumi__load_done(a);
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_load = {.prepare = prepare, .run = run};
