/* Loops of the random operators: V blocks of Philox at a time. */
#ifndef SUMI_SRC_CPU_RANDOM_H
#define SUMI_SRC_CPU_RANDOM_H

#include "cpu/isa/dispatch.h"
#include "tensor/graph.h"

/* Elements [begin, end) of the operator, begin a multiple of 64; `call` is the sumi__call. For sumi__parallel_for.
 * Uniform numbers and dropout's choices are those of src/ops/random.c to the last bit on every instruction set; normal
 * ones differ by what logarithm, sine and cosine round otherwise: at most 2e-6 absolutely. */
SUMI__ISA_DECLARE(void, sumi__cpu_random_uniform_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_random_normal_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_dropout_range, (void *call, int64_t begin, int64_t end, int worker));

#endif
