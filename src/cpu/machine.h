/* Loops that measure the machine. */
#ifndef SUMI_SRC_CPU_MACHINE_H
#define SUMI_SRC_CPU_MACHINE_H

#include "cpu/isa/dispatch.h"

enum { SUMI__MACHINE_ROUNDS = 1 << 23 };

typedef struct sumi__machine_loop {
  float factor, sum; /* a number that the compiler does not know; what keeps the results alive */
  double flops[2];   /* answers: of one call by one thread; f32, bf16 (0 where there is no instruction for it) */
  float *to;
  const float *from;
} sumi__machine_loop;

/* SUMI__MACHINE_ROUNDS rounds of multiply-adds in registers. For sumi__parallel_for, an item for each thread. */
SUMI__ISA_DECLARE(void, sumi__cpu_machine_f32, (void *loop, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_machine_bf16, (void *loop, int64_t begin, int64_t end, int worker));
/* to = factor from. */
SUMI__ISA_DECLARE(void, sumi__cpu_machine_copy, (void *loop, int64_t begin, int64_t end, int worker));

#endif
