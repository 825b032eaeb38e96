/* What convolutions and matrix products share: a oneDNN plan whose operands are widened to f32 where it has no bf16
 * implementation (without AVX-512), and a bias that it cannot add itself. Inputs are a, b, [bias]; one output. */
#ifndef SUMI_SRC_CPU_PRODUCT_H
#define SUMI_SRC_CPU_PRODUCT_H

#include "cpu/onednn.h"
#include "tensor/backend.h"

/* Makes the plan for operands and a result of the given types. */
typedef sumi_status (*sumi__product_plan)(const sumi__prep *p, sumi_dtype dtype, sumi_dtype c_dtype, sumi__dnn **out);

/* Kernel functions. `bias_after`: the plan knows nothing of the bias. */
sumi_status sumi__product_prepare(sumi__prep *p, sumi__product_plan plan, bool bias_after);
sumi_status sumi__product_pack(const sumi__call *c, int input, const void *values, void *packed);
sumi_status sumi__product_run(const sumi__call *c);
void sumi__product_destroy(sumi_context *ctx, void *state);

#endif
