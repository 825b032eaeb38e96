/* The gradient of attention; src/ops/attention_grad.c has the formulas. One head is one job: for each tile of keys all
 * queries pass by in small blocks, their weights are made again from the kept sums, and five products follow. */
#include "cpu/attention.h"

#include "cpu/isa/scores.h"

/* A worker's buffers. */
typedef struct head_buffers {
  float *q, *dy;                      /* of a block of queries (block, padded) */
  float *dq;                          /* of all queries (queries, padded) */
  float *delta;                       /* dy . y of all queries */
  float *keys;                        /* (tile, padded) */
  float *keys_across, *values_across; /* (width, tile) */
  float *dk, *dv;                     /* (tile, padded) */
  float *weights, *ds;                /* (block, tile) */
} head_buffers;

static head_buffers buffers(const sumi__attention_grad_plan *p, float *memory) {
  head_buffers b;
  b.q = memory;
  b.dy = b.q + p->block * p->padded;
  b.dq = b.dy + p->block * p->padded;
  b.delta = b.dq + p->shape.queries * p->padded;
  b.keys = b.delta + (p->shape.queries + 15) / 16 * 16;
  b.keys_across = b.keys + p->tile * p->padded;
  b.values_across = b.keys_across + p->tile * p->padded;
  b.dk = b.values_across + p->tile * p->padded;
  b.dv = b.dk + p->tile * p->padded;
  b.weights = b.dv + p->tile * p->padded;
  b.ds = b.weights + p->block * p->tile;
  return b;
}

static float dot(const void *a, const void *b, sumi_dtype dtype, int64_t at, int64_t n) {
  vf sum = vzero();
  int64_t i = 0;
  for (; i + V <= n; i += V) sum += vload_as(a, dtype, at + i) * vload_as(b, dtype, at + i);
  if (i < n) sum += vload_as_n(a, dtype, at + i, n - i) * vload_as_n(b, dtype, at + i, n - i);
  return vsum(sum);
}

/* Weights from scores, in place, and ds from the products dy . v. */
static void differentiate(const sumi__attention_grad_plan *p, float *weights, float *ds, float lse, float delta) {
  for (int64_t j = 0; j < p->tile; j += V) {
    const vf weight = vexp(vload(weights + j) - lse);
    vstore(weights + j, weight);
    vstore(ds + j, weight * (vload(ds + j) - delta) * p->shape.scale);
  }
}

/* Block rows by tile columns: rows of q or dy against keys or values. */
static void score(const sumi__attention_grad_plan *p, const float *rows, const float *across, float *to, int64_t n) {
  tile_multiply(&(tile_product){.a = rows,
                                .b = across,
                                .c = to,
                                .m = n,
                                .n = p->tile,
                                .k = p->shape.width,
                                .a_row = p->padded,
                                .a_step = 1,
                                .b_row = p->tile,
                                .c_row = p->tile,
                                .fresh = true});
}

/* to (tile, padded) += the transpose of weights (n, tile) times rows (n, padded). */
static void gather(const sumi__attention_grad_plan *p, const float *weights, const float *rows, float *to, int64_t n,
                   int64_t seen) {
  tile_multiply(&(tile_product){.a = weights,
                                .b = rows,
                                .c = to,
                                .m = seen,
                                .n = p->padded,
                                .k = n,
                                .a_row = 1,
                                .a_step = p->tile,
                                .b_row = p->padded,
                                .c_row = p->padded});
}

static void pass(const sumi__call *c, const head_buffers *b, const head_place *h, int64_t query, int64_t n, int64_t key,
                 int64_t seen) {
  const sumi__attention_grad_plan *p = c->state;
  const int64_t at = h->queries_at + query * h->stride;
  const float *lse = (const float *)c->in[2] + (h->n * p->shape.heads + h->head) * p->shape.queries + query;
  tile_copy(b->q, p->padded, c->in[3], p->shape.dtype, at, h->stride, n, p->shape.width, 1.0f);
  tile_copy(b->dy, p->padded, c->in[0], p->shape.dtype, at, h->stride, n, p->shape.width, 1.0f);
  score(p, b->q, b->keys_across, b->weights, n);
  score(p, b->dy, b->values_across, b->ds, n);
  for (int64_t r = 0; r < n; r++) {
    float *scores = b->weights + r * p->tile;
    for (int64_t j = 0; j < p->tile; j += V) vstore(scores + j, p->shape.scale * vload(scores + j));
    hide(c, &p->shape, h, scores, p->tile, query + r, key, seen);
    differentiate(p, scores, b->ds + r * p->tile, lse[r], b->delta[query + r]);
  }
  gather(p, b->weights, b->dy, b->dv, n, seen);
  gather(p, b->ds, b->q, b->dk, n, seen);
  tile_multiply(&(tile_product){.a = b->ds,
                                .b = b->keys,
                                .c = b->dq + query * p->padded,
                                .m = n,
                                .n = p->padded,
                                .k = seen,
                                .a_row = p->tile,
                                .a_step = 1,
                                .b_row = p->padded,
                                .c_row = p->padded});
}

/* n rows of a result from rows of `padded` floats. */
static void put(const sumi__attention_grad_plan *p, void *to, int64_t at, int64_t stride, const float *rows,
                int64_t n) {
  for (int64_t r = 0; r < n; r++)
    for (int64_t i = 0; i < p->shape.width; i += V) {
      const vf y = vload(rows + r * p->padded + i);
      if (i + V <= p->shape.width)
        vstore_as(to, p->shape.dtype, at + r * stride + i, y);
      else
        vstore_as_n(to, p->shape.dtype, at + r * stride + i, y, p->shape.width - i);
    }
}

static void run_head(const sumi__call *c, const head_buffers *b, int64_t index) {
  const sumi__attention_grad_plan *p = c->state;
  const head_place h = place_of_head(&p->shape, index);
  const size_t tile_bytes = (size_t)(p->tile * p->padded) * sizeof(float);
  memset(b->dq, 0, (size_t)(p->shape.queries * p->padded) * sizeof(float));
  for (int64_t t = 0; t < p->shape.queries; t++)
    b->delta[t] = dot(c->in[0], c->in[1], p->shape.dtype, h.queries_at + t * h.stride, p->shape.width);
  for (int64_t key = 0; key < p->shape.keys; key += p->tile) {
    const int64_t seen = sumi__min_i64(p->tile, p->shape.keys - key), at = h.keys_at + key * h.stride;
    tile_copy(b->keys, p->padded, c->in[4], p->shape.dtype, at, h.stride, seen, p->shape.width, 1.0f);
    tile_copy_across(b->keys_across, p->tile, c->in[4], p->shape.dtype, at, h.stride, seen, p->shape.width);
    tile_copy_across(b->values_across, p->tile, c->in[5], p->shape.dtype, at, h.stride, seen, p->shape.width);
    memset(b->dk, 0, tile_bytes);
    memset(b->dv, 0, tile_bytes);
    const int64_t first = p->shape.causal ? key / p->block * p->block : 0; /* earlier queries see none of these keys */
    for (int64_t query = first; query < p->shape.queries; query += p->block)
      pass(c, b, &h, query, sumi__min_i64(p->block, p->shape.queries - query), key, seen);
    put(p, c->out[1], at, h.stride, b->dk, seen);
    put(p, c->out[2], at, h.stride, b->dv, seen);
  }
  put(p, c->out[0], h.queries_at, h.stride, b->dq, p->shape.queries);
}

void SUMI__ISA_NAME(sumi__cpu_attention_grad_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  const sumi__attention_grad_plan *p = c->state;
  const head_buffers b = buffers(p, (float *)c->scratch + worker * p->worker_size);
  for (int64_t index = begin; index < end; index++) run_head(c, &b, index);
}
