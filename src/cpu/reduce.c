/* sum and max over any axes. Dimensions that are treated alike are joined, so that kept and reduced ones alternate;
 * the innermost then decides: either runs of memory are reduced to one number each, or rows are added up column by
 * column. Work is cut into units of some thousand elements. Where there are fewer results than threads, the units of
 * one result are split between threads and their partial sums joined in order. */
#include "cpu/reduce.h"

#include "cpu/cpu.h"
#include "ops/ops.h"

enum { TILE = 512, RUN = 8192, ROWS = 128, WIDE_ROW = 128, SMALL = 32768 };

/* Dimensions to step through, outermost first. */
typedef struct steps {
  int n;
  int64_t count; /* of all combinations */
  int64_t dims[SUMI_MAX_RANK], strides[SUMI_MAX_RANK];
} steps;

typedef struct reduction {
  sumi_dtype dtype;
  bool runs;        /* the innermost dimension is reduced */
  steps kept;       /* all kept dimensions but an innermost one */
  steps outer;      /* all reduced dimensions but the innermost of them */
  int64_t length;   /* of the innermost reduced dimension */
  int64_t width;    /* of the innermost kept dimension, if not `runs`; else 1 */
  int64_t tiles;    /* of columns, up to TILE each */
  int64_t pieces;   /* of the innermost reduced dimension */
  int64_t together; /* rows that are taken as a wide one */
  int64_t parts;    /* into which the units of one result are split */
} reduction;

static void push(steps *s, int64_t dim, int64_t stride) {
  s->dims[s->n] = dim;
  s->strides[s->n++] = stride;
  s->count *= dim;
}

static int64_t offset_of(const steps *s, int64_t index) {
  int64_t at = 0;
  for (int d = s->n - 1; d >= 0; d--) {
    at += index % s->dims[d] * s->strides[d];
    index /= s->dims[d];
  }
  return at;
}

/* Joins neighbours of the same kind, drops dimensions of size 1 and sorts the rest. */
static void collapse(reduction *r, const sumi_shape *shape, const bool *axes) {
  int64_t dims[SUMI_MAX_RANK], stride = 1;
  bool reduced[SUMI_MAX_RANK];
  int n = 0;
  for (int d = 0; d < shape->rank; d++) {
    if (shape->dims[d] == 1) continue;
    if (n && reduced[n - 1] == axes[d]) {
      dims[n - 1] *= shape->dims[d];
    } else {
      dims[n] = shape->dims[d];
      reduced[n++] = axes[d];
    }
  }
  *r = (reduction){.length = 1, .width = 1, .kept.count = 1, .outer.count = 1};
  r->runs = n > 0 && reduced[n - 1];
  if (n && !r->runs) stride = r->width = dims[--n];
  if (n && reduced[n - 1]) r->length = dims[--n];
  int64_t strides[SUMI_MAX_RANK];
  stride *= r->length;
  for (int d = n - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= dims[d];
  }
  for (int d = 0; d < n; d++) push(reduced[d] ? &r->outer : &r->kept, dims[d], strides[d]);
}

static int64_t units(const reduction *r) { return r->outer.count * r->pieces; }
static int64_t jobs(const reduction *r) { return r->kept.count * r->tiles; }

static sumi_status prepare(sumi__prep *p) {
  const sumi__reduce_attrs *a = p->node->attrs;
  const sumi_tensor *x = p->node->inputs[0];
  reduction *r = sumi__alloc(p->ctx, sizeof *r);
  if (!r) return SUMI_NO_MEMORY;
  collapse(r, &x->shape, a->axes);
  r->dtype = x->dtype;
  r->tiles = (r->width + TILE - 1) / TILE;
  r->together = 1;
  if (!r->runs && r->width < WIDE_ROW) { /* narrow rows side by side fill more vectors */
    int64_t whole = 1;
    while (whole < 16 && r->width * whole % 16 != 0) whole *= 2;
    if (r->width * whole > 2 * WIDE_ROW) whole = 1;
    r->together = whole * sumi__max_i64(1, WIDE_ROW / (r->width * whole));
    if (r->length < 2 * r->together) r->together = 1;
  }
  r->pieces = r->runs ? (r->length + RUN - 1) / RUN : (r->length + ROWS * r->together - 1) / (ROWS * r->together);
  r->parts = 1;
  if (jobs(r) < 2 * p->threads && sumi__count(x) >= SMALL) r->parts = sumi__min_i64(p->threads, units(r));
  if (r->parts > 1) p->scratch_bytes = (size_t)(r->parts * sumi__count(p->node->outputs[0])) * sizeof(double);
  p->state = r;
  return SUMI_OK;
}

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

/* ---- Execution ---- */

typedef struct work {
  const sumi__call *call;
  const reduction *r;
  const sumi__reduce_loops *loops;
} work;

static void reduce_run_piece(const work *w, int64_t at, int64_t piece, double *acc) {
  const int64_t begin = piece * RUN, n = sumi__min_i64(RUN, w->r->length - begin);
  acc[0] = w->loops->join(acc[0], w->loops->run(w->call->in[0], w->r->dtype, at + begin, n));
}

/* Rows [begin, end) of one tile of columns; wide ones first, then what is left of narrow ones. */
static void reduce_rows_piece(const work *w, int64_t at, int64_t piece, int64_t width, double *acc) {
  const reduction *r = w->r;
  const int64_t step = ROWS * r->together, begin = piece * step;
  const int64_t n = sumi__min_i64(step, r->length - begin), wide = n / r->together;
  const void *x = w->call->in[0];
  at += begin * r->width;
  if (r->together == 1) {
    w->loops->rows(acc, x, r->dtype, at, n, width, r->width);
    return;
  }
  double across[2 * WIDE_ROW];
  const int64_t wide_width = r->together * r->width;
  for (int64_t i = 0; i < wide_width; i++) across[i] = w->loops->start;
  w->loops->rows(across, x, r->dtype, at, wide, wide_width, wide_width);
  for (int64_t i = 0; i < wide_width; i++) acc[i % r->width] = w->loops->join(acc[i % r->width], across[i]);
  w->loops->rows(acc, x, r->dtype, at + wide * wide_width, n - wide * r->together, r->width, r->width);
}

/* A part of the units of one job: one result, or one tile of columns. */
static void reduce_job(const work *w, int64_t job, int64_t part) {
  const reduction *r = w->r;
  const int64_t group = job / r->tiles, column = job % r->tiles * TILE;
  const int64_t width = sumi__min_i64(TILE, r->width - column), result = group * r->width + column;
  const int64_t base = offset_of(&r->kept, group) + column;
  const int64_t begin = units(r) * part / r->parts, end = units(r) * (part + 1) / r->parts;
  double acc[TILE];
  for (int64_t i = 0; i < width; i++) acc[i] = w->loops->start;
  for (int64_t u = begin; u < end; u++) {
    const int64_t at = base + offset_of(&r->outer, u / r->pieces);
    if (r->runs)
      reduce_run_piece(w, at, u % r->pieces, acc);
    else
      reduce_rows_piece(w, at, u % r->pieces, width, acc);
  }
  if (r->parts == 1) {
    for (int64_t i = 0; i < width; i++) ((float *)w->call->out[0])[result + i] = (float)acc[i];
  } else {
    double *partial = (double *)w->call->scratch + part * r->kept.count * r->width + result;
    for (int64_t i = 0; i < width; i++) partial[i] = acc[i];
  }
}

static void run_range(void *arg, int64_t begin, int64_t end, int index) {
  const work *w = arg;
  (void)index;
  for (int64_t i = begin; i < end; i++) reduce_job(w, i / w->r->parts, i % w->r->parts);
}

static sumi_status run_loops(const sumi__call *c, const sumi__reduce_loops *loops) {
  const reduction *r = c->state;
  work w = {c, r, loops};
  const int64_t each = sumi__count(c->node->inputs[0]) / (jobs(r) * r->parts);
  sumi__parallel_for(c->threads, jobs(r) * r->parts, r->parts > 1 ? 1 : 16384 / (each + 1) + 1, run_range, &w);
  if (r->parts == 1) return SUMI_OK;
  const int64_t results = r->kept.count * r->width;
  const double *partial = c->scratch;
  for (int64_t i = 0; i < results; i++) {
    double total = partial[i];
    for (int64_t k = 1; k < r->parts; k++) total = loops->join(total, partial[k * results + i]);
    ((float *)c->out[0])[i] = (float)total;
  }
  return SUMI_OK;
}

static sumi_status run_sum(const sumi__call *c) {
  return run_loops(c, SUMI__ISA_PICK_TABLE(c->ctx, sumi__cpu_sum_loops));
}
static sumi_status run_max(const sumi__call *c) {
  return run_loops(c, SUMI__ISA_PICK_TABLE(c->ctx, sumi__cpu_max_loops));
}

const sumi__kernel sumi__cpu_sum = {.prepare = prepare, .run = run_sum, .destroy = destroy};
const sumi__kernel sumi__cpu_max = {.prepare = prepare, .run = run_max, .destroy = destroy};
