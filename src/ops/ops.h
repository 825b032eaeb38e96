/* The operators' definitions and what their files share. */
#ifndef SUMI_SRC_OPS_OPS_H
#define SUMI_SRC_OPS_OPS_H

#include "ops/attrs.h"
#include "tensor/graph.h"

#define SUMI_OP(name, cpu) extern const sumi__op sumi__op_##name;
#define SUMI_ELEMENTWISE(name) extern const sumi__op sumi__op_##name;
#include "ops/ops.def"
#undef SUMI_OP
#undef SUMI_ELEMENTWISE

/* ---- For elementwise operators (src/ops/elementwise.c) ---- */

/* Shape rule: operands broadcast; the result has the promoted type. All must be of a floating-point type. */
bool sumi__infer_elementwise(sumi_graph *g, sumi__node *n);
sumi_tensor *sumi__unary(sumi_graph *g, const sumi__op *op, sumi_tensor *x, const void *attrs, size_t attrs_bytes);
sumi_tensor *sumi__binary(sumi_graph *g, const sumi__op *op, sumi_tensor *a, sumi_tensor *b);

/* Two numbers, as several elementwise operators have for attributes. */
typedef struct sumi__pair {
  float a, b;
} sumi__pair;

/* x >= this is x > 0. */
#define SUMI__SMALLEST_F32 0x1p-149f

#endif
