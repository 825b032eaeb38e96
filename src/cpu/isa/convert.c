/* Conversions between f32 and the other types; the contract is in cpu/convert.h. */
#include "cpu/convert.h"

#include "cpu/isa/simd.h"

void SUMI__ISA_NAME(sumi__cpu_to_f32)(float *out, const void *in, sumi_dtype dtype, int64_t count) {
  const uint16_t *h = in;
  int64_t i = 0;
  switch (dtype) {
  case SUMI_BF16:
    for (; i + V <= count; i += V) vstore(out + i, vfrom_bf16(vload_h(h + i)));
    if (i < count) vstore_n(out + i, vfrom_bf16(vload_h_n(h + i, count - i)), count - i);
    return;
  case SUMI_F16:
    for (; i + V <= count; i += V) vstore(out + i, vfrom_f16(vload_h(h + i)));
    if (i < count) vstore_n(out + i, vfrom_f16(vload_h_n(h + i, count - i)), count - i);
    return;
  default: sumi__to_f32(out, in, dtype, count); return;
  }
}

void SUMI__ISA_NAME(sumi__cpu_from_f32)(void *out, sumi_dtype dtype, const float *in, int64_t count) {
  uint16_t *h = out;
  int64_t i = 0;
  switch (dtype) {
  case SUMI_BF16:
    for (; i + V <= count; i += V) vstore_h(h + i, vto_bf16(vload(in + i)));
    if (i < count) vstore_h_n(h + i, vto_bf16(vload_n(in + i, count - i)), count - i);
    return;
  case SUMI_F16:
    for (; i + V <= count; i += V) vstore_h(h + i, vto_f16(vload(in + i)));
    if (i < count) vstore_h_n(h + i, vto_f16(vload_n(in + i, count - i)), count - i);
    return;
  default: sumi__from_f32(out, dtype, in, count); return;
  }
}
