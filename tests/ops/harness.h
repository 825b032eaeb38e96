/* One harness for every operator. tests/cases/NAME.c has the cases of one builder of sumi/tensor.h: what goes in, how
 * the node is built, which calls must be refused. For each case the harness checks
 *   - the reference kernel and the gradients against PyTorch, computed there in f64 (tests/data/ops.safetensors, made
 *     by tools/oracle/ops.py);
 *   - the gradients against central differences of the reference;
 *   - the CPU backend, with every instruction set of this machine and one and two threads, against the reference, in
 *     f32 and in bf16, on poisoned memory; that a second run gives the same bits; that operands need no alignment;
 *   - that NULL and operands of a wrong type are refused, with a sentence.
 * It fails if an operator of src/ops/ops.def has no case. */
#ifndef SUMI_TESTS_OPS_HARNESS_H
#define SUMI_TESTS_OPS_HARNESS_H

#include "support.h"

#include "tensor/graph.h"

enum { OP_MAX_INPUTS = 8, OP_MAX_FAULTS = 12, OP_MAX_RESULTS = OP_MAX_INPUTS + 1 };

typedef struct op_input {
  float low, high; /* values lie in [low, high) */
  int rank;
  int64_t dims[SUMI_MAX_RANK];
  int grid;         /* > 0: only so many equally spaced values, so that ties occur */
  sumi_dtype dtype; /* SUMI_F32 stands for the floating-point type that the case runs in; else i32 or i64 */
  bool always_f32;  /* whatever the case runs in */
  bool no_grad;     /* no gradient flows to it */
  bool optional;    /* may be NULL */
} op_input;

#define OP_DIMS(...) .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dims = {__VA_ARGS__}
/* A floating-point operand: OP_IN(-1, 1, 2, 3) is of the shape [2, 3]. */
#define OP_IN(from, to, ...)                                                                                           \
  { .low = (from), .high = (to), OP_DIMS(__VA_ARGS__) }
#define OP_IN_GRID(from, to, n, ...)                                                                                   \
  { .low = (from), .high = (to), .grid = (n), OP_DIMS(__VA_ARGS__) }
#define OP_IN_F32(from, to, ...)                                                                                       \
  { .low = (from), .high = (to), .always_f32 = true, OP_DIMS(__VA_ARGS__) }
#define OP_IN_INT(type, from, to, ...)                                                                                 \
  { .low = (from), .high = (to), .dtype = (type), OP_DIMS(__VA_ARGS__) }

typedef struct op_case {
  const char *name; /* "conv2d" or "conv2d.what": what comes before the point is the operator */
  sumi_tensor *(*build)(sumi_graph *g, sumi_tensor *const *x);
  op_input inputs[OP_MAX_INPUTS]; /* ended by rank 0 and high 0; a scalar has rank 0 and low < high */
  /* Largest errors, relative to the value plus the root mean square of the result; 0 means the usual. */
  float golden_tolerance; /* the reference in f32 against PyTorch in f64: 2e-6 */
  float f32_tolerance;    /* a backend against the reference: 1e-5 */
  float bf16_tolerance;   /* the same in bf16, which has 8 bits: 3e-2 */
  float difference_step;  /* of central differences: 1e-2 */
  bool no_golden;         /* larger than what is worth keeping in a file */
  bool any_type;          /* takes operands of any type */
  bool no_differences;    /* the gradient is not the derivative, on purpose */
} op_case;

typedef struct op_fault {
  sumi_status code;
  const char *words; /* that the sentence must have */
} op_fault;

typedef struct op_cases {
  const op_case *cases;
  size_t count;
  sumi_tensor *(*bad)(sumi_graph *g, int i); /* the i-th ill-formed call, which must give NULL and faults[i] */
  op_fault faults[OP_MAX_FAULTS];
} op_cases;

/* At the end of tests/cases/NAME.c: OP_CASES(NAME, list, bad, {code, words}...), where without ill-formed calls bad is
 * NULL, followed by OP_NO_FAULTS. */
#define OP_NO_FAULTS                                                                                                   \
  { SUMI_OK, NULL }
#define OP_CASES(name, list, bad, ...)                                                                                 \
  extern const op_cases op_cases_##name;                                                                               \
  const op_cases op_cases_##name = {list, sizeof(list) / sizeof((list)[0]), bad, {__VA_ARGS__}}

/* A builder of one operand and nothing else, with its cases over the usual shapes: a file of one line. `tolerance` as
 * f32_tolerance. The large case has whole vectors, ends of vectors and work for two threads. */
#define OP_UNARY_CASES(op, from, to, tolerance)                                                                        \
  static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_##op(g, x[0]); }                       \
  static const op_case list[] = {                                                                                      \
      {.name = #op, .build = build, .inputs = {OP_IN(from, to, 3, 7)}, .f32_tolerance = (tolerance)},                  \
      {.name = #op ".large",                                                                                           \
       .build = build,                                                                                                 \
       .inputs = {OP_IN(from, to, 5, 7, 613)},                                                                         \
       .no_golden = true,                                                                                              \
       .f32_tolerance = (tolerance)},                                                                                  \
      {.name = #op ".ties", .build = build, .inputs = {OP_IN_GRID(from, to, 8, 16)}, .f32_tolerance = (tolerance)},    \
  };                                                                                                                   \
  OP_CASES(op, list, NULL, OP_NO_FAULTS)

/* Inputs for ill-formed calls. */
#define OP_F32(g, ...) sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(__VA_ARGS__))
#define OP_BF16(g, ...) sumi_input(g, NULL, SUMI_BF16, SUMI_SHAPE(__VA_ARGS__))
#define OP_I32(g, ...) sumi_input(g, NULL, SUMI_I32, SUMI_SHAPE(__VA_ARGS__))
#define OP_I64(g, ...) sumi_input(g, NULL, SUMI_I64, SUMI_SHAPE(__VA_ARGS__))

/* ---- values.c ---- */

bool op_is_float(const op_input *in);
sumi_shape op_shape(const op_input *in);
int op_input_count(const op_case *c);
/* `count` values made by hashing the case's name, the input's number and the index; to be freed with free(). */
float *op_values(const op_case *c, int input);
/* The weights of the results in the loss that gradients are of: [-1, 1). */
float *op_weights(const op_case *c, int64_t count);
/* Fails the test, saying where, if an element of `got` is further from `want` than
 * tolerance * (|want| + the root mean square of want). */
void op_compare(const char *what, const float *got, const float *want, int64_t count, float tolerance);

/* ---- program.c ---- */

typedef struct op_machine { /* a context and its backend */
  sumi_context *ctx;
  sumi_backend *backend;
  char name[64];
} op_machine;

/* A case compiled: y, and unless it was left out, d loss / d x for each input that has a gradient, with
 * loss = sum(weights * y). */
typedef struct op_program {
  const op_case *c;
  const op_machine *machine;
  sumi_graph *g;
  sumi_program *program;
  sumi_tensor *inputs[OP_MAX_INPUTS];
  sumi_tensor *memory[OP_MAX_INPUTS]; /* the input that inputs[i] is, or lies at the end of */
  int n_results;
  sumi_tensor *results[OP_MAX_RESULTS];
  int result_input[OP_MAX_RESULTS]; /* of which input it is the gradient; -1 for y */
} op_program;

enum { OP_REFERENCE = 1, OP_BF16 = 2, OP_GRADIENTS = 4, OP_UNALIGNED = 8 };
void op_program_make(op_program *p, const op_case *c, const op_machine *machine, unsigned flags);
void op_program_free(op_program *p);
void op_set(op_program *p, int input, const float *values);
void op_set_all(op_program *p);
/* Fills the memory of intermediate values and workspaces with NaN: what is read before it is written shows. */
void op_poison(op_program *p);
/* Result k as f32; to be freed with free(). */
float *op_get(op_program *p, int k, int64_t *count);
/* "silu: dx of input 0" */
const char *op_result_name(const op_program *p, int k, char text[128]);

/* ---- checks.c ---- */

typedef struct op_machines {
  op_machine reference; /* one thread */
  op_machine cpu[16];   /* each instruction set with each number of threads */
  int n_cpu;
} op_machines;

typedef struct op_test { /* what a test is about */
  const op_machines *machines;
  const op_case *c;
  const op_cases *group;
  const sumi_safetensors *golden;
} op_test;

void op_check_golden(void **state);
void op_check_differences(void **state);
void op_check_cpu_f32(void **state);
void op_check_cpu_bf16(void **state);
void op_check_operands(void **state); /* NULL, wrong types */
void op_check_faults(void **state);   /* the group's ill-formed calls */

/* ---- golden.c ---- */

/* Writes the inputs and weights of every case, for the oracle: "case:0", ..., "case:w". */
sumi_status op_write_inputs(const op_machine *machine, const op_cases *const *groups, const char *path);

#endif
