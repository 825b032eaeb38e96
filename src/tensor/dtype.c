#include "tensor/graph.h"

#include <math.h>
#include <string.h>

static const struct {
  const char *name;
  size_t bytes;
} dtypes[SUMI_DTYPE_COUNT] = {
    [SUMI_F32] = {"f32", 4}, [SUMI_BF16] = {"bf16", 2}, [SUMI_F16] = {"f16", 2}, [SUMI_F64] = {"f64", 8},
    [SUMI_U8] = {"u8", 1},   [SUMI_I8] = {"i8", 1},     [SUMI_I16] = {"i16", 2}, [SUMI_I32] = {"i32", 4},
    [SUMI_I64] = {"i64", 8}, [SUMI_BOOL] = {"bool", 1},
};

static bool known(sumi_dtype dtype) { return (unsigned)dtype < SUMI_DTYPE_COUNT; }

size_t sumi_dtype_bytes(sumi_dtype dtype) { return known(dtype) ? dtypes[dtype].bytes : 0; }
const char *sumi_dtype_name(sumi_dtype dtype) { return known(dtype) ? dtypes[dtype].name : "unknown"; }

bool sumi__is_float(sumi_dtype d) { return d == SUMI_F32 || d == SUMI_BF16 || d == SUMI_F16; }
bool sumi__is_index(sumi_dtype d) { return d == SUMI_I32 || d == SUMI_I64; }

sumi_dtype sumi__promote(sumi_dtype a, sumi_dtype b) {
  if (a == b) return a;
  return SUMI_F32; /* bf16 and f16 have no common type but f32; anything with f32 is f32 */
}

float sumi__f16_to_f32(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 31u, mantissa = h & 0x3ffu;
  union {
    uint32_t u;
    float f;
  } v;
  if (exponent == 31)
    v.u = sign | 0x7f800000u | (mantissa << 13);
  else if (exponent)
    v.u = sign | ((exponent + 112) << 23) | (mantissa << 13);
  else { /* zero and subnormals: mantissa * 2^-24 */
    v.f = (float)mantissa * 0x1p-24f;
    v.u |= sign;
  }
  return v.f;
}

uint16_t sumi__f32_to_f16(float x) {
  union {
    float f;
    uint32_t u;
  } v = {x};
  const uint16_t sign = (uint16_t)((v.u >> 16) & 0x8000u);
  v.u &= 0x7fffffffu;
  if (v.u > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
  if (v.u >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and above round to infinity */
  if (v.u < 0x38800000u) { /* below 2^-14: adding 0.5 leaves the rounded subnormal in the low bits */
    v.f += 0.5f;
    return (uint16_t)(sign | (v.u - 0x3f000000u));
  }
  const uint32_t odd = (v.u >> 13) & 1u;
  return (uint16_t)(sign | ((v.u - 0x38000000u + 0xfffu + odd) >> 13));
}

void sumi__to_f32(float *out, const void *in, sumi_dtype dtype, int64_t count) {
#define FROM(type)                                                                                                     \
  for (int64_t i = 0; i < count; i++) out[i] = (float)((const type *)in)[i];                                           \
  return
  switch (dtype) {
  case SUMI_F32: memcpy(out, in, (size_t)count * sizeof(float)); return;
  case SUMI_BF16:
    for (int64_t i = 0; i < count; i++) out[i] = sumi__bf16_to_f32(((const uint16_t *)in)[i]);
    return;
  case SUMI_F16:
    for (int64_t i = 0; i < count; i++) out[i] = sumi__f16_to_f32(((const uint16_t *)in)[i]);
    return;
  case SUMI_F64: FROM(double);
  case SUMI_U8: FROM(uint8_t);
  case SUMI_I8: FROM(int8_t);
  case SUMI_I16: FROM(int16_t);
  case SUMI_I32: FROM(int32_t);
  case SUMI_I64: FROM(int64_t);
  case SUMI_BOOL:
    for (int64_t i = 0; i < count; i++) out[i] = ((const uint8_t *)in)[i] ? 1.0f : 0.0f;
    return;
  case SUMI_DTYPE_COUNT: return;
  }
#undef FROM
}

static double clamp_to(double x, double low, double high) {
  return isnan(x) ? 0.0 : x < low ? low : x > high ? high : x;
}

void sumi__from_f32(void *out, sumi_dtype dtype, const float *in, int64_t count) {
#define TO(type, low, high)                                                                                            \
  for (int64_t i = 0; i < count; i++) ((type *)out)[i] = (type)clamp_to((double)in[i], low, high);                     \
  return
  switch (dtype) {
  case SUMI_F32: memcpy(out, in, (size_t)count * sizeof(float)); return;
  case SUMI_BF16:
    for (int64_t i = 0; i < count; i++) ((uint16_t *)out)[i] = sumi__f32_to_bf16(in[i]);
    return;
  case SUMI_F16:
    for (int64_t i = 0; i < count; i++) ((uint16_t *)out)[i] = sumi__f32_to_f16(in[i]);
    return;
  case SUMI_F64:
    for (int64_t i = 0; i < count; i++) ((double *)out)[i] = (double)in[i];
    return;
  case SUMI_U8: TO(uint8_t, 0, UINT8_MAX);
  case SUMI_I8: TO(int8_t, INT8_MIN, INT8_MAX);
  case SUMI_I16: TO(int16_t, INT16_MIN, INT16_MAX);
  case SUMI_I32: TO(int32_t, INT32_MIN, INT32_MAX);
  case SUMI_I64: TO(int64_t, -0x1p63, 0x1.fffffffffffffp62);
  case SUMI_BOOL:
    for (int64_t i = 0; i < count; i++) ((uint8_t *)out)[i] = in[i] != 0.0f;
    return;
  case SUMI_DTYPE_COUNT: return;
  }
#undef TO
}
