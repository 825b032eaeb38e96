/* Attention without a matrix of all scores (Dao et al. 2022, arXiv:2205.14135): keys come in tiles, and each query
 * keeps its largest score so far, the sum of exponentials relative to it, and the weighted sum of values, which are
 * scaled down whenever a larger score is seen (Milakov and Gimelshein 2018, arXiv:1805.02867). All arithmetic is f32.
 */
#include "cpu/attention.h"

#include "cpu/isa/scores.h"

/* A worker's buffers. */
typedef struct block {
  float *q, *out;        /* (block, padded) */
  float *across, *along; /* keys (width, tile), values (tile, padded) */
  float *scores;         /* (SUMI__ATTENTION_ROWS, tile) */
  float *most, *sum;     /* of each query */
} block;

static block buffers(const sumi__attention_plan *p, float *memory) {
  block b;
  b.q = memory;
  b.out = b.q + p->block * p->padded;
  b.across = b.out + p->block * p->padded;
  b.along = b.across + p->tile * p->padded;
  b.scores = b.along + p->tile * p->padded;
  b.most = b.scores + SUMI__ATTENTION_ROWS * p->tile;
  b.sum = b.most + (p->block + 15) / 16 * 16;
  return b;
}

/* Scores become weights; the query's maximum and sum follow, and what it has gathered is scaled to them. */
static void soften(const sumi__attention_plan *p, float *scores, float *most, float *sum, float *out) {
  vf high = vset(*most);
  for (int64_t j = 0; j < p->tile; j += V) high = vmax(high, vload(scores + j));
  const float now = vmax_across(high), before = *most;
  vf total = vzero();
  for (int64_t j = 0; j < p->tile; j += V) {
    const vf weight = now == -INFINITY ? vzero() : vexp(vload(scores + j) - now);
    vstore(scores + j, weight);
    total += weight;
  }
  const float shrink = before == now ? 1.0f : expf(before - now);
  *sum = *sum * shrink + vsum(total);
  *most = now;
  if (shrink == 1.0f) return;
  for (int64_t i = 0; i < p->padded; i += V) vstore(out + i, shrink * vload(out + i));
}

/* Rows [row, row + n) of the block look at keys [key, key + seen). */
static void look(const sumi__call *c, const block *b, const head_place *h, int64_t query, int64_t row, int64_t n,
                 int64_t key, int64_t seen) {
  const sumi__attention_plan *p = c->state;
  tile_multiply(&(tile_product){.a = b->q + row * p->padded,
                                .b = b->across,
                                .c = b->scores,
                                .m = n,
                                .n = p->tile,
                                .k = p->width,
                                .a_row = p->padded,
                                .a_step = 1,
                                .b_row = p->tile,
                                .c_row = p->tile,
                                .fresh = true});
  for (int64_t r = 0; r < n; r++) {
    hide(c, h, b->scores + r * p->tile, query + row + r, key, seen);
    soften(p, b->scores + r * p->tile, &b->most[row + r], &b->sum[row + r], b->out + (row + r) * p->padded);
  }
  tile_multiply(&(tile_product){.a = b->scores,
                                .b = b->along,
                                .c = b->out + row * p->padded,
                                .m = n,
                                .n = p->padded,
                                .k = seen,
                                .a_row = p->tile,
                                .a_step = 1,
                                .b_row = p->padded,
                                .c_row = p->padded});
}

static void finish(const sumi__call *c, const block *b, const head_place *h, int64_t query, int64_t n) {
  const sumi__attention_plan *p = c->state;
  float *lse = (float *)c->out[1] + (h->n * p->heads + h->head) * p->queries + query;
  for (int64_t r = 0; r < n; r++) {
    const int64_t at = h->queries_at + (query + r) * h->stride;
    const float scale = 1.0f / b->sum[r];
    lse[r] = b->most[r] + logf(b->sum[r]);
    for (int64_t i = 0; i < p->width; i += V) {
      const vf y = scale * vload(b->out + r * p->padded + i);
      if (i + V <= p->width)
        vstore_as(c->out[0], p->dtype, at + i, y);
      else
        vstore_as_n(c->out[0], p->dtype, at + i, y, p->width - i);
    }
  }
}

static void run_block(const sumi__call *c, const block *b, int64_t job) {
  const sumi__attention_plan *p = c->state;
  const head_place h = place_of_head(p, job / p->blocks);
  const int64_t query = job % p->blocks * p->block, n = sumi__min_i64(p->block, p->queries - query);
  tile_copy(b->q, p->padded, c->in[0], p->dtype, h.queries_at + query * h.stride, h.stride, n, p->width, p->scale);
  memset(b->out, 0, (size_t)(n * p->padded) * sizeof(float));
  for (int64_t r = 0; r < n; r++) {
    b->most[r] = -INFINITY;
    b->sum[r] = 0.0f;
  }
  const int64_t keys = p->causal ? sumi__min_i64(p->keys, query + n) : p->keys;
  for (int64_t key = 0; key < keys; key += p->tile) {
    const int64_t seen = sumi__min_i64(p->tile, keys - key), at = h.keys_at + key * h.stride;
    tile_copy_across(b->across, p->tile, c->in[1], p->dtype, at, h.stride, seen, p->width);
    tile_copy(b->along, p->padded, c->in[2], p->dtype, at, h.stride, seen, p->width, 1.0f);
    for (int64_t row = 0; row < n; row += SUMI__ATTENTION_ROWS)
      look(c, b, &h, query, row, sumi__min_i64(SUMI__ATTENTION_ROWS, n - row), key, seen);
  }
  finish(c, b, &h, query, n);
}

void SUMI__ISA_NAME(sumi__cpu_attention_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  const sumi__attention_plan *p = c->state;
  const block b = buffers(p, (float *)c->scratch + worker * p->worker_size);
  for (int64_t job = begin; job < end; job++) run_block(c, &b, job);
}
