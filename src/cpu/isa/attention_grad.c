/* The gradient of attention; src/ops/attention_grad.c has the formulas. One head is one job: for each tile of keys all
 * queries pass by in small blocks, their weights are made again from the kept sums, and five products follow. In bf16
 * the weights and their gradients are rounded to it before they meet anything, as in the forward pass. */
#include "cpu/attention.h"

#include "cpu/isa/scores.h"

#define LOG2_E 1.44269504f

/* A worker's buffers. A sum over queries or keys has a step for each of them, or for each two, which lie side by side
 * as one unit then. */
typedef struct head_buffers {
  float *q_rows, *dy_rows;            /* of a block of queries (block, units) */
  float *q_steps, *dy_steps;          /* the same, for sums over queries (block / part, padded) */
  float *dq;                          /* of all queries (queries, padded) */
  float *delta;                       /* dy . y of all queries */
  float *keys;                        /* for sums over keys (tile / part, padded) */
  float *keys_across, *values_across; /* (units, tile) */
  float *dk, *dv;                     /* (tile, padded) */
  float *weights, *ds;                /* (block, tile), then for sums over queries (block / part, tile) */
  float *ds_rows;                     /* for sums over keys (block, tile / part) */
} head_buffers;

static head_buffers buffers(const sumi__attention_grad_plan *p, float *memory) {
  const int64_t rows = p->block * p->padded, columns = p->tile * p->padded;
  head_buffers b;
  b.q_steps = memory;
  b.dy_steps = b.q_steps + rows;
  b.q_rows = p->pairs ? b.dy_steps + rows : b.q_steps; /* f32 are the same either way */
  b.dy_rows = p->pairs ? b.q_rows + rows : b.dy_steps;
  b.dq = b.q_steps + 4 * rows;
  b.delta = b.dq + p->shape.queries * p->padded;
  b.keys = b.delta + (p->shape.queries + 15) / 16 * 16;
  b.keys_across = b.keys + columns;
  b.values_across = b.keys_across + columns;
  b.dk = b.values_across + columns;
  b.dv = b.dk + columns;
  b.weights = b.dv + columns;
  b.ds = b.weights + p->block * p->tile;
  b.ds_rows = p->pairs ? b.ds + p->block * p->tile : b.ds;
  return b;
}

static float dot(const void *a, const void *b, sumi_dtype dtype, int64_t at, int64_t n) {
  vf sum = vzero();
  int64_t i = 0;
  for (; i + V <= n; i += V) sum += vload_as(a, dtype, at + i) * vload_as(b, dtype, at + i);
  if (i < n) sum += vload_as_n(a, dtype, at + i, n - i) * vload_as_n(b, dtype, at + i, n - i);
  return vsum(sum);
}

static int64_t part_of(const sumi__attention_grad_plan *p) { return p->pairs ? 2 : 1; }

/* ---- Packing ---- */

#if defined(SUMI__SIMD_PAIRS)
/* Tokens two by two: rows 2s and 2s + 1 of x as units of step s, zeros behind the last. */
static void copy_steps(const sumi__attention_grad_plan *p, float *to, const void *x, int64_t at, int64_t stride,
                       int64_t rows) {
  for (int64_t r = 0; r < rows; r += 2)
    for (int64_t i = 0; i < p->padded; i += V) {
      const int64_t n = sumi__min_i64(V, p->shape.width - i);
      const vf even = vload_as_n(x, SUMI_BF16, at + r * stride + i, n);
      const vf odd = r + 1 < rows ? vload_as_n(x, SUMI_BF16, at + (r + 1) * stride + i, n) : vzero();
      vstore(to + r / 2 * p->padded + i, (vf)((vu)even >> 16 | (vu)odd)); /* bf16 are the upper halves */
    }
}
#endif

/* n queries' rows of x. */
static void take_rows(const sumi__attention_grad_plan *p, float *rows, float *steps, const void *x, int64_t at,
                      int64_t stride, int64_t n) {
#if defined(SUMI__SIMD_PAIRS)
  if (p->pairs) {
    for (int64_t r = 0; r < n; r++)
      memcpy(rows + r * p->padded, (const uint16_t *)x + at + r * stride, (size_t)p->units * sizeof *rows);
    copy_steps(p, steps, x, at, stride, n);
    return;
  }
#endif
  (void)rows;
  tile_copy(steps, p->padded, x, p->shape.dtype, at, stride, n, p->shape.width);
}

static void take_keys(const sumi__call *c, const head_buffers *b, int64_t at, int64_t stride, int64_t seen) {
  const sumi__attention_grad_plan *p = c->state;
  const sumi_dtype dtype = p->pairs ? SUMI_F32 : p->shape.dtype; /* pairs are moved as if they were f32 */
  const int64_t part = part_of(p);
  tile_copy_across(b->keys_across, p->tile, c->in[4], dtype, at / part, stride / part, seen, p->units);
  tile_copy_across(b->values_across, p->tile, c->in[5], dtype, at / part, stride / part, seen, p->units);
#if defined(SUMI__SIMD_PAIRS)
  if (p->pairs) {
    copy_steps(p, b->keys, c->in[4], at, stride, seen);
    return;
  }
#endif
  tile_copy(b->keys, p->padded, c->in[4], dtype, at, stride, seen, p->shape.width);
}

/* ---- Weights and their gradients ---- */

/* A row's weights from scores, in place, and ds from the products dy . v. */
static void differentiate(const sumi__attention_grad_plan *p, float *weights, float *ds, float factor, float lse,
                          float delta) {
  for (int64_t j = 0; j < p->tile; j += V) {
    const vf weight = vexp(factor * vload(weights + j) - lse);
    vstore(weights + j, weight);
    vstore(ds + j, weight * (vload(ds + j) - delta) * p->shape.scale);
  }
}

#if defined(SUMI__SIMD_PAIRS)
static inline vf mix(__m256bh even, __m256bh odd) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)even), high = _mm512_cvtepu16_epi32((__m256i)odd);
  return (vf)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/* The same of rows r and r + 1 (of which the second may be missing), as the steps and rows that sums want. Step r / 2
 * is written where row r / 2 was, which has been read by then. */
static void differentiate_pair(const sumi__attention_grad_plan *p, const head_buffers *b, int64_t r, bool second,
                               float factor, const float *lse, const float *delta) {
  const float *scores = b->weights + r * p->tile, *products = b->ds + r * p->tile, scale = p->shape.scale;
  const float base = lse[0] * LOG2_E, next = second ? lse[1] * LOG2_E : 0.0f, other = second ? delta[1] : 0.0f;
  uint16_t *rows = (uint16_t *)(void *)(b->ds_rows + r * (p->tile / 2));
  for (int64_t j = 0; j < p->tile; j += V) {
    const vf w0 = vexp2_below(factor * vload(scores + j) - base, true);
    const vf w1 = second ? vexp2_below(factor * vload(scores + p->tile + j) - next, true) : vzero();
    const vf d0 = w0 * (vload(products + j) - delta[0]) * scale;
    const vf d1 = second ? w1 * (vload(products + p->tile + j) - other) * scale : vzero();
    const __m256bh h0 = _mm512_cvtneps_pbh((__m512)d0), h1 = _mm512_cvtneps_pbh((__m512)d1);
    vstore(b->weights + r / 2 * p->tile + j, mix(_mm512_cvtneps_pbh((__m512)w0), _mm512_cvtneps_pbh((__m512)w1)));
    vstore(b->ds + r / 2 * p->tile + j, mix(h0, h1));
    _mm256_storeu_si256((__m256i *)(void *)(rows + j), (__m256i)h0);
    _mm256_storeu_si256((__m256i *)(void *)(rows + p->tile + j), (__m256i)h1);
  }
}
#endif

/* Of n queries from `query` on against keys [key, key + seen). */
static void softmax_gradient(const sumi__call *c, const head_buffers *b, const head_place *h, int64_t query, int64_t n,
                             int64_t key, int64_t seen) {
  const sumi__attention_grad_plan *p = c->state;
  const float *lse = (const float *)c->in[2] + (h->n * p->shape.heads + h->head) * p->shape.queries + query;
  const float *delta = b->delta + query;
  const bool masked = p->shape.has_mask || p->shape.causal || seen < p->tile;
  const float factor = masked ? 1.0f : p->shape.scale;
  for (int64_t r = 0; r < n && masked; r++) {
    float *scores = b->weights + r * p->tile;
    for (int64_t j = 0; j < p->tile; j += V) vstore(scores + j, p->shape.scale * vload(scores + j));
    mask_scores(c, &p->shape, h, scores, p->tile, query + r, key, seen);
  }
#if defined(SUMI__SIMD_PAIRS)
  for (int64_t r = 0; r < n && p->pairs; r += 2)
    differentiate_pair(p, b, r, r + 1 < n, factor * LOG2_E, lse + r, delta + r);
  if (p->pairs) return;
#endif
  for (int64_t r = 0; r < n; r++)
    differentiate(p, b->weights + r * p->tile, b->ds + r * p->tile, factor, lse[r], delta[r]);
}

/* ---- Products ---- */

/* Block rows by tile columns: rows of q or dy against keys or values. */
static void score(const sumi__attention_grad_plan *p, const float *rows, const float *across, float *to, int64_t n) {
  tile_multiply(&(tile_product){.a = rows,
                                .b = across,
                                .c = to,
                                .m = n,
                                .n = p->tile,
                                .k = p->units,
                                .a_row = p->padded,
                                .a_step = 1,
                                .b_row = p->tile,
                                .c_row = p->tile,
                                .fresh = true,
                                .pairs = p->pairs});
}

/* to (tile, padded) += the transpose of weights (steps, tile) times (steps, padded). */
static void gather(const sumi__attention_grad_plan *p, const float *weights, const float *steps, float *to, int64_t n,
                   int64_t seen) {
  tile_multiply(&(tile_product){.a = weights,
                                .b = steps,
                                .c = to,
                                .m = seen,
                                .n = p->padded,
                                .k = (n + part_of(p) - 1) / part_of(p),
                                .a_row = 1,
                                .a_step = p->tile,
                                .b_row = p->padded,
                                .c_row = p->padded,
                                .pairs = p->pairs});
}

static void pass(const sumi__call *c, const head_buffers *b, const head_place *h, int64_t query, int64_t n, int64_t key,
                 int64_t seen) {
  const sumi__attention_grad_plan *p = c->state;
  const int64_t at = h->queries_at + query * h->stride, part = part_of(p);
  take_rows(p, b->q_rows, b->q_steps, c->in[3], at, h->stride, n);
  take_rows(p, b->dy_rows, b->dy_steps, c->in[0], at, h->stride, n);
  score(p, b->q_rows, b->keys_across, b->weights, n);
  score(p, b->dy_rows, b->values_across, b->ds, n);
  softmax_gradient(c, b, h, query, n, key, seen);
  gather(p, b->weights, b->dy_steps, b->dv, n, seen);
  gather(p, b->ds, b->q_steps, b->dk, n, seen);
  tile_multiply(&(tile_product){.a = b->ds_rows,
                                .b = b->keys,
                                .c = b->dq + query * p->padded,
                                .m = n,
                                .n = p->padded,
                                .k = (seen + part - 1) / part,
                                .a_row = p->tile / part,
                                .a_step = 1,
                                .b_row = p->padded,
                                .c_row = p->padded,
                                .pairs = p->pairs});
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
    take_keys(c, b, at, h.stride, seen);
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
