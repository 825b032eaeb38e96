/* sumi__to_f32 and sumi__from_f32 (tensor/graph.h) at the speed of memory: the same values, bit for bit but for the
 * payload of f16 NaNs. */
#ifndef SUMI_SRC_CPU_CONVERT_H
#define SUMI_SRC_CPU_CONVERT_H

#include "cpu/isa/dispatch.h"
#include "tensor/graph.h"

SUMI__ISA_DECLARE(void, sumi__cpu_to_f32, (float *out, const void *in, sumi_dtype dtype, int64_t count));
SUMI__ISA_DECLARE(void, sumi__cpu_from_f32, (void *out, sumi_dtype dtype, const float *in, int64_t count));

#endif
