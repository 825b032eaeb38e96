/* Loops over pixels, once for each type. */
#ifndef SUMI_SRC_CPU_ISA_PIXELS_H
#define SUMI_SRC_CPU_ISA_PIXELS_H

#include "cpu/isa/simd.h"

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
