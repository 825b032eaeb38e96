/* Vectors of V floats, as wide as the instruction set of this compilation:
 * GCC's and Clang's vector types, with intrinsics only where these do not
 * reach. Arithmetic (+ - * / and comparisons of integers) is written with
 * operators; `a * b + c` becomes one fused instruction where there is one
 * (-ffp-contract=fast). For files of src/cpu/isa alone (see dispatch.h). */
#ifndef SUMI_SRC_CPU_ISA_SIMD_H
#define SUMI_SRC_CPU_ISA_SIMD_H

#include "tensor/graph.h"

#include <math.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__AVX512F__)
#define SUMI__SIMD_AVX512 1
#define SUMI__SIMD_WIDTH 16
#elif defined(__AVX2__)
#define SUMI__SIMD_AVX2 1
#define SUMI__SIMD_WIDTH 8
#else
#define SUMI__SIMD_WIDTH 4
#endif

/* For loops whose arguments are constants where they are called: each call gets a loop of its own. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { V = SUMI__SIMD_WIDTH };

typedef float vf __attribute__((vector_size(4 * SUMI__SIMD_WIDTH)));
typedef int32_t vi __attribute__((vector_size(4 * SUMI__SIMD_WIDTH)));
typedef uint32_t vu __attribute__((vector_size(4 * SUMI__SIMD_WIDTH)));
typedef uint16_t vh __attribute__((vector_size(2 * SUMI__SIMD_WIDTH)));
typedef float vf_any __attribute__((vector_size(4 * SUMI__SIMD_WIDTH), aligned(4), may_alias));
typedef uint16_t vh_any __attribute__((vector_size(2 * SUMI__SIMD_WIDTH), aligned(2), may_alias));

/* ---- Loads and stores; `_n` moves the first n (0 < n <= V) alone, and loads
 * zeros for the rest ---- */

static inline vf vset(float x) { return x - (vf){0}; }
static inline vi vseti(int32_t x) { return x - (vi){0}; }
static inline vf vzero(void) { return (vf){0}; }
static inline vf vload(const float *p) { return *(const vf_any *)p; }
static inline void vstore(float *p, vf x) { *(vf_any *)p = x; }

#if defined(SUMI__SIMD_AVX512)
static inline __mmask16 vfirst(int64_t n) { return (__mmask16)((1u << n) - 1u); }
static inline vf vload_n(const float *p, int64_t n) { return (vf)_mm512_maskz_loadu_ps(vfirst(n), p); }
static inline void vstore_n(float *p, vf x, int64_t n) { _mm512_mask_storeu_ps(p, vfirst(n), (__m512)x); }
#elif defined(SUMI__SIMD_AVX2)
static inline __m256i vfirst(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf vload_n(const float *p, int64_t n) { return (vf)_mm256_maskload_ps(p, vfirst(n)); }
static inline void vstore_n(float *p, vf x, int64_t n) { _mm256_maskstore_ps(p, vfirst(n), (__m256)x); }
#else
static inline vf vload_n(const float *p, int64_t n) {
  float x[SUMI__SIMD_WIDTH] = {0};
  for (int64_t i = 0; i < n; i++) x[i] = p[i];
  return vload(x);
}
static inline void vstore_n(float *p, vf x, int64_t n) {
  float y[SUMI__SIMD_WIDTH];
  vstore(y, x);
  for (int64_t i = 0; i < n; i++) p[i] = y[i];
}
#endif

/* ---- Comparisons give a mask, vselect takes `yes` where it is set ---- */

#if defined(SUMI__SIMD_AVX512)
typedef __mmask16 vm;
static inline vm vlt(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ); }
static inline vm vle(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LE_OQ); }
static inline vm veq(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ); }
static inline vm vnan(vf a) { return _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_UNORD_Q); }
static inline vm vlti(vi a, vi b) { return _mm512_cmp_epi32_mask((__m512i)a, (__m512i)b, _MM_CMPINT_LT); }
static inline vf vselect(vm m, vf yes, vf no) { return (vf)_mm512_mask_blend_ps(m, (__m512)no, (__m512)yes); }
static inline bool vany(vm m) { return m != 0; }
#else
typedef vi vm;
static inline vm vlt(vf a, vf b) { return a < b; }
static inline vm vle(vf a, vf b) { return a <= b; }
static inline vm veq(vf a, vf b) { return a == b; }
static inline vm vnan(vf a) { return a != a; }
static inline vm vlti(vi a, vi b) { return a < b; }
#if defined(SUMI__SIMD_AVX2)
static inline vf vselect(vm m, vf yes, vf no) { return (vf)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)m); }
static inline bool vany(vm m) { return _mm256_movemask_ps((__m256)m) != 0; }
#else
static inline vf vselect(vm m, vf yes, vf no) { return (vf)((m & (vi)yes) | (~m & (vi)no)); }
static inline bool vany(vm m) {
  int32_t any = 0;
  for (int i = 0; i < V; i++) any |= m[i];
  return any != 0;
}
#endif
#endif

/* x in the first n (0 < n <= V) lanes, `rest` in the others. */
static inline vf vfill(vf x, vf rest, int64_t n) {
#if defined(SUMI__SIMD_AVX512)
  return vselect(vfirst(n), x, rest);
#elif defined(SUMI__SIMD_AVX2)
  return vselect((vm)vfirst(n), x, rest);
#else
  for (int64_t i = n; i < V; i++) x[i] = rest[i];
  return x;
#endif
}

/* Where one of the two is NaN the second is returned, as x86 does. */
#if defined(SUMI__SIMD_AVX512)
static inline vf vmin(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
static inline vf vmax(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
static inline vf vsqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
#elif defined(SUMI__SIMD_AVX2)
static inline vf vmin(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
static inline vf vmax(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
static inline vf vsqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
#elif defined(__SSE2__)
static inline vf vmin(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
static inline vf vmax(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
static inline vf vsqrt(vf a) { return (vf)_mm_sqrt_ps((__m128)a); }
#else
static inline vf vmin(vf a, vf b) { return vselect(a < b, a, b); }
static inline vf vmax(vf a, vf b) { return vselect(a > b, a, b); }
static inline vf vsqrt(vf a) {
  for (int i = 0; i < V; i++) a[i] = sqrtf(a[i]);
  return a;
}
#endif
/* a b + c, rounded once where the processor can: for where accuracy rests on
 * it. */
#if defined(SUMI__SIMD_AVX512)
#define SUMI__SIMD_FMA 1
static inline vf vfma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif defined(SUMI__SIMD_AVX2)
#define SUMI__SIMD_FMA 1
static inline vf vfma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#else
static inline vf vfma(vf a, vf b, vf c) { return a * b + c; }
#endif
static inline vf vabs(vf a) { return (vf)((vu)a & 0x7fffffffu); }
static inline vf vcopysign(vf size, vf sign) { return (vf)(((vu)size & 0x7fffffffu) | ((vu)sign & 0x80000000u)); }

/* To the nearest integer, for |x| < 2^22: adding 1.5 * 2^23 leaves it in the
 * low bits. vround_bits gives it as an integer from the same sum. */
static inline vf vround_sum(vf x) { return x + 12582912.0f; }
static inline vf vround_value(vf sum) { return sum - 12582912.0f; }
static inline vi vround_bits(vf sum) { return (vi)sum - 0x4b400000; }

/* ---- Across a vector: halves are joined until one element is left, in the
 * same order everywhere ---- */

#if defined(__SSE2__)
static inline float vsum_four(__m128 x) {
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
static inline float vmax_four(__m128 x) {
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
}
#endif
#if defined(__AVX2__)
static inline float vsum_eight(__m256 x) {
  return vsum_four(_mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)));
}
static inline float vmax_eight(__m256 x) {
  return vmax_four(_mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)));
}
#endif
#if defined(SUMI__SIMD_AVX512)
static inline float vsum(vf x) {
  return vsum_eight(_mm256_add_ps(_mm512_castps512_ps256((__m512)x), _mm512_extractf32x8_ps((__m512)x, 1)));
}
static inline float vmax_across(vf x) {
  return vmax_eight(_mm256_max_ps(_mm512_castps512_ps256((__m512)x), _mm512_extractf32x8_ps((__m512)x, 1)));
}
#elif defined(SUMI__SIMD_AVX2)
static inline float vsum(vf x) { return vsum_eight((__m256)x); }
static inline float vmax_across(vf x) { return vmax_eight((__m256)x); }
#elif defined(__SSE2__)
static inline float vsum(vf x) { return vsum_four((__m128)x); }
static inline float vmax_across(vf x) { return vmax_four((__m128)x); }
#else
static inline float vsum(vf x) { return (x[0] + x[2]) + (x[1] + x[3]); }
static inline float vmax_across(vf x) {
  const float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
}
#endif

/* The lower, or upper, halves of a and b, one element from each in turn. */
#if SUMI__SIMD_WIDTH == 16
static inline vf vzip_low(vf a, vf b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline vf vzip_high(vf a, vf b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
#elif SUMI__SIMD_WIDTH == 8
static inline vf vzip_low(vf a, vf b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
static inline vf vzip_high(vf a, vf b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
#else
static inline vf vzip_low(vf a, vf b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
static inline vf vzip_high(vf a, vf b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
#endif

/* ---- bf16 and f16 ---- */

static inline vf vfrom_bf16(vh h) {
#if defined(SUMI__SIMD_AVX512)
  return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16);
#elif defined(SUMI__SIMD_AVX2)
  return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)h), 16);
#else
  return (vf)(__builtin_convertvector(h, vu) << 16);
#endif
}

/* To nearest, ties to even, subnormals kept, NaN quiet: the same bits as
 * sumi__f32_to_bf16. VCVTNEPS2BF16 gives the same but for subnormal numbers,
 * which it flushes: where one is among them, integers do it. */
static inline vh vto_bf16(vf x) {
#if defined(__AVX512BF16__)
  enum { SUBNORMAL = 0x20 };
  if (__builtin_expect(_mm512_fpclass_ps_mask((__m512)x, SUBNORMAL) == 0, 1)) return (vh)_mm512_cvtneps_pbh((__m512)x);
#endif
  const vu u = (vu)x;
  vu rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  rounded = (vu)vselect(vnan(x), (vf)((u >> 16) | 0x40u), (vf)rounded);
#if defined(SUMI__SIMD_AVX512)
  return (vh)_mm512_cvtepi32_epi16((__m512i)rounded);
#elif defined(SUMI__SIMD_AVX2)
  const __m256i packed = _mm256_packus_epi32((__m256i)rounded, (__m256i)rounded);
  return (vh)_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
#else
  return __builtin_convertvector(rounded, vh);
#endif
}

static inline vf vfrom_f16(vh h) {
#if defined(SUMI__SIMD_AVX512)
  return (vf)_mm512_cvtph_ps((__m256i)h);
#elif defined(SUMI__SIMD_AVX2)
  return (vf)_mm256_cvtph_ps((__m128i)h);
#else
  vf x;
  for (int i = 0; i < V; i++) x[i] = sumi__f16_to_f32(h[i]);
  return x;
#endif
}

static inline vh vto_f16(vf x) {
#if defined(SUMI__SIMD_AVX512)
  return (vh)_mm512_maskz_cvtps_ph((__mmask16)0xffff, (__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(SUMI__SIMD_AVX2)
  return (vh)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  vh h;
  for (int i = 0; i < V; i++) h[i] = sumi__f32_to_f16(x[i]);
  return h;
#endif
}

static inline vh vload_h(const uint16_t *p) { return *(const vh_any *)p; }
static inline void vstore_h(uint16_t *p, vh x) { *(vh_any *)p = x; }
static inline vh vload_h_n(const uint16_t *p, int64_t n) {
#if defined(SUMI__SIMD_AVX512)
  return (vh)_mm256_maskz_loadu_epi16(vfirst(n), p);
#else
  uint16_t x[SUMI__SIMD_WIDTH] = {0};
  for (int64_t i = 0; i < n; i++) x[i] = p[i];
  return vload_h(x);
#endif
}
static inline void vstore_h_n(uint16_t *p, vh x, int64_t n) {
#if defined(SUMI__SIMD_AVX512)
  _mm256_mask_storeu_epi16(p, vfirst(n), (__m256i)x);
#else
  uint16_t y[SUMI__SIMD_WIDTH];
  vstore_h(y, x);
  for (int64_t i = 0; i < n; i++) p[i] = y[i];
#endif
}

/* V elements of a tensor of f32, bf16 or f16, starting at element i. With a
 * dtype that is constant where it is called, the choice costs nothing. */
static inline vf vload_as(const void *p, sumi_dtype dtype, int64_t i) {
  if (dtype == SUMI_F32) return vload((const float *)p + i);
  const vh h = vload_h((const uint16_t *)p + i);
  return dtype == SUMI_BF16 ? vfrom_bf16(h) : vfrom_f16(h);
}
static inline vf vload_as_n(const void *p, sumi_dtype dtype, int64_t i, int64_t n) {
  if (dtype == SUMI_F32) return vload_n((const float *)p + i, n);
  const vh h = vload_h_n((const uint16_t *)p + i, n);
  return dtype == SUMI_BF16 ? vfrom_bf16(h) : vfrom_f16(h);
}
static inline void vstore_as(void *p, sumi_dtype dtype, int64_t i, vf x) {
  if (dtype == SUMI_F32)
    vstore((float *)p + i, x);
  else
    vstore_h((uint16_t *)p + i, dtype == SUMI_BF16 ? vto_bf16(x) : vto_f16(x));
}
/* Two vectors that follow one another: where an instruction makes bf16 of both, at little more than the cost of one. */
static inline void vstore_two_as(void *p, sumi_dtype dtype, int64_t i, vf x, vf y) {
#if defined(__AVX512BF16__)
  enum { SUBNORMAL = 0x20 };
  const unsigned subnormal =
      _mm512_fpclass_ps_mask((__m512)x, SUBNORMAL) | _mm512_fpclass_ps_mask((__m512)y, SUBNORMAL);
  if (dtype == SUMI_BF16 && __builtin_expect(subnormal == 0, 1)) {
    _mm512_storeu_si512((uint16_t *)p + i, (__m512i)_mm512_cvtne2ps_pbh((__m512)y, (__m512)x));
    return;
  }
#endif
  vstore_as(p, dtype, i, x);
  vstore_as(p, dtype, i + V, y);
}
static inline void vstore_as_n(void *p, sumi_dtype dtype, int64_t i, vf x, int64_t n) {
  if (dtype == SUMI_F32)
    vstore_n((float *)p + i, x, n);
  else
    vstore_h_n((uint16_t *)p + i, dtype == SUMI_BF16 ? vto_bf16(x) : vto_f16(x), n);
}

/* The first n elements, or V of them where n is more. */
ALWAYS_INLINE vf vload_up_to(const void *p, sumi_dtype dtype, int64_t i, int64_t n) {
  return n >= V ? vload_as(p, dtype, i) : vload_as_n(p, dtype, i, n);
}
ALWAYS_INLINE void vstore_up_to(void *p, sumi_dtype dtype, int64_t i, vf x, int64_t n) {
  if (n >= V)
    vstore_as(p, dtype, i, x);
  else
    vstore_as_n(p, dtype, i, x, n);
}

#endif
