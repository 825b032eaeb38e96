/* attention and attention_grad: how the work is cut. The loops are in isa/attention.c and isa/attention_grad.c. */
#include "cpu/attention.h"

#include "cpu/cpu.h"

enum { TILE = 64, SMALL_TILE = 96, BLOCK = 128, VECTOR = 16 };

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static void measure(sumi__attention_plan *p, const sumi__node *n, int first) {
  const sumi__attention_attrs *a = n->attrs;
  const int64_t *q = n->inputs[first]->shape.dims;
  *p = (sumi__attention_plan){.batch = q[0],
                              .queries = q[1],
                              .keys = n->inputs[first + 1]->shape.dims[1],
                              .heads = q[2],
                              .width = q[3],
                              .padded = up(q[3], VECTOR),
                              .dtype = n->inputs[first]->dtype,
                              .first = first,
                              .scale = a->scale,
                              .causal = a->causal,
                              .has_mask = a->has_mask};
  p->tile = p->keys <= SMALL_TILE ? up(p->keys, VECTOR) : TILE;
  if (!a->has_mask) return;
  const sumi_shape scores = SUMI_SHAPE(p->batch, p->heads, p->queries, p->keys);
  sumi__broadcast_strides(&n->inputs[first + 3]->shape, &scores, p->mask_strides);
}

static sumi_status take(sumi__prep *prep, const sumi__attention_plan *plan) {
  sumi__attention_plan *p = sumi__alloc(prep->ctx, sizeof *p);
  if (!p) return SUMI_NO_MEMORY;
  *p = *plan;
  prep->state = p;
  prep->scratch_bytes = (size_t)prep->threads * (size_t)p->worker_size * sizeof(float);
  return SUMI_OK;
}

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

static sumi_status prepare(sumi__prep *prep) {
  sumi__attention_plan p;
  measure(&p, prep->node, 0);
  p.block = sumi__min_i64(BLOCK, up(p.queries, 8));
  while (p.block > SUMI__ATTENTION_ROWS &&
         p.batch * p.heads * ((p.queries + p.block - 1) / p.block) < 2 * prep->threads)
    p.block = up(p.block / 2, 8);
  p.blocks = (p.queries + p.block - 1) / p.block;
  /* q and the result; keys across and values along; scores; maxima and sums */
  p.worker_size = 2 * p.block * p.padded + 2 * p.tile * p.padded + SUMI__ATTENTION_ROWS * p.tile + 2 * up(p.block, 16);
  return take(prep, &p);
}

static sumi_status prepare_grad(sumi__prep *prep) {
  sumi__attention_plan p;
  measure(&p, prep->node, 3);
  p.block = SUMI__ATTENTION_ROWS;
  p.blocks = (p.queries + p.block - 1) / p.block;
  /* q, dy; dq and delta of all queries; keys along, keys and values across, dk and dv; two tiles of scores */
  p.worker_size =
      2 * p.block * p.padded + p.queries * p.padded + up(p.queries, 16) + 5 * p.tile * p.padded + 2 * p.block * p.tile;
  return take(prep, &p);
}

static sumi_status run(const sumi__call *c) {
  const sumi__attention_plan *p = c->state;
  sumi__parallel_for(c->threads, p->batch * p->heads * p->blocks, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_attention_range),
                     (void *)c);
  return SUMI_OK;
}

static sumi_status run_grad(const sumi__call *c) {
  const sumi__attention_plan *p = c->state;
  sumi__parallel_for(c->threads, p->batch * p->heads, 1, SUMI__ISA_PICK(c->ctx, sumi__cpu_attention_grad_range),
                     (void *)c);
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_attention = {.prepare = prepare, .run = run, .destroy = destroy};
const sumi__kernel sumi__cpu_attention_grad = {.prepare = prepare_grad, .run = run_grad, .destroy = destroy};
