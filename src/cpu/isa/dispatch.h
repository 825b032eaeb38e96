/* One source, several instruction sets. A file src/cpu/isa/NAME.c is compiled once for each of them (sources.cmake),
 * with SUMI_ISA naming which, and exports functions or tables whose names end in it:
 *
 *   in src/cpu/NAME.h      SUMI__ISA_DECLARE(sumi_status, sumi__cpu_softmax_run, (const sumi__call *c));
 *   in src/cpu/isa/NAME.c  sumi_status SUMI__ISA_NAME(sumi__cpu_softmax_run)(const sumi__call *c) { ... }
 *   in src/cpu/NAME.c      return SUMI__ISA_PICK(c->ctx, sumi__cpu_softmax_run)(c);
 *
 * Everything else in such a file, and in the headers that it includes, must be static: the linker may keep any one of
 * several definitions, and the wrong one would stop on an older processor. */
#ifndef SUMI_SRC_CPU_ISA_DISPATCH_H
#define SUMI_SRC_CPU_ISA_DISPATCH_H

#include "base/base.h"

/* Floats of a vector of kernels for the instruction set: V in isa/simd.h. */
static inline int64_t sumi__isa_floats(sumi__isa isa) {
  return isa >= SUMI__ISA_AVX512 ? 16 : isa >= SUMI__ISA_AVX2 ? 8 : 4;
}

#define SUMI__ISA_JOIN_(name, isa) name##_##isa
#define SUMI__ISA_JOIN(name, isa) SUMI__ISA_JOIN_(name, isa)
#define SUMI__ISA_NAME(name) SUMI__ISA_JOIN(name, SUMI_ISA)

#if defined(__x86_64__)
#define SUMI__ISA_DECLARE(type, name, params)                                                                          \
  type name##_generic params;                                                                                          \
  type name##_avx2 params;                                                                                             \
  type name##_avx512 params;                                                                                           \
  type name##_avx512_bf16 params
#define SUMI__ISA_DECLARE_TABLE(type, name) extern type name##_generic, name##_avx2, name##_avx512, name##_avx512_bf16
#define SUMI__ISA_CHOOSE_(ctx, generic, avx2, avx512, avx512_bf16)                                                     \
  ((ctx)->isa >= SUMI__ISA_AVX512_BF16 ? avx512_bf16                                                                   \
   : (ctx)->isa >= SUMI__ISA_AVX512    ? avx512                                                                        \
   : (ctx)->isa >= SUMI__ISA_AVX2      ? avx2                                                                          \
                                       : generic)
#define SUMI__ISA_PICK(ctx, name) SUMI__ISA_CHOOSE_(ctx, name##_generic, name##_avx2, name##_avx512, name##_avx512_bf16)
#define SUMI__ISA_PICK_TABLE(ctx, name)                                                                                \
  SUMI__ISA_CHOOSE_(ctx, &name##_generic, &name##_avx2, &name##_avx512, &name##_avx512_bf16)
#else
#define SUMI__ISA_DECLARE(type, name, params) type name##_generic params
#define SUMI__ISA_DECLARE_TABLE(type, name) extern type name##_generic
#define SUMI__ISA_PICK(ctx, name) ((void)(ctx), name##_generic)
#define SUMI__ISA_PICK_TABLE(ctx, name) ((void)(ctx), &name##_generic)
#endif

#endif
