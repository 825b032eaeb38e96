/* attention and attention_grad: how the work is cut. The loops are in isa/attention.c and isa/attention_grad.c. */
#include "cpu/attention.h"

#include "cpu/cpu.h"

enum {
  VECTOR = 16,            /* the widest of all instruction sets */
  PANEL = 3 * VECTOR,     /* keys of a panel: whole panels for narrower vectors too */
  TILE = 8 * PANEL,       /* scores of eight queries are 12 KB then */
  TILE_UNITS = 1 << 16,   /* of a tile's keys and values: 256 KB, else half as many of them */
  BLOCK = 128,            /* queries of a job */
  PACKED_UNITS = 4 << 20, /* of keys and values at once: 16 MB */
  GRAD_TILE = 64,
  GRAD_BLOCK = 32,
  GRAD_PAIRS_TILE = 96, /* bf16 take half the room, and their products half the time */
  GRAD_PAIRS_BLOCK = 64,
  GRAD_SMALL_TILE = 96
};

static sumi__attention_shape shape_of(const sumi__node *n, int first) {
  const sumi__attention_attrs *a = n->attrs;
  const int64_t *q = n->inputs[first]->shape.dims;
  sumi__attention_shape s = {.batch = q[0],
                             .queries = q[1],
                             .keys = n->inputs[first + 1]->shape.dims[1],
                             .heads = q[2],
                             .width = q[3],
                             .dtype = n->inputs[first]->dtype,
                             .first = first,
                             .scale = a->scale,
                             .causal = a->causal,
                             .has_mask = a->has_mask};
  if (!a->has_mask) return s;
  const sumi_shape scores = SUMI_SHAPE(s.batch, s.heads, s.queries, s.keys);
  sumi__broadcast_strides(&n->inputs[first + 3]->shape, &scores, s.mask_strides);
  return s;
}

static bool takes_pairs(const sumi__prep *prep, const sumi__attention_shape *s) {
  return s->dtype == SUMI_BF16 && prep->ctx->isa >= SUMI__ISA_AVX512_BF16 && s->width % 2 == 0;
}

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

/* ---- Forward ---- */

/* A tile is a whole number of panels, or all keys in whole vectors where they are few. */
static void cut_keys(sumi__attention_plan *p) {
  const int64_t keys = sumi__up_to_i64(p->shape.keys, VECTOR);
  const int64_t part = p->pairs ? 2 : 1, most = TILE * (p->units + p->padded / part) <= TILE_UNITS ? TILE : TILE / 2;
  p->tile = sumi__min_i64(keys, most);
  p->tiles = (p->shape.keys + p->tile - 1) / p->tile;
  p->key_units = p->tiles * p->tile * p->units;
  p->value_units = p->tiles * p->tile * p->padded / (p->pairs ? 2 : 1);
}

static sumi_status prepare(sumi__prep *prep) {
  sumi__attention_plan *p = sumi__alloc_zero(prep->ctx, sizeof *p);
  if (!p) return SUMI_NO_MEMORY;
  p->shape = shape_of(prep->node, 0);
  p->pairs = takes_pairs(prep, &p->shape);
  p->units = p->pairs ? p->shape.width / 2 : p->shape.width;
  p->padded = sumi__up_to_i64(p->shape.width, VECTOR);
  p->half = p->pairs && p->padded - p->shape.width >= VECTOR / 2;
  p->bounds = !p->shape.has_mask && p->shape.keys > 4 * p->shape.width;
  cut_keys(p);
  const int64_t heads = p->shape.batch * p->shape.heads;
  p->heads_at_once = sumi__max_i64(prep->threads, PACKED_UNITS / (p->key_units + p->value_units));
  p->heads_at_once = sumi__min_i64(p->heads_at_once, heads);
  p->norm_units = sumi__up_to_i64(p->heads_at_once * p->tiles, VECTOR);
  p->block = sumi__min_i64(BLOCK, sumi__up_to_i64(p->shape.queries, 8));
  while (p->block > 32 && heads * ((p->shape.queries + p->block - 1) / p->block) < 2 * prep->threads)
    p->block = sumi__up_to_i64(p->block / 2, 8);
  p->blocks = (p->shape.queries + p->block - 1) / p->block;
  /* queries, results, scores of eight, maxima and sums */
  p->worker_units = sumi__up_to_i64(p->block * p->units, VECTOR) + p->block * p->padded + 8 * p->tile +
                    2 * sumi__up_to_i64(p->block, VECTOR);
  prep->scratch_bytes = sizeof(float) * (size_t)(p->heads_at_once * (p->key_units + p->value_units) + p->norm_units +
                                                 prep->threads * p->worker_units);
  prep->state = p;
  return SUMI_OK;
}

static sumi_status run(const sumi__call *c) {
  const sumi__attention_plan *p = c->state;
  const int64_t heads = p->shape.batch * p->shape.heads;
  for (int64_t first = 0; first < heads; first += p->heads_at_once) {
    const int64_t n = sumi__min_i64(p->heads_at_once, heads - first);
    sumi__attention_job job = {c, first};
    sumi__parallel_for(c->threads, n * p->tiles, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_attention_pack), &job);
    sumi__parallel_for(c->threads, n * p->blocks, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_attention_blocks), &job);
  }
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_attention = {.prepare = prepare, .run = run, .destroy = destroy};

/* ---- Backward ---- */

static sumi_status prepare_grad(sumi__prep *prep) {
  sumi__attention_grad_plan *p = sumi__alloc_zero(prep->ctx, sizeof *p);
  if (!p) return SUMI_NO_MEMORY;
  p->shape = shape_of(prep->node, 3);
  p->pairs = takes_pairs(prep, &p->shape);
  p->units = p->pairs ? p->shape.width / 2 : p->shape.width;
  p->padded = sumi__up_to_i64(p->shape.width, VECTOR);
  p->tile = p->shape.keys <= GRAD_SMALL_TILE ? sumi__up_to_i64(p->shape.keys, VECTOR)
            : p->pairs                       ? GRAD_PAIRS_TILE
                                             : GRAD_TILE;
  p->block = p->pairs ? GRAD_PAIRS_BLOCK : GRAD_BLOCK;
  /* q and dy, as rows and as steps; dq and delta of all queries; keys along, keys and values across, dk and dv; scores
   * and their gradients, the latter in rows once more */
  p->worker_size = 4 * p->block * p->padded + p->shape.queries * p->padded + sumi__up_to_i64(p->shape.queries, VECTOR) +
                   5 * p->tile * p->padded + 3 * p->block * p->tile;
  prep->state = p;
  prep->scratch_bytes = (size_t)prep->threads * (size_t)p->worker_size * sizeof(float);
  return SUMI_OK;
}

static sumi_status run_grad(const sumi__call *c) {
  const sumi__attention_grad_plan *p = c->state;
  sumi__parallel_for(c->threads, p->shape.batch * p->shape.heads, 1,
                     SUMI__ISA_PICK(c->ctx, sumi__cpu_attention_grad_range), (void *)c);
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_attention_grad = {.prepare = prepare_grad, .run = run_grad, .destroy = destroy};
