/* Group normalisation of large pictures: in chunks of whole rows of memory that fit the first-level cache, each read
 * once for its statistics and once more to be normalised. The chunks' statistics are joined by the formula of Chan,
 * Golub and LeVeque (1979), always in the same order. */
#include "cpu/isa/group_norm_parts.h"

typedef struct chunk {
  int64_t picture, rows, at; /* the element that it begins at */
} chunk;

static chunk chunk_at(const sumi__group_norm_task *t, int64_t index) {
  const int64_t first = index % t->chunks * t->chunk;
  chunk c = {.picture = index / t->chunks, .rows = sumi__min_i64(t->chunk, t->positions - first)};
  c.at = (c.picture * t->positions + first) * t->channels;
  return c;
}

/* ---- Statistics ---- */

ALWAYS_INLINE void measure_columns(const sumi__group_norm_task *t, const chunk *k, sumi_dtype dtype, int64_t c,
                                   const int vectors, int64_t n, float *means, float *sums) {
  vf mean[SIDE_BY_SIDE], sum[SIDE_BY_SIDE];
  const float share = 1.0f / (float)k->rows;
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) mean[v] = sum[v] = vzero();
  for (int64_t r = 0, at = k->at + c; r < k->rows; r++, at += t->channels)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) mean[v] += vload_up_to(t->x, dtype, at + v * V, n);
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) mean[v] *= share;
  for (int64_t r = 0, at = k->at + c; r < k->rows; r++, at += t->channels)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      const vf d = vload_up_to(t->x, dtype, at + v * V, n) - mean[v];
      sum[v] += d * d;
    }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) {
    vstore_n(means + c + v * V, mean[v], n);
    vstore_n(sums + c + v * V, sum[v], n);
  }
}

ALWAYS_INLINE void measure_as(const sumi__group_norm_task *t, int64_t index, sumi_dtype dtype) {
  const chunk k = chunk_at(t, index);
  float *means = t->chunk_mean + index * t->channels, *sums = t->chunk_sums + index * t->channels;
  int64_t c = 0;
  for (; c + SIDE_BY_SIDE * V <= t->channels; c += SIDE_BY_SIDE * V)
    measure_columns(t, &k, dtype, c, SIDE_BY_SIDE, V, means, sums);
  for (; c < t->channels; c += V) measure_columns(t, &k, dtype, c, 1, sumi__min_i64(V, t->channels - c), means, sums);
}

void SUMI__ISA_NAME(sumi__cpu_group_norm_measure)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__group_norm_task *t = task;
  (void)worker;
  for (int64_t i = begin; i < end; i++) switch (t->dtype) {
    case SUMI_F32: measure_as(t, i, SUMI_F32); break;
    case SUMI_BF16: measure_as(t, i, SUMI_BF16); break;
    default: measure_as(t, i, SUMI_F16); break;
    }
}

/* Mean and sum of squared distances of V channels over all chunks of a picture. */
static void join_columns(const sumi__group_norm_task *t, int64_t picture, int64_t c, int64_t n, float *mean_out,
                         float *sum_out) {
  vf mean = vzero(), sum = vzero();
  for (int64_t k = 0; k < t->chunks; k++) {
    const int64_t before = k * t->chunk, rows = sumi__min_i64(t->chunk, t->positions - before);
    const int64_t at = (picture * t->chunks + k) * t->channels + c;
    const float part = (float)rows / (float)(before + rows);
    const vf delta = vload_n(t->chunk_mean + at, n) - mean;
    mean += delta * part;
    sum += vload_n(t->chunk_sums + at, n) + delta * delta * ((float)before * part);
  }
  vstore_n(mean_out + c, mean, n);
  vstore_n(sum_out + c, sum, n);
}

void SUMI__ISA_NAME(sumi__cpu_group_norm_join)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__group_norm_task *t = task;
  for (int64_t picture = begin; picture < end; picture++) {
    const unit u = unit_at(t, picture, worker); /* a unit has all channels here */
    float *mean = u.work, *sum = mean + u.row, *scale = t->scale + picture * t->channels;
    float *offset = t->offset + picture * t->channels;
    for (int64_t c = 0; c < t->channels; c += V)
      join_columns(t, picture, c, sumi__min_i64(V, t->channels - c), mean, sum);
    group_stats(&u, mean, sum);
    normalising(&u, scale, offset);
    for (int64_t c = 0; c < t->channels && t->gamma; c++) {
      scale[c] *= t->gamma[c];
      offset[c] = offset[c] * t->gamma[c] + t->beta[c];
    }
  }
}

/* ---- Results ---- */

ALWAYS_INLINE void apply_columns(const sumi__group_norm_task *t, const chunk *k, sumi_dtype dtype, bool silu, int64_t c,
                                 const int vectors, int64_t n) {
  vf scale[SIDE_BY_SIDE], offset[SIDE_BY_SIDE];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) {
    scale[v] = vload_n(t->scale + k->picture * t->channels + c + v * V, n);
    offset[v] = vload_n(t->offset + k->picture * t->channels + c + v * V, n);
  }
  for (int64_t r = 0, at = k->at + c; r < k->rows; r++, at += t->channels)
    normalise(t, dtype, silu, at, vectors, n, scale, offset);
}

ALWAYS_INLINE void apply_as(const sumi__group_norm_task *t, int64_t index, sumi_dtype dtype, bool silu) {
  const chunk k = chunk_at(t, index);
  int64_t c = 0;
  for (; c + SIDE_BY_SIDE * V <= t->channels; c += SIDE_BY_SIDE * V)
    apply_columns(t, &k, dtype, silu, c, SIDE_BY_SIDE, V);
  for (; c < t->channels; c += V) apply_columns(t, &k, dtype, silu, c, 1, sumi__min_i64(V, t->channels - c));
}

void SUMI__ISA_NAME(sumi__cpu_group_norm_apply)(void *task, int64_t begin, int64_t end, int worker) {
  const sumi__group_norm_task *t = task;
  (void)worker;
  for (int64_t i = begin; i < end; i++) switch (t->dtype) {
    case SUMI_F32: t->attrs.silu ? apply_as(t, i, SUMI_F32, true) : apply_as(t, i, SUMI_F32, false); break;
    case SUMI_BF16: t->attrs.silu ? apply_as(t, i, SUMI_BF16, true) : apply_as(t, i, SUMI_BF16, false); break;
    default: apply_as(t, i, SUMI_F16, t->attrs.silu); break;
    }
}
