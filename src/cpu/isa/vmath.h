/* Elementary functions on vectors of floats: argument reduction and a polynomial each. The polynomials are minimax
 * fits of our own (weighted least squares with Lawson's reweighting); reductions follow Cody and Waite, "Software
 * Manual for the Elementary Functions". tests/cpu_fused_test.c measures the bounds that are stated here, against
 * double precision, in units in the last place (ulp) of the exact result unless said otherwise. */
#ifndef SUMI_SRC_CPU_ISA_VMATH_H
#define SUMI_SRC_CPU_ISA_VMATH_H

#include "cpu/isa/simd.h"

/* 2^n x for -250 <= n <= 250, right for overflow and subnormal results too. */
static inline vf vscale2(vf x, vi n) {
#if defined(SUMI__SIMD_AVX512)
  return (vf)_mm512_scalef_ps((__m512)x, _mm512_cvtepi32_ps((__m512i)n));
#else
  const vi half = n >> 1;
  return x * (vf)((vu)(half + 127) << 23) * (vf)((vu)(n - half + 127) << 23);
#endif
}

/* e^x: 1.1 ulp; 0 below -104, infinity above 88.73. NaN stays NaN. */
static inline vf vexp(vf x) {
  x = vmin(vset(89.0f), vmax(vset(-105.0f), x));
  const vf sum = vround_sum(x * 1.44269504f), n = vround_value(sum);
  const vf r = (x - n * 0.693359375f) - n * -2.12194440e-4f; /* ln 2 in two parts, the first of 10 bits */
  const vf p = 0.5f + r * (0.166665733f + r * (0.0416663624f + r * (0.00836377591f + r * 0.00139421609f)));
  return vscale2(1.0f + (r + r * r * p), vround_bits(sum));
}

/* 2^x for x <= 0, within 2e-7 of the result, or 1e-4 where `rough` (for results that are rounded to bf16, whose last
 * place is forty times that): a minimax polynomial on [-1/2, 1/2]. 0 below -150. x may be positive up to 60, and must
 * not be -infinity. */
static inline __attribute__((always_inline)) vf vexp2_finite(vf x, bool rough) {
#if defined(SUMI__SIMD_AVX512)
  const vf n = (vf)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = x - n;
#else
  x = vmax(vset(-200.0f), x);
  const vf sum = vround_sum(x), n = vround_value(sum), f = x - n;
#endif
  const vf p =
      rough ? 0.999928057f + f * (0.693260968f + f * (0.24261114f + f * 0.0551716685f))
            : 1.00000012f + f * (0.693146944f +
                                 f * (0.240221202f + f * (0.0555071309f + f * (0.00967554189f + f * 0.00132764725f))));
#if defined(SUMI__SIMD_AVX512)
  return (vf)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  return vscale2(p, vround_bits(sum));
#endif
}

/* The same, and 0 for -infinity. */
static inline __attribute__((always_inline)) vf vexp2_below(vf x, bool rough) {
#if defined(SUMI__SIMD_AVX512)
  x = vmax(vset(-200.0f), x);
#endif
  return vexp2_finite(x, rough);
}

/* ln x: 1.0 ulp; -infinity at 0, NaN below it. */
static inline vf vlog(vf x) {
  const vm small = vlt(x, vset(1.17549435e-38f));
  const vf y = vselect(small, x * 8388608.0f, x);
  const vi bits = (vi)((vu)y + (0x3f800000u - 0x3f3504f3u)); /* so that the exponent steps at sqrt(1/2) */
  const vf e = __builtin_convertvector((bits >> 23) - 127, vf) - vselect(small, vset(23.0f), vzero());
  const vf f = (vf)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
  vf p = 0.130084395f + f * -0.0782466009f;
  p = 0.141630128f + f * (-0.13209866f + f * p);
  p = 0.200030327f + f * (-0.166110098f + f * p);
  p = 0.333333075f + f * (-0.250015259f + f * p);
  p = f * f * (-0.499999881f + f * p);
  vf result = e * 0.693359375f + (f + (p + e * -2.12194440e-4f));
  result = vselect(vlt(x, vset(INFINITY)), result, x); /* infinity and NaN */
  result = vselect(veq(x, vzero()), vset(-INFINITY), result);
  return vselect(vlt(x, vzero()), vset(NAN), result);
}

/* sin and cos of x at once: 9e-8 absolutely for |x| up to SUMI__SINCOS_MAX. */
#if defined(SUMI__SIMD_FMA)
#define SUMI__SINCOS_MAX 60000.0f
#else
#define SUMI__SINCOS_MAX 6000.0f
#endif
static inline void vsincos(vf x, vf *sine, vf *cosine) {
  const vf sum = vround_sum(x * 0.636619772f), n = vround_value(sum);
#if defined(SUMI__SIMD_FMA)
  const vf r = vfma(n, vset(1.71512489e-15f), vfma(n, vset(4.37113883e-8f), vfma(n, vset(-1.57079637f), x)));
#else /* parts of so few bits that their products with n are exact */
  const vf r = (((x - n * 1.5703125f) - n * 4.83751297e-4f) - n * 7.54953362e-8f) - n * 2.56334407e-12f;
#endif
  const vf s = r * r;
  const vf a = r + r * s * (-0.166666672f + s * (0.00833332911f + s * (-0.000198392561f + s * 2.71756448e-06f)));
  const vf b = 1.0f + s * (-0.5f + s * (0.0416666456f + s * (-0.0013887306f + s * 2.44312032e-05f)));
  const vi q = vround_bits(sum);
  const vm even = vlti((q & 1), vseti(1));
  *sine = (vf)((vu)vselect(even, a, b) ^ ((vu)(q & 2) << 30));
  *cosine = (vf)((vu)vselect(even, b, a) ^ ((vu)((q + 1) & 2) << 30));
}

/* Larger arguments, infinities and NaN go through the C library, one by one. */
static inline vf vsin(vf x) {
  vf s, c;
  vsincos(x, &s, &c);
  if (!vany(vlt(vset(SUMI__SINCOS_MAX), vabs(x))) && !vany(vnan(x))) return s;
  for (int i = 0; i < V; i++) s[i] = sinf(x[i]);
  return s;
}
static inline vf vcos(vf x) {
  vf s, c;
  vsincos(x, &s, &c);
  if (!vany(vlt(vset(SUMI__SINCOS_MAX), vabs(x))) && !vany(vnan(x))) return c;
  for (int i = 0; i < V; i++) c[i] = cosf(x[i]);
  return c;
}

/* 1 / (1 + e^-x): 2.5 ulp. */
static inline vf vsigmoid(vf x) { return 1.0f / (1.0f + vexp(-x)); }

/* x / (1 + e^-x): 2.5 ulp. */
static inline vf vsilu(vf x) { return x / (1.0f + vexp(-x)); }

/* tanh x: 2 ulp. */
static inline vf vtanh(vf x) {
  const vf a = vabs(x), s = x * x;
  const vf p = 0.133319587f + s * (-0.0537866801f + s * (0.0208053775f + s * -0.00590586057f));
  const vf small = x + x * (s * (-0.333332986f + s * p));
  const vf large = 1.0f - 2.0f / (vexp(a + a) + 1.0f);
  return vselect(vlt(a, vset(0.6f)), small, vcopysign(large, x));
}

/* erf x: 2.5 ulp. Above 0.9 it is 1 - exp(-x Q(x)). */
static inline vf verf(vf x) {
  const vf a = vmin(vset(4.05f), vabs(x)), s = x * x;
  vf p = 0.112837195f + s * (-0.0268607531f + s * (0.0052044359f + s * (-0.000818192726f + s * 8.53883903e-05f)));
  p = x * (1.12837923f + s * (-0.376126349f + s * p));
  vf q = -0.0236531049f + a * (0.00359083433f + a * (-0.000310085801f + a * 9.95892879e-06f));
  q = 1.1286298f + a * (0.635227382f + a * (0.106110707f + a * q));
  const vf large = vcopysign(1.0f - vexp(-a * q), x);
  return vselect(vlt(vabs(x), vset(0.9f)), p, large);
}

/* x Phi(x), Phi the normal distribution function: 1.3e-7 max(1, |x|) absolutely. */
static inline vf vgelu(vf x) { return (0.5f * x) * (1.0f + verf(x * 0.707106781f)); }

/* Phi(x), the normal distribution function, within 3.2e-5: for results that are rounded to bf16. */
static inline vf vnormal_rough(vf x) {
  const vf y = vmin(vset(4.0f), vmax(vset(-4.0f), x)), s = y * y;
  vf p = -6.09106854e-09f + s * 6.77285936e-11f;
  p = -5.87337354e-06f + s * (2.44838191e-07f + s * p);
  p = -0.00111361209f + s * (9.50676549e-05f + s * p);
  p = -0.0663280413f + s * (0.00981836114f + s * p);
  return 0.5f + y * (0.398883879f + s * p);
}

#endif
