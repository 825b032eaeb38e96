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

/* Those that the compiler alone makes; backends have a kernel for each. */
extern const sumi__op sumi__op_conv2d_upsampled, sumi__op_matmul_geglu;

/* ---- For shape rules (src/ops/check.c); `what` names the input in the message ---- */

/* That input i has this type and shape. */
bool sumi__check_input(sumi_graph *g, const sumi__node *n, int i, const char *what, sumi_dtype dtype, sumi_shape shape);
/* That input i is of a floating-point type. */
bool sumi__check_float(sumi_graph *g, const sumi__node *n, int i, const char *what);
/* That input i is a floating-point (N, H, W, C). */
bool sumi__check_pictures(sumi_graph *g, const sumi__node *n, int i, const char *what);

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

/* ---- For operators that move values (src/ops/strided.c) ---- */

/* Bytes of one element of a tensor as reference kernels see it: f32 for every floating-point type. */
size_t sumi__reference_bytes(const sumi_tensor *t);
/* Row-major strides in elements. */
void sumi__strides(const sumi_shape *shape, int64_t strides[SUMI_MAX_RANK]);
/* Copies a box of elements of `bytes` bytes each, every side with strides of its own (in elements). */
void sumi__copy_strided(void *to, const int64_t *to_strides, const void *from, const int64_t *from_strides,
                        const sumi_shape *box, size_t bytes);

/* ---- For reductions (src/ops/reduce.c) ---- */

/* Adds a reduction over the axes, checking them. */
sumi_tensor *sumi__reduce(sumi_graph *g, const sumi__op *op, sumi_tensor *x, int n, const int *axes, bool keep);
/* Shape rule: the axes go, or stay with size 1; f32. */
bool sumi__infer_reduce(sumi_graph *g, sumi__node *n);
/* The operand's shape with size 1 along the reduced axes. */
sumi_shape sumi__reduced_shape(const sumi__node *n);
/* A walk over the operand: element `r` of those that go into result `o` is at index sumi__reduce_at(w, o, r). */
typedef struct sumi__reduce_walk {
  int64_t results, each; /* o below `results`, r below `each` */
  int n_kept, n_reduced;
  int64_t kept[SUMI_MAX_RANK], kept_strides[SUMI_MAX_RANK], reduced[SUMI_MAX_RANK], reduced_strides[SUMI_MAX_RANK];
} sumi__reduce_walk;
void sumi__reduce_walk_init(sumi__reduce_walk *w, const sumi__node *n);
int64_t sumi__reduce_at(const sumi__reduce_walk *w, int64_t o, int64_t r);

/* softmax and log_softmax: the operator works on the last dimension; another axis is brought there and back. */
sumi_tensor *sumi__along_last(sumi_graph *g, const sumi__op *op, sumi_tensor *x, int axis);
bool sumi__infer_rows(sumi_graph *g, sumi__node *n);

/* For random operators: checks the state. */
bool sumi__infer_random_state(sumi_graph *g, const sumi__op *op, const sumi_tensor *state);

#endif
