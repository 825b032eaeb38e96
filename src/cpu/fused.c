/* Chains of elementwise operators (sumi__op_fused). The result is cut into
 * blocks of a few hundred elements, and each block goes through the whole chain
 * while it lies in the first-level cache: memory is read once for each input
 * and written once.
 *
 * Inputs broadcast to the result's shape. Dimensions along which all inputs
 * move alike are joined first; what remains is few. A block is a box of them:
 * some rows of one dimension with everything inside of it. An f32 input that is
 * contiguous over the box is read where it lies; others are converted and
 * repeated into a buffer, which is kept as long as the next box starts at the
 * same element of that input (a bias, a picture's time embedding). */
#include "cpu/blocks.h"
#include "cpu/convert.h"
#include "cpu/cpu.h"
#include "ops/ops.h"

#include <string.h>

enum { MAX_DIMS = SUMI_MAX_RANK + 1, MAX_SLOTS = SUMI__FUSED_MAX_OPS + SUMI__FUSED_MAX_INPUTS };

/* Where a value is found: an input, or a slot of the worker's buffer. */
typedef struct place {
  bool in_slot;
  int index;
} place;

typedef struct instruction {
  sumi__block_fn run; /* NULL: by the operator's scalar function */
  const sumi__op *op;
  const void *attrs;
  place args[3];
  int slot; /* of its result; -1: the chain's result itself */
} instruction;

typedef struct source {
  sumi_dtype dtype;
  int64_t strides[MAX_DIMS]; /* in elements, 0 where it repeats */
  bool direct;               /* read where it lies */
  int slot;                  /* else: where it is loaded to */
} source;

typedef struct fused_state {
  int n_dims;
  int64_t dims[MAX_DIMS];
  int split;      /* the dimension that is cut; all after it are inside of a block */
  int64_t rows;   /* of it in a block */
  int64_t inside; /* elements in each row */
  int64_t cuts, blocks;
  int n_inputs, n_instructions, n_slots;
  source sources[SUMI__FUSED_MAX_INPUTS];
  instruction code[SUMI__FUSED_MAX_OPS];
  place result; /* of the chain where no instruction writes it: a chain of mere
                   loads */
  sumi_dtype dtype;
} fused_state;

/* ---- Preparation ---- */

static sumi__block_fn find_block(const sumi_context *ctx, const char *name) {
  const sumi__block *b = *SUMI__ISA_PICK_TABLE(ctx, sumi__cpu_blocks);
  while (b->name && strcmp(b->name, name) != 0) b++;
  return b->run;
}

/* Joins dimensions that every input walks through as if they were one, and
 * drops those of size 1. A first one of size 1 stays, so that there is always
 * one to cut. */
static void collapse(fused_state *s, const sumi__node *n) {
  const sumi_shape *shape = &n->outputs[0]->shape;
  int64_t strides[SUMI__FUSED_MAX_INPUTS][SUMI_MAX_RANK];
  for (int i = 0; i < s->n_inputs; i++) sumi__broadcast_strides(&n->inputs[i]->shape, shape, strides[i]);
  s->n_dims = 1;
  s->dims[0] = 1;
  for (int d = 0; d < shape->rank; d++) {
    if (shape->dims[d] == 1) continue;
    const int last = s->n_dims - 1;
    bool join = last > 0;
    for (int i = 0; i < s->n_inputs && join; i++) join = s->sources[i].strides[last] == strides[i][d] * shape->dims[d];
    const int at = join ? last : s->n_dims++;
    s->dims[at] = join ? s->dims[at] * shape->dims[d] : shape->dims[d];
    for (int i = 0; i < s->n_inputs; i++) s->sources[i].strides[at] = strides[i][d];
  }
}

static void choose_blocks(fused_state *s, int64_t room) {
  s->split = s->n_dims - 1;
  s->inside = 1;
  while (s->split > 0 && s->inside * s->dims[s->split] <= room) s->inside *= s->dims[s->split--];
  const int64_t length = s->dims[s->split];
  s->rows = sumi__min_i64(length, sumi__max_i64(1, room / s->inside));
  s->cuts = (length + s->rows - 1) / s->rows;
  s->rows = (length + s->cuts - 1) / s->cuts; /* of the same size, or whole vectors */
  if (s->inside == 1) s->rows = sumi__min_i64(length, (s->rows + 15) / 16 * 16);
  s->cuts = (length + s->rows - 1) / s->rows;
  s->blocks = s->cuts;
  for (int d = 0; d < s->split; d++) s->blocks *= s->dims[d];
}

/* Whether everything from dimension d on is one run of memory. */
static bool contiguous_from(const fused_state *s, const source *x, int d) {
  int64_t stride = 1;
  for (int k = s->n_dims - 1; k >= d; k--) {
    if (x->strides[k] != stride && s->dims[k] != 1) return false;
    stride *= s->dims[k];
  }
  return true;
}

static place resolve(const fused_state *s, const place *values, int arg) {
  if (arg >= s->n_inputs) return values[arg - s->n_inputs];
  const source *x = &s->sources[arg];
  return x->direct ? (place){false, arg} : (place){true, x->slot};
}

/* A slot that no living value has. last_use[slot]: the instruction that reads
 * it last. */
static int take_slot(fused_state *s, const int *last_use, int now) {
  for (int k = 0; k < s->n_slots; k++)
    if (last_use[k] <= now) return k;
  return s->n_slots++;
}

static bool is_load(const sumi__op *op) { return op == &sumi__op_cast || op == &sumi__op_broadcast; }

/* The chain's last reader of the value of op k, looking through loads. */
static int last_reader(const sumi__fused_attrs *a, int n_inputs, int k) {
  int last = k;
  for (int r = k + 1; r < a->n_ops; r++)
    for (int i = 0; i < 3; i++)
      if (a->ops[r].args[i] == n_inputs + k) {
        const int through = is_load(a->ops[r].op) ? last_reader(a, n_inputs, r) : r;
        if (through > last) last = through;
      }
  return last;
}

static void compile_chain(sumi_context *ctx, fused_state *s, const sumi__fused_attrs *a) {
  place values[SUMI__FUSED_MAX_OPS];
  int last_use[MAX_SLOTS];
  for (int k = 0; k < MAX_SLOTS; k++) last_use[k] = k < s->n_slots ? SUMI__FUSED_MAX_OPS : -1;
  for (int k = 0; k < a->n_ops; k++) {
    const sumi__op *op = a->ops[k].op;
    if (is_load(op)) { /* arithmetic inside is f32 whatever the types */
      values[k] = resolve(s, values, a->ops[k].args[0]);
      continue;
    }
    instruction *c = &s->code[s->n_instructions++];
    *c = (instruction){.run = find_block(ctx, op->name), .op = op, .attrs = a->ops[k].attrs};
    for (int i = 0; i < 3; i++) c->args[i] = resolve(s, values, a->ops[k].args[i]);
    c->slot = take_slot(s, last_use, k);
    last_use[c->slot] = last_reader(a, s->n_inputs, k);
    values[k] = (place){true, c->slot};
  }
  s->result = values[a->n_ops - 1];
  if (s->dtype != SUMI_F32 || !s->n_instructions) return;
  instruction *end = &s->code[s->n_instructions - 1];
  if (s->result.in_slot && end->slot == s->result.index) end->slot = -1; /* straight to memory */
}

static int scratch_slots(const fused_state *s) { return s->n_slots > 0 ? s->n_slots : 1; }
static int64_t slot_floats(const fused_state *s) { return (s->rows * s->inside + 15) / 16 * 16; }

static sumi_status prepare(sumi__prep *p) {
  const sumi__fused_attrs *a = p->node->attrs;
  fused_state *s = sumi__alloc_zero(p->ctx, sizeof *s);
  if (!s) return SUMI_NO_MEMORY;
  s->n_inputs = p->node->n_inputs;
  s->dtype = p->node->outputs[0]->dtype;
  collapse(s, p->node);
  choose_blocks(s, s->n_inputs + a->n_ops <= 6 ? 1024 : 512);
  for (int i = 0; i < s->n_inputs; i++) {
    source *x = &s->sources[i];
    x->dtype = p->node->inputs[i]->dtype;
    x->direct = x->dtype == SUMI_F32 && contiguous_from(s, x, s->split);
    if (!x->direct) x->slot = s->n_slots++;
  }
  compile_chain(p->ctx, s, a);
  p->scratch_bytes = (size_t)p->threads * (size_t)scratch_slots(s) * (size_t)slot_floats(s) * sizeof(float);
  p->state = s;
  return SUMI_OK;
}

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

/* ---- Execution ---- */

typedef struct worker {
  const sumi__call *call;
  const fused_state *state;
  float *slots;
  int64_t slot_floats;
  int64_t loaded_at[SUMI__FUSED_MAX_INPUTS]; /* the element that the loaded box
                                                starts at; -1: none */
  int64_t loaded_rows[SUMI__FUSED_MAX_INPUTS];
} worker;

static float *slot(const worker *w, int index) { return w->slots + index * w->slot_floats; }

static void convert(const worker *w, float *to, const void *from, sumi_dtype dtype, int64_t at, int64_t count) {
  const char *bytes = (const char *)from + (size_t)at * sumi_dtype_bytes(dtype);
  SUMI__ISA_PICK(w->call->ctx, sumi__cpu_to_f32)(to, bytes, dtype, count);
}

/* `count` single elements, each repeated `times` times. */
static void load_repeated(const worker *w, int input, int64_t at, int64_t count, int64_t times, float *to) {
  enum { SOME = 64 };
  float some[SOME];
  for (int64_t begin = 0; begin < count; begin += SOME) {
    const int64_t n = sumi__min_i64(SOME, count - begin);
    convert(w, some, w->call->in[input], w->state->sources[input].dtype, at + begin, n);
    for (int64_t k = 0; k < n; k++, to += times)
      for (int64_t i = 0; i < times; i++) to[i] = some[k];
  }
}

/* Writes `length` steps of dimension d of an input, with all that is inside of
 * them. */
static void load_box(const worker *w, int input, int d, int64_t length, int64_t at, float *to) {
  const fused_state *s = w->state;
  const source *x = &s->sources[input];
  const int64_t stride = x->strides[d];
  int64_t inside = 1;
  for (int k = d + 1; k < s->n_dims; k++) inside *= s->dims[k];
  if (contiguous_from(s, x, d)) {
    convert(w, to, w->call->in[input], x->dtype, at, length * inside);
  } else if (d == s->n_dims - 1) { /* not contiguous, so its stride is 0 */
    load_repeated(w, input, at, 1, length, to);
  } else if (d == s->n_dims - 2 && stride == 1) {
    load_repeated(w, input, at, length, inside, to);
  } else if (stride == 0) {
    load_box(w, input, d + 1, s->dims[d + 1], at, to);
    for (int64_t k = 1; k < length; k++) memcpy(to + k * inside, to, (size_t)inside * sizeof *to);
  } else {
    for (int64_t k = 0; k < length; k++) load_box(w, input, d + 1, s->dims[d + 1], at + k * stride, to + k * inside);
  }
}

/* The element of each input that block b starts at. */
static void block_start(const fused_state *s, int64_t b, int64_t *first_row, int64_t *at) {
  *first_row = b % s->cuts * s->rows;
  b /= s->cuts;
  for (int i = 0; i < s->n_inputs; i++) at[i] = *first_row * s->sources[i].strides[s->split];
  for (int d = s->split - 1; d >= 0; d--) {
    const int64_t index = b % s->dims[d];
    b /= s->dims[d];
    for (int i = 0; i < s->n_inputs; i++) at[i] += index * s->sources[i].strides[d];
  }
}

static void load_inputs(worker *w, int64_t rows, const int64_t *at, const float **inputs) {
  const fused_state *s = w->state;
  for (int i = 0; i < s->n_inputs; i++) {
    const source *x = &s->sources[i];
    if (x->direct) {
      inputs[i] = (const float *)w->call->in[i] + at[i];
      continue;
    }
    inputs[i] = slot(w, x->slot);
    if (w->loaded_at[i] == at[i] && rows <= w->loaded_rows[i]) continue;
    load_box(w, i, s->split, rows, at[i], slot(w, x->slot));
    w->loaded_at[i] = at[i];
    w->loaded_rows[i] = rows;
  }
}

static void run_scalar(const instruction *c, float *y, const float *const *x, int64_t n) {
  for (int64_t e = 0; e < n; e++) {
    const float values[3] = {x[0][e], x[1][e], x[2][e]};
    y[e] = c->op->scalar(values, c->attrs);
  }
}

static const float *address(const worker *w, const float *const *inputs, place p) {
  return p.in_slot ? slot(w, p.index) : inputs[p.index];
}

static void run_block(worker *w, int64_t b) {
  const fused_state *s = w->state;
  int64_t at[SUMI__FUSED_MAX_INPUTS], first_row;
  const float *inputs[SUMI__FUSED_MAX_INPUTS];
  block_start(s, b, &first_row, at);
  const int64_t rows = sumi__min_i64(s->rows, s->dims[s->split] - first_row), count = rows * s->inside;
  const int64_t out_at = (b / s->cuts * s->dims[s->split] + first_row) * s->inside;
  void *out = (char *)w->call->out[0] + (size_t)out_at * sumi_dtype_bytes(s->dtype);
  load_inputs(w, rows, at, inputs);
  bool written = false;
  for (int k = 0; k < s->n_instructions; k++) {
    const instruction *c = &s->code[k];
    const float *x[3];
    for (int i = 0; i < 3; i++) x[i] = address(w, inputs, c->args[i]);
    float *y = c->slot < 0 ? out : slot(w, c->slot);
    written = written || c->slot < 0;
    if (c->run)
      c->run(y, x, c->attrs, count);
    else
      run_scalar(c, y, x, count);
  }
  if (written) return;
  const float *result = address(w, inputs, s->result);
  SUMI__ISA_PICK(w->call->ctx, sumi__cpu_from_f32)
  (out, s->dtype, result, count);
}

static void run_range(void *arg, int64_t begin, int64_t end, int index) {
  const sumi__call *c = arg;
  const fused_state *s = c->state;
  worker w = {.call = c, .state = s, .slot_floats = slot_floats(s)};
  w.slots = (float *)c->scratch + (int64_t)index * scratch_slots(s) * w.slot_floats;
  for (int i = 0; i < s->n_inputs; i++) w.loaded_at[i] = -1;
  for (int64_t b = begin; b < end; b++) run_block(&w, b);
}

static sumi_status run(const sumi__call *c) {
  const fused_state *s = c->state;
  const int64_t grain = sumi__max_i64(1, 8192 / (s->rows * s->inside)); /* less is not worth waking a thread */
  sumi__parallel_for(c->threads, s->blocks, grain, run_range, (void *)c);
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_fused = {.prepare = prepare, .run = run, .destroy = destroy, .in_place = true};
