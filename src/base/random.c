#include "base/random.h"

#include <math.h>
#include <string.h>

/* ---- MT19937 ---- */

void sumi__rng_seed(sumi__rng *rng, uint64_t seed) {
  memset(rng, 0, sizeof *rng);
  rng->words[0] = (uint32_t)seed;
  for (uint32_t i = 1; i < SUMI__RNG_WORDS; i++) {
    const uint32_t before = rng->words[i - 1];
    rng->words[i] = 1812433253u * (before ^ (before >> 30)) + i;
  }
  rng->next = SUMI__RNG_WORDS;
}

static uint32_t twist(uint32_t high, uint32_t low, uint32_t far) {
  const uint32_t mixed = (high & 0x80000000u) | (low & 0x7fffffffu);
  return far ^ (mixed >> 1) ^ ((low & 1u) ? 0x9908b0dfu : 0u);
}

static void refill(sumi__rng *rng) {
  enum { N = SUMI__RNG_WORDS, M = 397 };
  uint32_t *w = rng->words;
  for (int i = 0; i < N - M; i++) w[i] = twist(w[i], w[i + 1], w[i + M]);
  for (int i = N - M; i < N - 1; i++) w[i] = twist(w[i], w[i + 1], w[i + M - N]);
  w[N - 1] = twist(w[N - 1], w[0], w[M - 1]);
  rng->next = 0;
}

uint32_t sumi__rng_u32(sumi__rng *rng) {
  if (rng->next >= SUMI__RNG_WORDS) refill(rng);
  uint32_t y = rng->words[rng->next++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

uint64_t sumi__rng_u64(sumi__rng *rng) {
  const uint64_t high = sumi__rng_u32(rng);
  return (high << 32) | sumi__rng_u32(rng);
}

/* ---- Uniform numbers ---- */

static float uniform_f32(sumi__rng *rng) { return (float)(sumi__rng_u32(rng) & 0xffffffu) * 0x1p-24f; }
static double uniform_f64(sumi__rng *rng) { return (double)(sumi__rng_u64(rng) & 0x1fffffffffffffu) * 0x1p-53; }

void sumi__rng_uniform(sumi__rng *rng, float low, float high, float *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = fmaf(uniform_f32(rng), high - low, low);
}

uint64_t sumi__rng_below(sumi__rng *rng, uint64_t range) {
  return (range >> 28 ? sumi__rng_u64(rng) : sumi__rng_u32(rng)) % range;
}

void sumi__rng_permutation(sumi__rng *rng, int64_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = (int64_t)i;
  for (size_t i = 0; i + 1 < count; i++) {
    const size_t j = i + (size_t)(sumi__rng_u32(rng) % (count - i));
    const int64_t swapped = out[i];
    out[i] = out[j];
    out[j] = swapped;
  }
}

/* ---- Normal numbers (Box and Muller) ---- */

static const double two_pi = 6.283185307179586476925286766559;

/* Fewer than 16: one at a time in f64, two from each pair of uniform numbers. */
static double normal_f64(sumi__rng *rng) {
  if (rng->has_normal) {
    rng->has_normal = false;
    return rng->normal;
  }
  const double u1 = uniform_f64(rng), u2 = uniform_f64(rng);
  const double radius = sqrt(-2.0 * log1p(-u2)), theta = two_pi * u1;
  rng->normal = radius * sin(theta);
  rng->has_normal = true;
  return radius * cos(theta);
}

/* Cephes' logf (S. Moshier) as PyTorch's vectors compute it: the same polynomial, each product that meets a sum
 * rounded once. x is in (0, 1]. */
static float vector_log(float x) {
  static const float p[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                             -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                             2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
  int exponent;
  x = frexpf(x, &exponent); /* in [0.5, 1) */
  float e = (float)exponent;
  if (x < 0.707106781186547524f) {
    e -= 1.0f;
    x = (x - 1.0f) + x;
  } else {
    x -= 1.0f;
  }
  const float z = x * x;
  float y = p[0];
  for (int i = 1; i < 9; i++) y = fmaf(y, x, p[i]);
  y = y * x;
  y = fmaf(y, z, e * -2.12194440e-4f);
  y = fmaf(-z, 0.5f, y);
  return fmaf(e, 0.693359375f, x + y);
}

/* Cephes' sinf and cosf in the same manner; x is in [0, 2 pi). */
static void vector_sincos(float x, float *sine, float *cosine) {
  const int octant = ((int)(x * 1.27323954473516f) + 1) & ~1; /* 4 / pi */
  const float y = (float)octant;
  x = fmaf(y, -0.78515625f, x); /* x - y pi / 4, pi / 4 in three parts */
  x = fmaf(y, -2.4187564849853515625e-4f, x);
  x = fmaf(y, -3.77489497744594108e-8f, x);
  const float z = x * x;
  float c = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
  c = fmaf(c, z, 4.166664568298827e-2f);
  c = c * z;
  c = fmaf(c, z, -(z * 0.5f)) + 1.0f;
  float s = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
  s = fmaf(s, z, -1.6666654611e-1f);
  s = fmaf(s * z, x, x);
  const bool swap = octant & 2;
  *sine = swap ? c : s;
  *cosine = swap ? s : c;
  if (octant & 4) *sine = -*sine;
  if ((octant + 2) & 4) *cosine = -*cosine;
}

/* Turns 16 uniform numbers into normal ones. */
static void normal_16(float *block) {
  for (int j = 0; j < 8; j++) {
    const float radius = sqrtf(-2.0f * vector_log(1.0f - block[j]));
    float sine, cosine;
    vector_sincos((float)two_pi * block[j + 8], &sine, &cosine);
    block[j] = radius * cosine;
    block[j + 8] = radius * sine;
  }
}

void sumi__rng_normal(sumi__rng *rng, float *out, size_t count) {
  if (count < 16) {
    for (size_t i = 0; i < count; i++) out[i] = (float)normal_f64(rng);
    return;
  }
  sumi__rng_uniform(rng, 0.0f, 1.0f, out, count);
  for (size_t i = 0; i + 16 <= count; i += 16) normal_16(out + i);
  if (count % 16 != 0) {
    sumi__rng_uniform(rng, 0.0f, 1.0f, out + count - 16, 16);
    normal_16(out + count - 16);
  }
}

/* ---- Saving ---- */

static uint8_t *put_u32(uint8_t *out, uint32_t x) {
  for (int i = 0; i < 4; i++) out[i] = (uint8_t)(x >> (8 * i));
  return out + 4;
}

static const uint8_t *take_u32(const uint8_t *in, uint32_t *x) {
  *x = (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
  return in + 4;
}

void sumi__rng_save(const sumi__rng *rng, uint8_t out[SUMI__RNG_BYTES]) {
  uint64_t normal;
  memcpy(&normal, &rng->normal, sizeof normal);
  for (int i = 0; i < SUMI__RNG_WORDS; i++) out = put_u32(out, rng->words[i]);
  out = put_u32(out, rng->next);
  out = put_u32(out, rng->has_normal);
  out = put_u32(out, (uint32_t)normal);
  put_u32(out, (uint32_t)(normal >> 32));
}

bool sumi__rng_load(sumi__rng *rng, const uint8_t *bytes, size_t count) {
  if (count != SUMI__RNG_BYTES) return false;
  sumi__rng loaded = {0};
  uint32_t has_normal, low, high;
  for (int i = 0; i < SUMI__RNG_WORDS; i++) bytes = take_u32(bytes, &loaded.words[i]);
  bytes = take_u32(bytes, &loaded.next);
  bytes = take_u32(bytes, &has_normal);
  bytes = take_u32(bytes, &low);
  take_u32(bytes, &high);
  if (loaded.next > SUMI__RNG_WORDS || has_normal > 1) return false;
  const uint64_t normal = (uint64_t)high << 32 | low;
  memcpy(&loaded.normal, &normal, sizeof normal);
  loaded.has_normal = has_normal;
  *rng = loaded;
  return true;
}
