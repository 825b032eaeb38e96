/* Loops of GEGLU and its gradient. */
#ifndef SUMI_SRC_CPU_GEGLU_H
#define SUMI_SRC_CPU_GEGLU_H

#include "cpu/isa/dispatch.h"
#include "tensor/graph.h"

/* Rows [begin, end) of the operator; `call` is the sumi__call. For sumi__parallel_for. */
SUMI__ISA_DECLARE(void, sumi__cpu_geglu_range, (void *call, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_geglu_grad_range, (void *call, int64_t begin, int64_t end, int worker));

#endif
