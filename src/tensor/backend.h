/* What a backend is to a program: a list of kernels for each operator, fastest first. */
#ifndef SUMI_SRC_TENSOR_BACKEND_H
#define SUMI_SRC_TENSOR_BACKEND_H

#include "tensor/graph.h"

struct sumi__load_attrs;

/* What a kernel learns and answers when a program is compiled. */
typedef struct sumi__prep {
  sumi_context *ctx;
  const sumi__node *node;
  const sumi_compile_options *options;
  int threads;
  bool fixed[SUMI__MAX_INPUTS]; /* inputs that never change, and so are packed only once */
  /* Answers: */
  void *state;                           /* the kernel's own; given back to it in each call and to `destroy` */
  size_t scratch_bytes;                  /* workspace for a run, shared with other kernels */
  size_t packed_bytes[SUMI__MAX_INPUTS]; /* > 0: `pack` turns input i into this many bytes first, once if its value
                                            never changes, else before each run */
  /* What the packed bytes depend on besides the values, their type and this kernel (the layout they are read as, the
   * one they are written in), as a hash that is not 0; equal ones let programs share a packed weight. 0: not shared. */
  uint64_t packed_layout[SUMI__MAX_INPUTS];
  bool adds_in_place; /* the output may lie on the addend (sumi__addend), if no other operand lies there */
} sumi__prep;

typedef struct sumi__kernel {
  /* NULL: always. Must not change anything. */
  bool (*supports)(const sumi__prep *p);
  /* NULL: nothing to prepare. May allocate its state. SUMI_UNSUPPORTED hands over to the next kernel. */
  sumi_status (*prepare)(sumi__prep *p);
  /* Writes input `input`, whose values are given, as a run reads it. May use the scratch memory and all threads, as a
   * run may, but no other operand; may be called while the set of weights that will share the result is locked, and so
   * must not ask that for anything. Errors: FAILED (a library's). */
  sumi_status (*pack)(const sumi__call *c, int input, const void *values, void *packed);
  /* May be NULL: the same from the file that lends the parameter, which need not be made first. SUMI_UNSUPPORTED, with
   * nothing written, hands over to `pack`. */
  sumi_status (*pack_lent)(const sumi__call *c, int input, const struct sumi__load_attrs *lent, void *packed);
  /* Writes every byte of every output and allocates nothing. Where an input is packed, in[i] may be NULL. Errors:
   * INVALID (a value that only a run sees, such as an id out of range); NO_MEMORY, FAILED (a library's). */
  sumi_status (*run)(const sumi__call *c);
  void (*destroy)(sumi_context *ctx, void *state);
  bool in_place; /* an output may lie on an input of the same size that it is the last reader of */
} sumi__kernel;

struct sumi_backend {
  sumi_context *ctx;
  const char *name;
  /* The kernels for an operator, fastest first, ended by NULL; the reference is not among them. */
  const sumi__kernel *const *(*kernels)(const sumi_backend *backend, const sumi__op *op);
  bool fuses; /* has a kernel for sumi__op_fused */
};

/* Runs an operator's naive kernel, converting what is not f32. */
extern const sumi__kernel sumi__reference_kernel;

/* ---- A chain of elementwise operators as one node. Inputs are of any type; all arithmetic inside is f32. ---- */
enum { SUMI__FUSED_MAX_OPS = 24, SUMI__FUSED_MAX_INPUTS = 12 };

typedef struct sumi__fused_attrs {
  int n_ops; /* the last one's value is the result */
  struct {
    const sumi__op *op; /* one with `scalar` */
    const void *attrs;
    int args[3]; /* below the node's n_inputs: that input; else n_inputs + the number of an earlier op */
  } ops[SUMI__FUSED_MAX_OPS];
} sumi__fused_attrs;

extern const sumi__op sumi__op_fused;

#endif
