/* What the bytes of a safetensors file mean: its types, conversion to f32, statistics. */
#include "io/safetensors_types.h"

#include "io/text.h"

#include <math.h>
#include <string.h>

/* The format is little-endian, and elements are taken as they lie. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "reading safetensors needs a little-endian machine");

static float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static float from_bf16(uint16_t h) { return float_of_bits((uint32_t)h << 16); }

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static float from_f16(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
  if (exponent == 0) {
    const float subnormal = (float)fraction * 0x1p-24f;
    return sign ? -subnormal : subnormal;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return float_of_bits(sign | wide << 23 | fraction << 13);
}

/* The 8-bit floats of the Open Compute Project's OFP8 and MX specifications. E5M2 is the upper half of an f16; E4M3
 * has no infinities, all ones are NaN; E8M0 is a power of two. */
static float from_f8_e5m2(uint8_t b) { return from_f16((uint16_t)(b << 8)); }

static float from_f8_e4m3(uint8_t b) {
  const int exponent = b >> 3 & 15, fraction = b & 7;
  if ((b & 0x7f) == 0x7f) return NAN;
  const float magnitude = exponent ? ldexpf(1.0f + (float)fraction / 8.0f, exponent - 7) : (float)fraction * 0x1p-9f;
  return b & 0x80 ? -magnitude : magnitude;
}

static float from_f8_e8m0(uint8_t b) { return b == 255 ? NAN : ldexpf(1.0f, b - 127); }

#define DECODER(name, type, convert)                                                                                   \
  static void decode_##name(const uint8_t *from, size_t n, double *to) {                                               \
    for (size_t i = 0; i < n; i++) {                                                                                   \
      type x;                                                                                                          \
      memcpy(&x, from + i * sizeof x, sizeof x);                                                                       \
      to[i] = (double)convert(x);                                                                                      \
    }                                                                                                                  \
  }
DECODER(f64, double, )
DECODER(f32, float, )
DECODER(f16, uint16_t, from_f16)
DECODER(bf16, uint16_t, from_bf16)
DECODER(f8_e5m2, uint8_t, from_f8_e5m2)
DECODER(f8_e4m3, uint8_t, from_f8_e4m3)
DECODER(f8_e8m0, uint8_t, from_f8_e8m0)
DECODER(i64, int64_t, )
DECODER(i32, int32_t, )
DECODER(i16, int16_t, )
DECODER(i8, int8_t, )
DECODER(u64, uint64_t, )
DECODER(u32, uint32_t, )
DECODER(u16, uint16_t, )
DECODER(u8, uint8_t, )
DECODER(bool, uint8_t, !!)

/* Every type of the format (safetensors/src/tensor.rs, enum Dtype). */
static const sumi__safetensors_type types[] = {
    {"F32", 32, SUMI_F32, decode_f32},
    {"F16", 16, SUMI_F16, decode_f16},
    {"BF16", 16, SUMI_BF16, decode_bf16},
    {"F64", 64, SUMI_F64, decode_f64},
    {"I64", 64, SUMI_I64, decode_i64},
    {"I32", 32, SUMI_I32, decode_i32},
    {"I16", 16, SUMI_I16, decode_i16},
    {"I8", 8, SUMI_I8, decode_i8},
    {"U8", 8, SUMI_U8, decode_u8},
    {"BOOL", 8, SUMI_BOOL, decode_bool},
    {"U64", 64, -1, decode_u64},
    {"U32", 32, -1, decode_u32},
    {"U16", 16, -1, decode_u16},
    {"F8_E5M2", 8, -1, decode_f8_e5m2},
    {"F8_E4M3", 8, -1, decode_f8_e4m3},
    {"F8_E8M0", 8, -1, decode_f8_e8m0},
    {"C64", 64, -1, NULL},
    {"F4", 4, -1, NULL},
    {"F6_E2M3", 6, -1, NULL},
    {"F6_E3M2", 6, -1, NULL},
};

enum { TYPE_COUNT = sizeof types / sizeof *types };

const sumi__safetensors_type *sumi__safetensors_type_named(const char *name) {
  for (int i = 0; i < TYPE_COUNT; i++)
    if (!strcmp(types[i].name, name)) return &types[i];
  return NULL;
}

const sumi__safetensors_type *sumi__safetensors_type_of(sumi_dtype dtype) {
  for (int i = 0; i < TYPE_COUNT; i++)
    if (types[i].dtype == (int)dtype) return &types[i];
  return NULL;
}

bool sumi__safetensors_dtype(const sumi_safetensors_tensor *tensor, sumi_dtype *out) {
  const sumi__safetensors_type *type = sumi__safetensors_type_named(tensor->dtype);
  if (!type || type->dtype < 0) return false;
  *out = (sumi_dtype)type->dtype;
  return true;
}

static sumi_status readable_type(sumi_context *ctx, const char *path, const sumi_safetensors_tensor *tensor,
                                 const sumi__safetensors_type **out) {
  char name[SUMI__QUOTE_MAX];
  *out = sumi__safetensors_type_named(tensor->dtype);
  if (*out && (*out)->decode) return SUMI_OK;
  return sumi__fail(ctx, SUMI_UNSUPPORTED, "%s: tensor %s: values of type %s cannot be read", path,
                    sumi__quote(name, tensor->name), tensor->dtype);
}

enum { CHUNK = 512 };

static size_t chunk_at(const sumi_safetensors_tensor *tensor, size_t i) {
  const size_t left = (size_t)tensor->count - i;
  return left < CHUNK ? left : CHUNK;
}

sumi_status sumi__safetensors_read_f32(const sumi_safetensors *file, const sumi_safetensors_tensor *tensor,
                                       float *out) {
  const sumi__safetensors_type *type;
  const sumi_status status =
      readable_type(sumi__safetensors_context(file), sumi__safetensors_path(file), tensor, &type);
  if (status != SUMI_OK) return status;
  if (type->dtype == SUMI_F32) {
    if (tensor->bytes) memcpy(out, tensor->data, tensor->bytes);
    return SUMI_OK;
  }
  const uint8_t *from = tensor->data;
  double values[CHUNK];
  for (size_t i = 0; i < (size_t)tensor->count; i += CHUNK) {
    const size_t n = chunk_at(tensor, i);
    type->decode(from + i * (size_t)type->bits / 8, n, values);
    for (size_t k = 0; k < n; k++) out[i + k] = (float)values[k];
  }
  return SUMI_OK;
}

/* Mean and sum of squared deviations of a chunk in two passes, merged with those of the chunks before (Chan, Golub
 * and LeVeque 1983): exact enough for billions of elements, unlike a plain sum of squares. */
typedef struct moments {
  double count, mean, squares;
} moments;

static void merge_chunk(moments *all, const double *values, size_t n) {
  if (!n) return;
  double sum = 0, squares = 0;
  for (size_t i = 0; i < n; i++) sum += values[i];
  const double mean = sum / (double)n;
  for (size_t i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
  const double total = all->count + (double)n, difference = mean - all->mean;
  all->squares += squares + difference * difference * all->count * (double)n / total;
  all->mean += difference * (double)n / total;
  all->count = total;
}

sumi_status sumi_safetensors_statistics(const sumi_safetensors *file, const sumi_safetensors_tensor *tensor,
                                        sumi_statistics *out) {
  return sumi__safetensors_statistics_of(sumi__safetensors_context(file), sumi__safetensors_path(file), tensor, out);
}

sumi_status sumi__safetensors_statistics_of(sumi_context *ctx, const char *path, const sumi_safetensors_tensor *tensor,
                                            sumi_statistics *out) {
  *out = (sumi_statistics){0};
  const sumi__safetensors_type *type;
  const sumi_status status = readable_type(ctx, path, tensor, &type);
  if (status != SUMI_OK) return status;
  const uint8_t *from = tensor->data;
  double values[CHUNK];
  moments all = {0};
  for (size_t i = 0; i < (size_t)tensor->count; i += CHUNK) {
    const size_t n = chunk_at(tensor, i);
    type->decode(from + i * (size_t)type->bits / 8, n, values);
    size_t finite = 0;
    for (size_t k = 0; k < n; k++)
      if (isfinite(values[k])) values[finite++] = values[k];
    out->nonfinite += (int64_t)(n - finite);
    if (all.count == 0 && finite) out->min = out->max = values[0];
    for (size_t k = 0; k < finite; k++) {
      if (values[k] < out->min) out->min = values[k];
      if (values[k] > out->max) out->max = values[k];
    }
    merge_chunk(&all, values, finite);
  }
  out->mean = all.mean;
  out->std = all.count > 0 ? sqrt(all.squares / all.count) : 0;
  return SUMI_OK;
}
