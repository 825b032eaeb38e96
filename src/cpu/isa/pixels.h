/* Up to V channels of a pixel. */
#ifndef SUMI_SRC_CPU_ISA_PIXELS_H
#define SUMI_SRC_CPU_ISA_PIXELS_H

#include "cpu/isa/simd.h"

static inline vf get(const void *x, sumi_dtype dtype, int64_t at, int64_t n) {
  return n >= V ? vload_as(x, dtype, at) : vload_as_n(x, dtype, at, n);
}
static inline void put(void *y, sumi_dtype dtype, int64_t at, vf value, int64_t n) {
  if (n >= V)
    vstore_as(y, dtype, at, value);
  else
    vstore_as_n(y, dtype, at, value, n);
}

/* Calls `body(c, begin, end, dtype)` with a dtype that is constant there, so that each type has loops of its own. */
#define SUMI__FOR_DTYPE(c, begin, end, dtype, body)                                                                    \
  do {                                                                                                                 \
    if ((dtype) == SUMI_F32)                                                                                           \
      body(c, begin, end, SUMI_F32);                                                                                   \
    else if ((dtype) == SUMI_BF16)                                                                                     \
      body(c, begin, end, SUMI_BF16);                                                                                  \
    else                                                                                                               \
      body(c, begin, end, SUMI_F16);                                                                                   \
  } while (0)

#endif
