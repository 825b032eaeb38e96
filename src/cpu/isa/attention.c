/* Attention without a matrix of all scores (Dao et al. 2022, arXiv:2205.14135): keys come in tiles, and each query
 * keeps its largest score so far, the sum of exponentials relative to it, and the weighted sum of values, which are
 * scaled down whenever a larger score is seen (Milakov and Gimelshein 2018, arXiv:1805.02867). Sums are f32; in bf16
 * the weights are rounded to it before they meet the values. */
#include "cpu/attention.h"

#include "cpu/isa/panel.h"
#include "cpu/isa/scores.h"

#define LOG2_E 1.44269504f

/* Where no weight can be beyond 2^60 or below 2^-60, by the norms of queries and keys, they are taken as they are:
 * nothing is gained by subtracting the largest score, in f32 or bf16, whose exponents go to 127. */
#define SAFE_LOG2 60.0f

/* What is packed now, and a worker's buffers. */
typedef struct block {
  const float *keys, *values;
  const float *key_norms;   /* the largest squared norm of a key in each tile of each head */
  float *q;                 /* (block, units) */
  float *out;               /* (block, padded) */
  float *scores;            /* (PANEL_ROWS, tile); then weights in place, bf16 ones in the first half of each row */
  float *row_max, *row_sum; /* of each query: of its scores so far, of their exponentials */
  bool safe;                /* no row maximum is needed (SAFE_LOG2) */
  bool scaled;              /* the scores are multiplied by the scale before all else */
  float factor;             /* weight = 2^(factor (score - row maximum)) */
} block;

static block buffers(const sumi__call *c, int worker) {
  const sumi__attention_plan *p = c->state;
  float *packed = c->scratch;
  block b = {.keys = packed, .values = packed + p->heads_at_once * p->key_units};
  b.key_norms = b.values + p->heads_at_once * p->value_units;
  b.q = packed + p->heads_at_once * (p->key_units + p->value_units) + p->norm_units + worker * p->worker_units;
  b.out = b.q + (p->block * p->units + 15) / 16 * 16;
  b.scores = b.out + p->block * p->padded;
  b.row_max = b.scores + 8 * p->tile;
  b.row_sum = b.row_max + (p->block + 15) / 16 * 16;
  b.scaled = p->shape.has_mask || p->shape.scale <= 0.0f;
  b.factor = b.scaled ? LOG2_E : LOG2_E * p->shape.scale;
  return b;
}

/* ---- Norms ---- */

/* The largest squared norm among `rows` vectors of the head's width. */
static float largest_norm(const sumi__attention_plan *p, const void *x, int64_t at, int64_t stride, int64_t rows) {
  float most = 0.0f;
  for (int64_t r = 0; r < rows; r++, at += stride) {
    vf sum = vzero();
    for (int64_t i = 0; i < p->shape.width; i += V) {
      const int64_t n = sumi__min_i64(V, p->shape.width - i);
      const vf v = n == V ? vload_as(x, p->shape.dtype, at + i) : vload_as_n(x, p->shape.dtype, at + i, n);
      sum += v * v;
    }
    const float square = vsum(sum);
    if (!(square <= most)) most = square; /* NaN stays */
    if (most != most) break;
  }
  return most;
}

/* Whether no score of these queries with any key of the head is beyond SAFE_LOG2, as a logarithm of its weight: by
 * Cauchy's inequality, and not if there is a NaN. To find norms must cost less than to find row maxima. */
static bool is_safe(const sumi__call *c, const block *b, int64_t head, int64_t at, int64_t stride, int64_t n) {
  const sumi__attention_plan *p = c->state;
  const float *norms = b->key_norms + head * p->tiles;
  float keys = 0.0f;
  if (b->scaled || !p->bounds) return false;
  for (int64_t t = 0; t < p->tiles; t++)
    if (!(norms[t] <= keys)) keys = norms[t];
  return b->factor * b->factor * keys * largest_norm(p, c->in[0], at, stride, n) <= SAFE_LOG2 * SAFE_LOG2;
}

/* ---- Packing ---- */

/* Bits that a pair is made of are moved as if they were one f32. */
static void pack_keys(const sumi__attention_plan *p, float *to, const void *k, int64_t at, int64_t stride,
                      int64_t seen) {
  const int64_t part = p->pairs ? 2 : 1;
  for (int64_t j = 0; j < p->tile; j += PANEL_COLUMNS)
    tile_copy_across(to + j * p->units, panel_vectors(p->tile, j) * V, k, p->pairs ? SUMI_F32 : p->shape.dtype,
                     (at + j * stride) / part, stride / part, seen - j, p->units);
}

/* Elements [i, i + V) of the value of a key, zeros behind the last and for a key that is not there. */
static vf value_at(const sumi__attention_plan *p, const void *v, int64_t at, int64_t i, bool there) {
  if (!there || i >= p->shape.width) return vzero();
  if (i + V <= p->shape.width) return vload_as(v, p->shape.dtype, at + i);
  return vload_as_n(v, p->shape.dtype, at + i, p->shape.width - i);
}

static void pack_values(const sumi__attention_plan *p, float *to, const void *v, int64_t at, int64_t stride,
                        int64_t seen) {
  const int64_t part = p->pairs ? 2 : 1, steps = p->tile / part;
  for (int64_t i = 0; i < p->padded; i += PANEL_COLUMNS) {
    const int vectors = panel_vectors(p->padded, i);
    /* A half vector's other half is written over by the next step. */
    const int64_t row = p->half && i + vectors * V == p->padded ? vectors * V - V / 2 : vectors * V;
    for (int64_t s = 0; s < steps; s++)
      for (int k = 0; k < vectors; k++) {
        const int64_t key = s * part;
        vf x = value_at(p, v, at + key * stride, i + k * V, key < seen);
        if (p->pairs) {
          const vf y = value_at(p, v, at + (key + 1) * stride, i + k * V, key + 1 < seen);
          x = (vf)((vu)x >> 16 | (vu)y); /* bf16 are the upper halves */
        }
        vstore(to + i * steps + s * row + k * V, x);
      }
  }
}

void SUMI__ISA_NAME(sumi__cpu_attention_pack)(void *job, int64_t begin, int64_t end, int worker) {
  const sumi__attention_job *j = job;
  const sumi__attention_plan *p = j->c->state;
  float *keys = j->c->scratch, *values = keys + p->heads_at_once * p->key_units;
  float *norms = values + p->heads_at_once * p->value_units;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const int64_t head = i / p->tiles, tile = i % p->tiles, key = tile * p->tile;
    const head_place h = place_of_head(&p->shape, j->first + head);
    const int64_t at = h.keys_at + key * h.stride, seen = sumi__min_i64(p->tile, p->shape.keys - key);
    pack_keys(p, keys + head * p->key_units + key * p->units, j->c->in[1], at, h.stride, seen);
    if (p->bounds) norms[i] = largest_norm(p, j->c->in[1], at, h.stride, seen);
    pack_values(p, values + head * p->value_units + key * p->padded / (p->pairs ? 2 : 1), j->c->in[2], at, h.stride,
                seen);
  }
}

/* ---- Scores, softmax, weighted sum ---- */

/* The row maxima of PANEL_ROWS queries, and the factors by which what was summed relative to the former ones is
 * rescaled: the row sums with it. */
static void update_row_max(const block *b, int64_t tile, int64_t span, float *row_max, float *row_sum, float *base,
                           float *rescale) {
  for (int r = 0; r < PANEL_ROWS; r++) {
    vf high = vset(row_max[r]);
    for (int64_t j = 0; j < span; j += V) high = vmax(high, vload(b->scores + r * tile + j));
    const float now = vmax_across(high);
    base[r] = now == -INFINITY ? 0.0f : now;
    rescale[r] = b->factor * (row_max[r] - base[r]);
    row_max[r] = now;
  }
  for (int r = 0; r < PANEL_ROWS; r += V) {
    const int64_t n = sumi__min_i64(V, PANEL_ROWS - r);
    vstore_n(rescale + r, vexp2_below(vload_n(rescale + r, n), false), n);
    vstore_n(row_sum + r, vload_n(row_sum + r, n) * vload_n(rescale + r, n), n);
  }
}

#if defined(SUMI__SIMD_PAIRS)
ALWAYS_INLINE vf exp2_as(vf x, bool finite) { return finite ? vexp2_finite(x, true) : vexp2_below(x, true); }

/* Scores become weights of bf16, in place; the span is a whole number of vectors, which go two by two. */
ALWAYS_INLINE float exponentials_pairs(float *scores, int64_t span, float factor, float base, bool finite) {
  const float offset = factor * base;
  uint16_t *weights = (uint16_t *)(void *)scores;
  vf total = vzero(), other = vzero();
  int64_t j = 0;
  for (; j + 2 * V <= span; j += 2 * V) {
    const vf a = exp2_as(vload(scores + j) * factor - offset, finite);
    const vf b = exp2_as(vload(scores + j + V) * factor - offset, finite);
    total += a;
    other += b;
    _mm512_storeu_si512(weights + j, (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a));
  }
  if (j < span) {
    const vf a = exp2_as(vload(scores + j) * factor - offset, finite);
    total += a;
    _mm256_storeu_si256((__m256i *)(void *)(weights + j), (__m256i)_mm512_cvtneps_pbh((__m512)a));
  }
  return vsum(total + other);
}
#endif

/* Scores become weights, in place. Returns their sum. `finite`: no score is masked. */
static float exponentials(float *scores, int64_t span, float factor, float base, bool pairs, bool finite) {
  const float offset = factor * base;
  vf total = vzero();
#if defined(SUMI__SIMD_PAIRS)
  if (pairs && finite) return exponentials_pairs(scores, span, factor, base, true);
  if (pairs) return exponentials_pairs(scores, span, factor, base, false);
#else
  (void)pairs, (void)finite;
#endif
  for (int64_t j = 0; j < span; j += V) {
    const vf weight = vexp2_below(vload(scores + j) * factor - offset, false);
    total += weight;
    vstore(scores + j, weight);
  }
  return vsum(total);
}

static void softmax(const sumi__attention_plan *p, const block *b, int64_t row, int64_t span, bool finite) {
  float base[PANEL_ROWS] = {0}, rescale[PANEL_ROWS];
  if (!b->safe) update_row_max(b, p->tile, span, b->row_max + row, b->row_sum + row, base, rescale);
  for (int r = 0; r < PANEL_ROWS; r++) {
    float *scores = b->scores + r * p->tile, *out = b->out + (row + r) * p->padded;
    b->row_sum[row + r] += exponentials(scores, span, b->factor, base[r], p->pairs, finite);
    if (b->safe || rescale[r] == 1.0f) continue;
    for (int64_t i = 0; i < p->padded; i += V) vstore(out + i, rescale[r] * vload(out + i));
  }
}

static void scale_scores(const block *b, float scale, int64_t tile, int64_t span) {
  for (int r = 0; r < PANEL_ROWS; r++)
    for (int64_t j = 0; j < span; j += V) vstore(b->scores + r * tile + j, scale * vload(b->scores + r * tile + j));
}

/* out += weights v, of PANEL_ROWS rows. */
static void weighted_sum(const sumi__attention_plan *p, const block *b, const float *values, int64_t row,
                         int64_t span) {
  const int64_t part = p->pairs ? 2 : 1;
  panel_product sums = {.a = b->scores, .a_row = p->tile, .c_row = p->padded, .steps = span / part};
  for (int64_t i = 0; i < p->padded; i += PANEL_COLUMNS) {
    sums.b = values + i * (p->tile / part);
    sums.c = b->out + row * p->padded + i;
    const int vectors = panel_vectors(p->padded, i);
#if defined(SUMI__SIMD_PAIRS)
    if (p->half && i + vectors * V == p->padded) {
      panel_multiply_half(&sums, vectors);
      continue;
    }
#endif
    panel_multiply(&sums, vectors, p->pairs);
  }
}

/* PANEL_ROWS rows of the block, of which n count, attend to keys [key, key + seen) of a tile. */
static void attend(const sumi__call *c, const block *b, const head_place *h, const float *keys, const float *values,
                   int64_t query, int64_t row, int64_t n, int64_t key, int64_t seen) {
  const sumi__attention_plan *p = c->state;
  const int64_t span = sumi__min_i64(p->tile, (seen + 15) / 16 * 16);
  panel_product scores = {
      .a = b->q + row * p->units, .a_row = p->units, .c_row = p->tile, .steps = p->units, .fresh = true};
  for (int64_t j = 0; j < span; j += PANEL_COLUMNS) {
    scores.b = keys + j * p->units;
    scores.c = b->scores + j;
    panel_multiply(&scores, panel_vectors(p->tile, j), p->pairs);
  }
  if (b->scaled) scale_scores(b, p->shape.scale, p->tile, span);
  const bool masked = p->shape.has_mask || p->shape.causal || seen < span;
  for (int64_t r = 0; masked && r < PANEL_ROWS; r++) {
    const int64_t q = query + sumi__min_i64(row + r, n - 1); /* rows beyond the last repeat it */
    mask_scores(c, &p->shape, h, b->scores + r * p->tile, span, q, key, seen);
  }
  softmax(p, b, row, span, !masked);
  weighted_sum(p, b, values, row, span);
}

/* ---- Blocks of queries ---- */

static void load_queries(const sumi__call *c, const block *b, int64_t at, int64_t stride, int64_t n, int64_t rows) {
  const sumi__attention_plan *p = c->state;
  if (p->pairs)
    for (int64_t r = 0; r < n; r++)
      memcpy(b->q + r * p->units, (const uint16_t *)c->in[0] + at + r * stride, (size_t)p->units * sizeof(float));
  else
    for (int64_t r = 0; r < n; r++)
      for (int64_t i = 0; i < p->units; i += V)
        vstore_n(b->q + r * p->units + i,
                 vload_as_n(c->in[0], p->shape.dtype, at + r * stride + i, sumi__min_i64(V, p->units - i)),
                 sumi__min_i64(V, p->units - i));
  memset(b->q + n * p->units, 0, (size_t)((rows - n) * p->units) * sizeof(float));
  memset(b->out, 0, (size_t)(rows * p->padded) * sizeof(float));
  for (int64_t r = 0; r < rows; r++) {
    b->row_max[r] = b->safe ? 0.0f : -INFINITY;
    b->row_sum[r] = 0.0f;
  }
}

static void finish(const sumi__call *c, const block *b, const head_place *h, int64_t query, int64_t n) {
  const sumi__attention_plan *p = c->state;
  const sumi__attention_shape *s = &p->shape;
  float *lse = (float *)c->out[1] + (h->n * s->heads + h->head) * s->queries + query;
  for (int64_t r = 0; r < n; r += V)
    vstore_n(lse + r, (b->scaled ? 1.0f : s->scale) * vload(b->row_max + r) + vlog(vload(b->row_sum + r)),
             sumi__min_i64(V, n - r));
  for (int64_t r = 0; r < n; r++) {
    const int64_t at = h->queries_at + (query + r) * h->stride;
    const float scale = 1.0f / b->row_sum[r];
    for (int64_t i = 0; i < s->width; i += V) {
      const vf y = scale * vload(b->out + r * p->padded + i);
      if (i + V <= s->width)
        vstore_as(c->out[0], s->dtype, at + i, y);
      else
        vstore_as_n(c->out[0], s->dtype, at + i, y, s->width - i);
    }
  }
}

static void run_block(const sumi__call *c, block *b, int64_t first, int64_t job) {
  const sumi__attention_plan *p = c->state;
  const int64_t head = job / p->blocks, query = job % p->blocks * p->block;
  const int64_t n = sumi__min_i64(p->block, p->shape.queries - query),
                rows = (n + PANEL_ROWS - 1) / PANEL_ROWS * PANEL_ROWS;
  const head_place h = place_of_head(&p->shape, first + head);
  b->safe = is_safe(c, b, head, h.queries_at + query * h.stride, h.stride, n);
  load_queries(c, b, h.queries_at + query * h.stride, h.stride, n, rows);
  const int64_t keys = p->shape.causal ? sumi__min_i64(p->shape.keys, query + n) : p->shape.keys;
  for (int64_t key = 0; key < keys; key += p->tile) {
    const float *k = b->keys + head * p->key_units + key * p->units;
    const float *v = b->values + head * p->value_units + key * p->padded / (p->pairs ? 2 : 1);
    for (int64_t row = 0; row < rows; row += PANEL_ROWS)
      attend(c, b, &h, k, v, query, row, n, key, sumi__min_i64(p->tile, keys - key));
  }
  finish(c, b, &h, query, n);
}

void SUMI__ISA_NAME(sumi__cpu_attention_blocks)(void *job, int64_t begin, int64_t end, int worker) {
  const sumi__attention_job *j = job;
  block b = buffers(j->c, worker);
  for (int64_t i = begin; i < end; i++) run_block(j->c, &b, j->first, i);
}
