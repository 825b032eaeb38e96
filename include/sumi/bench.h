/* sumi/bench.h: what this machine can do at most, measured, so that speeds can be given as a share of it. */
#ifndef SUMI_BENCH_H
#define SUMI_BENCH_H

#include "sumi/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sumi_machine {
  double f32_flops;  /* operations a second of multiply-adds on f32 vectors, a multiply-add being two */
  double bf16_flops; /* of bf16 products summed in f32, with the processor's instruction for that; else f32_flops */
  double bytes_per_second; /* read from and written to memory beyond the caches */
  int threads;
  const char *isa; /* the instruction set that kernels use, "avx512" say; lent for ever */
} sumi_machine;

/* Measures the machine with the context's threads and instruction sets, for about half a second: the best of several
 * runs of loops that hold everything in registers, and of a scaled copy between two arrays of 64 MB.
 * Errors: NO_MEMORY. */
SUMI_API sumi_status sumi_measure_machine(sumi_context *ctx, sumi_machine *out);

#ifdef __cplusplus
}
#endif
#endif
