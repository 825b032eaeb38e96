#include "pipeline/noise.h"

#include "base/philox.h"

#include <math.h>

sumi_status sumi__noise_make(sumi_context *ctx, sumi_noise kind, uint64_t seed, int64_t first, int64_t count,
                             int64_t size, sumi__noise *out) {
  const int64_t generators = kind == SUMI_NOISE_BATCH ? 1 : count;
  *out = (sumi__noise){.kind = kind, .count = count, .size = size};
  out->rngs = sumi__alloc_array(ctx, (size_t)generators, sizeof *out->rngs);
  out->seeds = sumi__alloc_array(ctx, (size_t)generators, sizeof *out->seeds);
  if (!out->rngs || !out->seeds) {
    sumi__noise_free(ctx, out);
    return SUMI_NO_MEMORY;
  }
  for (int64_t i = 0; i < generators; i++) {
    out->seeds[i] = seed + (uint64_t)(first + i);
    sumi__rng_seed(&out->rngs[i], out->seeds[i]);
  }
  return SUMI_OK;
}

void sumi__noise_free(sumi_context *ctx, sumi__noise *noise) {
  sumi__free(ctx, noise->rngs);
  sumi__free(ctx, noise->seeds);
  *noise = (sumi__noise){0};
}

/* CUDA's curand as torch.randn uses it there (AUTOMATIC1111, modules/rng_philox.py): value i of draw k is made of the
 * first two words for the counter (k, 0, i, 0). */
static void draw_philox(uint64_t seed, uint32_t offset, int64_t count, float *out) {
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  const float two_pi = 6.2831855f;
  for (int64_t i = 0; i < count; i++) {
    uint32_t words[4] = {offset, 0, (uint32_t)i, 0};
    sumi__philox4x32(key, words, words);
    const float u = (float)words[0] * 0x1p-32f + 0x1p-33f,
                v = (float)words[1] * (0x1p-32f * two_pi) + 0x1p-33f * two_pi;
    out[i] = sqrtf(-2.0f * logf(u)) * sinf(v);
  }
}

void sumi__noise_draw(sumi__noise *n, float *out) {
  if (n->kind == SUMI_NOISE_BATCH) {
    sumi__rng_normal(n->rngs, out, (size_t)(n->count * n->size));
    return;
  }
  for (int64_t i = 0; i < n->count; i++) {
    float *to = out + i * n->size;
    if (n->kind == SUMI_NOISE_PHILOX)
      draw_philox(n->seeds[i], n->offset, n->size, to);
    else
      sumi__rng_normal(&n->rngs[i], to, (size_t)n->size);
  }
  n->offset++;
}
