#include "train/gradients.h"

#include "cpu/optimizer.h"

#include <math.h>
#include <string.h>

sumi_status sumi__gradients_create(sumi_context *ctx, size_t count, const int64_t *sizes, sumi__gradients *out) {
  sumi_status status = SUMI_OK;
  *out = (sumi__gradients){.ctx = ctx, .count = count};
  out->sizes = sumi__alloc_array(ctx, count, sizeof *out->sizes);
  out->now = sumi__alloc_array(ctx, count, sizeof *out->now);
  out->sums = sumi__alloc_array(ctx, count, sizeof *out->sums);
  if (!out->sizes || !out->now || !out->sums) {
    status = SUMI_NO_MEMORY;
    sumi__gradients_free(out);
  } else {
    memcpy(out->sizes, sizes, count * sizeof *sizes);
  }
  return status;
}

void sumi__gradients_free(sumi__gradients *g) {
  if (!g->ctx) return;
  sumi__free(g->ctx, g->sizes);
  sumi__free(g->ctx, g->now);
  sumi__free(g->ctx, g->sums);
  sumi__free(g->ctx, g->block);
  memset(g, 0, sizeof *g);
}

static sumi_status make_sums(sumi__gradients *g) {
  size_t total = 0;
  for (size_t i = 0; i < g->count; i++) total += sumi__align_up((size_t)g->sizes[i], 16);
  g->block = sumi__alloc_array(g->ctx, total, sizeof *g->block);
  if (!g->block) return SUMI_NO_MEMORY;
  float *next = g->block;
  for (size_t i = 0; i < g->count; i++) {
    g->sums[i] = next;
    next += sumi__align_up((size_t)g->sizes[i], 16);
  }
  return SUMI_OK;
}

typedef struct add_arg {
  float *sum;
  const float *piece;
  float weight;
  bool first;
} add_arg;

static void add_range(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const add_arg *a = arg;
  float *restrict sum = a->sum;
  const float *restrict piece = a->piece;
  for (int64_t i = begin; i < end; i++) sum[i] = (a->first ? 0.0f : sum[i]) + a->weight * piece[i];
}

sumi_status sumi__gradients_add(sumi__gradients *g, const float *const *piece, float weight, bool first) {
  if (first && weight == 1.0f) {
    memcpy(g->now, piece, g->count * sizeof *piece);
    return SUMI_OK;
  }
  if (!g->block) {
    sumi_status status = make_sums(g);
    if (status != SUMI_OK) return status;
  }
  for (size_t i = 0; i < g->count; i++) {
    add_arg arg = {g->sums[i], piece[i], weight, first};
    sumi__parallel_for(g->ctx->threads, g->sizes[i], 16384, add_range, &arg);
    g->now[i] = g->sums[i];
  }
  return SUMI_OK;
}

double sumi__gradients_norm(const sumi__gradients *g) {
  double sum = 0.0;
  for (size_t i = 0; i < g->count; i++) sum += SUMI__ISA_PICK(g->ctx, sumi__cpu_square_sum)(g->now[i], g->sizes[i]);
  return sqrt(sum);
}

float sumi__clip_scale(double norm, double max_norm) {
  if (max_norm <= 0.0) return 1.0f;
  const double scale = max_norm / (norm + 1e-6);
  return scale < 1.0 ? (float)scale : 1.0f;
}
