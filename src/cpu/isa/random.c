/* The random operators on V blocks of Philox4x32-10 at a time (base/philox.h
 * has the scalar form, ops/random.h what becomes of the bits). */
#include "cpu/random.h"

#include "cpu/isa/vmath.h"
#include "ops/attrs.h"

/* Both halves of the 64-bit products of a with m. */
static inline void multiply_wide(vu a, uint32_t m, vu *high, vu *low) {
#if defined(SUMI__SIMD_AVX512)
  const __m512i x = (__m512i)a, k = _mm512_set1_epi32((int)m);
  const __m512i even = _mm512_mul_epu32(x, k), odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), k);
  *high = (vu)_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
  *low = (vu)_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
#elif defined(SUMI__SIMD_AVX2)
  const __m256i x = (__m256i)a, k = _mm256_set1_epi32((int)m);
  const __m256i even = _mm256_mul_epu32(x, k), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), k);
  *high = (vu)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  *low = (vu)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
#else
  for (int i = 0; i < V; i++) {
    const uint64_t product = (uint64_t)a[i] * m;
    (*high)[i] = (uint32_t)(product >> 32);
    (*low)[i] = (uint32_t)product;
  }
#endif
}

typedef struct source {
  uint32_t key[2], counter, stream;
} source;

static source source_of(const sumi__call *c, const int64_t *state) {
  const uint64_t seed = (uint64_t)state[0];
  const sumi__random_attrs *a = c->node->attrs;
  return (source){{(uint32_t)seed, (uint32_t)(seed >> 32)}, (uint32_t)(uint64_t)state[1], (uint32_t)a->stream};
}

/* Blocks first to first + V - 1; first is a multiple of V, so only the
 * counter's low word differs. */
static inline void philox(const source *s, int64_t first, vu out[4]) {
  const vu none = {0};
  vu c0 = none, c1 = none + (uint32_t)((uint64_t)first >> 32), c2 = none + s->counter, c3 = none + s->stream;
  for (int i = 0; i < V; i++) c0[i] = (uint32_t)(uint64_t)first + (uint32_t)i;
  uint32_t k0 = s->key[0], k1 = s->key[1];
  for (int round = 0; round < 10; round++) {
    vu high0, low0, high1, low1;
    multiply_wide(c0, 0xD2511F53u, &high0, &low0);
    multiply_wide(c2, 0xCD9E8D57u, &high1, &low1);
    c0 = high1 ^ c1 ^ k0;
    c2 = high0 ^ c3 ^ k1;
    c1 = low1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

static inline vf unit(vu bits) { return __builtin_convertvector((vi)(bits >> 8), vf) * 0x1p-24f; }

/* Lane j of block i becomes element 4i + j: 4V of them in `to`. */
static inline void interleave(const vf x[4], float *to) {
  const vf even_low = vzip_low(x[0], x[2]), even_high = vzip_high(x[0], x[2]);
  const vf odd_low = vzip_low(x[1], x[3]), odd_high = vzip_high(x[1], x[3]);
  vstore(to, vzip_low(even_low, odd_low));
  vstore(to + V, vzip_high(even_low, odd_low));
  vstore(to + 2 * V, vzip_low(even_high, odd_high));
  vstore(to + 3 * V, vzip_high(even_high, odd_high));
}

static inline void uniform(const source *s, int64_t block, float *to) {
  vu bits[4];
  vf x[4];
  philox(s, block, bits);
  for (int j = 0; j < 4; j++) x[j] = unit(bits[j]);
  interleave(x, to);
}

static inline void normal(const source *s, int64_t block, float *to) {
  vu bits[4];
  vf x[4];
  philox(s, block, bits);
  for (int j = 0; j < 4; j += 2) {
    const vf radius = vsqrt(-2.0f * vlog(1.0f - unit(bits[j])));
    vf sine, cosine;
    vsincos(6.2831853f * unit(bits[j + 1]), &sine, &cosine);
    x[j] = radius * cosine;
    x[j + 1] = radius * sine;
  }
  interleave(x, to);
}

static inline void fill(const sumi__call *c, int64_t begin, int64_t end, bool is_normal) {
  const source s = source_of(c, c->in[0]);
  float *y = c->out[0];
  for (int64_t i = begin; i < end; i += 4 * V) {
    float some[4 * SUMI__SIMD_WIDTH];
    float *to = i + 4 * V <= end ? y + i : some;
    if (is_normal)
      normal(&s, i / 4, to);
    else
      uniform(&s, i / 4, to);
    if (to == some) memcpy(y + i, some, (size_t)(end - i) * sizeof *y);
  }
}

void SUMI__ISA_NAME(sumi__cpu_random_uniform_range)(void *call, int64_t begin, int64_t end, int worker) {
  (void)worker;
  fill(call, begin, end, false);
}

void SUMI__ISA_NAME(sumi__cpu_random_normal_range)(void *call, int64_t begin, int64_t end, int worker) {
  (void)worker;
  fill(call, begin, end, true);
}

static inline void dropout(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype) {
  const source s = source_of(c, c->in[1]);
  const float p = ((const sumi__random_attrs *)c->node->attrs)->p, scale = 1.0f / (1.0f - p);
  for (int64_t i = begin; i < end; i += 4 * V) {
    float chance[4 * SUMI__SIMD_WIDTH];
    uniform(&s, i / 4, chance);
    for (int64_t k = i; k < end && k < i + 4 * V; k += V) {
      const int64_t n = sumi__min_i64(V, end - k);
      const vf x = vload_as_n(c->in[0], dtype, k, n);
      vstore_as_n(c->out[0], dtype, k, vselect(vle(vset(p), vload(chance + (k - i))), x * scale, vzero()), n);
    }
  }
}

void SUMI__ISA_NAME(sumi__cpu_dropout_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  switch (c->node->outputs[0]->dtype) {
  case SUMI_F32: dropout(c, begin, end, SUMI_F32); return;
  case SUMI_BF16: dropout(c, begin, end, SUMI_BF16); return;
  default: dropout(c, begin, end, SUMI_F16); return;
  }
}
