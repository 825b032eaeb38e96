/* Group normalisation and its gradient: how the work is cut; the loops are in isa/group_norm.c. */
#include "cpu/group_norm.h"

#include "cpu/cpu.h"

/* Channels of a vector; a unit's aim, half of a second-level cache; what is beyond units; a chunk's bytes. */
enum { WIDEST = 16, UNIT_FLOATS = 128 * 1024, SMALL_PICTURE = 4 * UNIT_FLOATS, CHUNK_BYTES = 24 * 1024 };

/* Channels of a unit: all of them where a picture is small, else as many whole groups as keep it small, and few enough
 * that every thread gets work. */
static int64_t unit_channels(const sumi__prep *p, const sumi_shape *shape, int groups) {
  const int64_t channels = shape->dims[shape->rank - 1], width = channels / groups;
  const int64_t positions = sumi_shape_count(shape) / shape->dims[0] / channels;
  int64_t units = (positions * channels + UNIT_FLOATS - 1) / UNIT_FLOATS;
  if (shape->dims[0] < p->threads) units = sumi__max_i64(units, (2 * p->threads + shape->dims[0] - 1) / shape->dims[0]);
  units = sumi__min_i64(units, sumi__max_i64(1, channels / WIDEST));
  const int64_t groups_each = sumi__max_i64(1, groups / units);
  return groups_each * width;
}

static int64_t work_floats(int64_t channels, int64_t positions, bool backward) {
  const int64_t row = (channels + WIDEST - 1) / WIDEST * WIDEST;
  return row * (SUMI__GROUP_NORM_ROWS + (backward ? positions : 0));
}

/* x is input `first`. Pointers are left to the run. */
static sumi__group_norm_task task_for(const sumi__prep *p, int first) {
  const sumi_shape *shape = &p->node->inputs[first]->shape;
  const sumi__group_norm_attrs *a = p->node->attrs;
  sumi__group_norm_task t = {.attrs = *a,
                             .dtype = p->node->inputs[first]->dtype,
                             .batch = shape->dims[0],
                             .channels = shape->dims[shape->rank - 1]};
  t.positions = sumi_shape_count(shape) / t.batch / t.channels;
  t.unit_channels = unit_channels(p, shape, a->groups);
  t.units = t.batch * ((t.channels + t.unit_channels - 1) / t.unit_channels);
  t.work_floats = work_floats(t.unit_channels, t.positions, first > 0);
  return t;
}

static sumi_status prepare(sumi__prep *p, int first) {
  sumi__group_norm_task *t = sumi__alloc_zero(p->ctx, sizeof *t);
  if (!t) return SUMI_NO_MEMORY;
  *t = task_for(p, first);
  p->scratch_bytes = (size_t)p->threads * (size_t)t->work_floats * sizeof(float);
  if (first > 0 && t->attrs.affine) p->scratch_bytes += 2 * (size_t)(t->batch * t->channels) * sizeof(float);
  p->state = t;
  return SUMI_OK;
}

/* Pictures that do not stay in a second-level cache go by chunks: whole rows of memory, read once more from the third,
 * are faster than parts of rows from the second. */
static sumi_status prepare_forward(sumi__prep *p) {
  const sumi_status status = prepare(p, 0);
  sumi__group_norm_task *t = p->state;
  if (status != SUMI_OK || t->positions * t->channels <= SMALL_PICTURE) return status;
  t->chunk = sumi__max_i64(16, CHUNK_BYTES / (t->channels * (int64_t)sumi_dtype_bytes(t->dtype)));
  t->chunks = (t->positions + t->chunk - 1) / t->chunk;
  t->unit_channels = t->channels;
  t->work_floats = work_floats(t->channels, t->positions, false);
  p->scratch_bytes =
      sizeof(float) * (size_t)(p->threads * t->work_floats + 2 * t->batch * t->channels * (t->chunks + 1));
  return SUMI_OK;
}
static sumi_status prepare_backward(sumi__prep *p) { return prepare(p, 2); }

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

static void take_inputs(const sumi__call *c, sumi__group_norm_task *t, int first) {
  t->x = c->in[first++];
  t->shift = t->attrs.has_shift ? c->in[first++] : NULL;
  t->gamma = t->attrs.affine ? c->in[first++] : NULL;
  t->beta = t->attrs.affine ? c->in[first] : NULL;
  t->work = c->scratch;
}

static sumi_status run_forward(const sumi__call *c) {
  sumi__group_norm_task t = *(const sumi__group_norm_task *)c->state;
  take_inputs(c, &t, 0);
  t.y = c->out[0];
  t.stats = c->out[1];
  if (t.chunk > 0) {
    const int64_t chunks = t.batch * t.chunks;
    t.chunk_mean = t.work + c->threads * t.work_floats;
    t.chunk_sums = t.chunk_mean + chunks * t.channels;
    t.scale = t.chunk_sums + chunks * t.channels;
    t.offset = t.scale + t.batch * t.channels;
    sumi__parallel_for(c->threads, chunks, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_group_norm_measure), &t);
    sumi__parallel_for(c->threads, t.batch, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_group_norm_join), &t);
    sumi__parallel_for(c->threads, chunks, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_group_norm_apply), &t);
    return SUMI_OK;
  }
  sumi__parallel_for(c->threads, t.units, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_group_norm_units), &t);
  return SUMI_OK;
}

/* ---- The parameters' gradients, from what each picture contributes ---- */

typedef struct fold_task {
  const sumi__group_norm_task *t;
  float *dgamma, *dbeta;
} fold_task;

enum { FOLD = 16 };

static void fold(float *out, const float *of, int64_t batch, int64_t channels, int64_t first, int64_t count) {
  double sum[FOLD] = {0};
  for (int64_t n = 0; n < batch; n++)
    for (int64_t i = 0; i < count; i++) sum[i] += (double)of[n * channels + first + i];
  for (int64_t i = 0; i < count; i++) out[first + i] = (float)sum[i];
}

static void fold_range(void *arg, int64_t begin, int64_t end, int worker) {
  const fold_task *f = arg;
  const sumi__group_norm_task *t = f->t;
  (void)worker;
  for (int64_t c = begin; c < end; c += FOLD) {
    fold(f->dgamma, t->dgamma_of, t->batch, t->channels, c, sumi__min_i64(FOLD, end - c));
    fold(f->dbeta, t->dbeta_of, t->batch, t->channels, c, sumi__min_i64(FOLD, end - c));
  }
}

static sumi_status run_backward(const sumi__call *c) {
  sumi__group_norm_task t = *(const sumi__group_norm_task *)c->state;
  take_inputs(c, &t, 2);
  const union {
    const void *in;
    float *out;
  } stats = {c->in[1]};
  t.dy = c->in[0];
  t.stats = stats.out;
  t.dx = c->out[0];
  t.dshift = t.attrs.has_shift ? c->out[t.attrs.affine ? 3 : 1] : NULL;
  if (t.attrs.affine) {
    t.dgamma_of = t.work + c->threads * t.work_floats;
    t.dbeta_of = t.dgamma_of + t.batch * t.channels;
  }
  sumi__parallel_for(c->threads, t.units, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_group_norm_grad_units), &t);
  if (!t.attrs.affine) return SUMI_OK;
  fold_task f = {&t, c->out[1], c->out[2]};
  sumi__parallel_for(c->threads, t.channels, FOLD, fold_range, &f);
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_group_norm = {.prepare = prepare_forward, .run = run_forward, .destroy = destroy};
const sumi__kernel sumi__cpu_group_norm_grad = {.prepare = prepare_backward, .run = run_backward, .destroy = destroy};
