/* The CPU backend: which kernel runs which operator. */
#ifndef SUMI_SRC_CPU_CPU_H
#define SUMI_SRC_CPU_CPU_H

#include "tensor/backend.h"

/* The kernels of the operators marked in ops.def, and of fused chains. */
#define SUMI_CPU_KERNEL_0(name)
#define SUMI_CPU_KERNEL_1(name) extern const sumi__kernel sumi__cpu_##name;
#define SUMI_CPU_KERNEL_2(name) extern const sumi__kernel sumi__cpu_##name, sumi__cpu_##name##_library;
#define SUMI_CPU_KERNEL_3(name)                                                                                        \
  extern const sumi__kernel sumi__cpu_##name, sumi__cpu_##name##_winograd, sumi__cpu_##name##_library;
#define SUMI_CPU_KERNEL_4(name) SUMI_CPU_KERNEL_3(name)
#define SUMI_OP(name, cpu) SUMI_CPU_KERNEL_##cpu(name)
#define SUMI_ELEMENTWISE(name)
#include "ops/ops.def"
#undef SUMI_OP
#undef SUMI_ELEMENTWISE
#undef SUMI_CPU_KERNEL_0
#undef SUMI_CPU_KERNEL_1
#undef SUMI_CPU_KERNEL_2
#undef SUMI_CPU_KERNEL_3
#undef SUMI_CPU_KERNEL_4

extern const sumi__kernel sumi__cpu_conv2d_upsampled, sumi__cpu_fused, sumi__cpu_load, sumi__cpu_matmul_geglu;

#endif
