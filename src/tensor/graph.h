/* The graph as operators, passes and backends see it: tensors, nodes, and what an operator has to say of itself. */
#ifndef SUMI_SRC_TENSOR_GRAPH_H
#define SUMI_SRC_TENSOR_GRAPH_H

#include "sumi/tensor.h"

#include "base/base.h"

enum { SUMI__MAX_INPUTS = 64, SUMI__MAX_OUTPUTS = 4 };

typedef struct sumi__op sumi__op;
typedef struct sumi__node sumi__node;

struct sumi_tensor {
  sumi_graph *graph;
  sumi__node *node; /* that makes it */
  int output;       /* which of the node's outputs it is */
  int id;           /* unique in the graph, in order of creation */
  sumi_dtype dtype;
  sumi_shape shape;
};

struct sumi__node {
  const sumi__op *op;
  int id; /* order of creation, so inputs come first */
  int n_inputs, n_outputs;
  sumi_tensor **inputs;
  sumi_tensor *outputs[SUMI__MAX_OUTPUTS];
  void *attrs; /* the operator's own struct, plain data of attrs_bytes */
  size_t attrs_bytes;
  const char *name;
  int segment; /* that is computed again for gradients; 0: kept */
  bool adds; /* the last input is added to output 0, before that is rounded: the compiler's doing (see SUMI__OP_ADDS) */
};

struct sumi_graph {
  sumi_context *ctx;
  sumi__arena arena;
  sumi_status status; /* of the first fault; `error` is its sentence */
  char error[SUMI__ERROR_MAX];
  sumi_dtype compute;
  sumi__node **nodes;
  size_t n_nodes, nodes_capacity;
  int n_tensors;
  int n_streams;           /* of randomness */
  int segment, n_segments; /* that nodes belong to now, or 0; that were ever begun */
  int owners;              /* whoever made it, and the programs whose ports its tensors name */
};

/* What one execution of a node gets. Pointers are aligned to 64 bytes but where a tensor is a view. */
typedef struct sumi__call {
  sumi_context *ctx; /* for sumi__fail alone: a run must not allocate */
  const sumi__node *node;
  const void *const *in;
  void *const *out;
  void *scratch;
  const void *const *packed; /* inputs in the kernel's own layout, where it asked for that */
  void *state;
  int threads;
} sumi__call;

enum {
  SUMI__OP_LEAF = 1,    /* input, parameter, constant: nothing to run */
  SUMI__OP_NO_GRAD = 2, /* by its nature no gradient flows through it */
  SUMI__OP_NO_FOLD = 4, /* its value changes though its inputs do not */
  /* Its kernels, and its reference, can add a tensor of output 0's type to their sums before these are written. That
   * addend has as many elements as the output, or fewer rows of the output's last dimension, each of which goes to
   * equally many of the output's. */
  SUMI__OP_ADDS = 8
};

/* An operator. It is one file of src/ops; `sumi__op_NAME` is its definition. */
struct sumi__op {
  const char *name;
  unsigned flags;
  /* Checks the inputs and attributes and declares the outputs with sumi__declare; false after sumi__graph_fail. */
  bool (*infer)(sumi_graph *g, sumi__node *n);
  /* The naive kernel. Every floating-point input and output is f32 here, whatever the node's dtypes: the caller
   * converts. Index inputs come as they are. An elementwise operator leaves it NULL. */
  sumi_status (*reference)(const sumi__call *c);
  /* An elementwise operator: one element of the result from one of each input. Nothing else about it matters. */
  float (*scalar)(const float *x, const void *attrs);
  /* The gradient as nodes of the graph: from dy[i] for each output (NULL where the loss does not depend on it) to
   * dx[i] for each input with need[i]; others are left NULL. A dx of another dtype is cast by the caller. */
  void (*grad)(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx);
  /* Multiplications and additions of one run; NULL for operators that are not counted. */
  double (*flops)(const sumi__node *n);
  /* Output 0 is input 0's memory from *offset bytes on; NULL for operators that are never a view. */
  bool (*view)(const sumi__node *n, size_t *offset);
};

/* The inputs that the operator itself declares, and the one that is added to its result; NULL, the index being out of
 * range, if there is none. */
static inline int sumi__operands(const sumi__node *n) { return n->n_inputs - (n->adds ? 1 : 0); }
static inline const sumi_tensor *sumi__addend(const sumi__node *n) {
  return n->adds ? n->inputs[n->n_inputs - 1] : NULL;
}
/* How many rows of the output a row of the addend goes to. */
int64_t sumi__addend_repeats(const sumi__node *n);

/* Adds a node. NULL among the inputs passes through; attrs are copied. Returns output 0, or NULL with the graph's
 * fault set. */
sumi_tensor *sumi__build(sumi_graph *g, const sumi__op *op, int n_inputs, sumi_tensor *const *inputs, const void *attrs,
                         size_t attrs_bytes);

/* For builders that look into their inputs before they build: false, with a fault that names the first, if one of them
 * is NULL. */
bool sumi__inputs_given(sumi_graph *g, const char *who, int n, sumi_tensor *const *inputs);

/* For `infer`: declares output i. */
bool sumi__declare(sumi_graph *g, sumi__node *n, int i, sumi_dtype dtype, sumi_shape shape);

/* Keeps the first fault of a graph; returns false. */
bool sumi__graph_fail(sumi_graph *g, sumi_status code, const char *format, ...) SUMI__PRINTF(3, 4);

#define SUMI__INFER(g, cond, code, ...)                                                                                \
  do {                                                                                                                 \
    if (!(cond)) return sumi__graph_fail((g), (code), __VA_ARGS__);                                                    \
  } while (0)

/* "[2, 28, 28, 1]" into `text`, which is returned. */
typedef struct sumi__shape_text {
  char text[160];
} sumi__shape_text;
const char *sumi__shape_print(sumi__shape_text *buffer, const sumi_shape *shape);
#define SUMI__SHAPE_STR(shape) sumi__shape_print(&(sumi__shape_text){{0}}, (shape))

bool sumi__is_float(sumi_dtype dtype); /* a floating-point type that graphs compute with: f32, bf16, f16 */
bool sumi__is_index(sumi_dtype dtype); /* i32, i64 */
sumi_dtype sumi__promote(sumi_dtype a, sumi_dtype b);
bool sumi__shape_valid(const sumi_shape *shape); /* rank in range, dims positive, bytes below 2^62 */
int64_t sumi__count(const sumi_tensor *t);
size_t sumi__tensor_bytes(const sumi_tensor *t);
/* A negative axis counted from the end; -1 if out of range. */
int sumi__axis(const sumi_shape *shape, int axis);

/* NumPy's broadcasting: false if the shapes do not go together. */
bool sumi__broadcast_shapes(const sumi_shape *a, const sumi_shape *b, sumi_shape *out);
/* The strides in elements with which `from` is read as if it were `to` (0 where it repeats). */
void sumi__broadcast_strides(const sumi_shape *from, const sumi_shape *to, int64_t strides[SUMI_MAX_RANK]);

/* For gradients: sums `t` down to a shape that was broadcast to its own. */
sumi_tensor *sumi__reduce_to(sumi_graph *g, sumi_tensor *t, const sumi_shape *shape);
/* A tensor of one repeated value. */
sumi_tensor *sumi__full(sumi_graph *g, sumi_dtype dtype, sumi_shape shape, float value);
/* A floating-point operand in that type; one of another kind is left alone, for the operator to refuse it. */
sumi_tensor *sumi__float_cast(sumi_graph *g, sumi_tensor *t, sumi_dtype dtype);
/* The operand of a matrix product in the graph's compute type. */
sumi_tensor *sumi__compute_cast(sumi_graph *g, sumi_tensor *t);

/* ---- Leaves ---- */
extern const sumi__op sumi__op_input, sumi__op_param, sumi__op_constant;

typedef struct sumi__leaf_attrs {
  sumi_dtype dtype;
  sumi_shape shape;
  void *data; /* of a parameter (lent by the weights) or a constant (the graph's) */
} sumi__leaf_attrs;

/* ---- Conversion ---- */
static inline float sumi__bf16_to_f32(uint16_t h) {
  const union {
    uint32_t u;
    float f;
  } v = {(uint32_t)h << 16};
  return v.f;
}
static inline uint16_t sumi__f32_to_bf16(float x) { /* to nearest, ties to even; NaN stays NaN */
  const union {
    float f;
    uint32_t u;
  } v = {x};
  if ((v.u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((v.u >> 16) | 0x40u);
  return (uint16_t)((v.u + 0x7fffu + ((v.u >> 16) & 1u)) >> 16);
}
float sumi__f16_to_f32(uint16_t h);
uint16_t sumi__f32_to_f16(float x);
/* `count` values of any of the types; integers are rounded toward zero and clamped to their range. */
void sumi__to_f32(float *out, const void *in, sumi_dtype dtype, int64_t count);
void sumi__from_f32(void *out, sumi_dtype dtype, const float *in, int64_t count);

#endif
