/* A compiled program: steps in order, each a kernel with its pointers resolved. */
#ifndef SUMI_SRC_TENSOR_PROGRAM_H
#define SUMI_SRC_TENSOR_PROGRAM_H

#include "tensor/backend.h"
#include "tensor/load.h"
#include "tensor/passes.h"

/* Where a tensor's bytes are. */
typedef enum sumi__place {
  SUMI__PLACE_ARENA, /* reused as lifetimes allow */
  SUMI__PLACE_OWN,   /* an input, or a value computed once: memory of its own, kept over runs */
  SUMI__PLACE_LENT   /* a parameter or a constant */
} sumi__place;

typedef struct sumi__value {
  sumi_tensor *root;  /* the tensor whose memory it is: itself, unless it is a view */
  size_t view_offset; /* bytes into the root */
  sumi__place place;  /* of the root */
  bool fixed;         /* never changes after compilation */
  int buffer;         /* in the arena: index of its buffer */
  void *data;
  sumi__pack *shared; /* whose memory it is, if programs share it, and the set that it is of */
  sumi_weights *sharer;
} sumi__value;

typedef struct sumi__step {
  const sumi__kernel *kernel;
  sumi__prep prep;
  sumi__call call;
  const void *packed[SUMI__MAX_INPUTS];
  bool pack_each_run[SUMI__MAX_INPUTS]; /* into the scratch memory */
  /* Packed weights that programs share, and whose they are; else the program's own memory. */
  sumi__pack *shared[SUMI__MAX_INPUTS];
  sumi_weights *sharers[SUMI__MAX_INPUTS];
  bool fixed;                    /* run once, by the compilation */
  struct sumi__profile_row *row; /* where its time is added, if the program is profiled */
} sumi__step;

struct sumi_program {
  sumi_context *ctx;
  sumi_backend *backend;
  sumi_graph *g;       /* its own, rewritten copy of the nodes */
  sumi__value *values; /* by tensor of g */
  sumi__step *steps;
  size_t n_steps;
  sumi__buffer *buffers;
  size_t n_buffers;
  char *arena, *scratch;
  sumi_program_info info;
  struct {
    const sumi_tensor *theirs;
    sumi_tensor *ours;
    bool input;
  } * ports;
  sumi_graph *theirs; /* co-owned, so that no other tensor ever has the address of one that names a port */
  size_t n_ports;
  sumi_profile *profile; /* co-owned, or NULL */
  struct sumi__profile_program *profiled;
};

/* What is known of a tensor, and of the tensor whose memory it lies in. */
static inline sumi__value *sumi__value_of(const sumi_program *p, const sumi_tensor *t) { return &p->values[t->id]; }
static inline sumi__value *sumi__root_of(const sumi_program *p, const sumi_tensor *t) {
  return sumi__value_of(p, sumi__value_of(p, t)->root);
}

static inline bool sumi__node_is_view(const sumi__node *n, size_t *offset) {
  return n->op->view && n->op->view(n, offset);
}

/* A step with a kernel for each node that needs one. Parameters beyond options->max_weight_bytes lose their place among
 * the fixed values. */
sumi_status sumi__make_steps(sumi_program *p, const sumi_compile_options *options);

/* Gives the step its pointers. */
sumi_status sumi__step_resolve(sumi_program *p, sumi__step *step);
/* Runs one step: packing first, then the kernel. */
sumi_status sumi__step_run(sumi__step *step);
/* Frees what the step has packed for itself and lets go of what it shares. */
void sumi__step_release_packed(sumi_program *p, sumi__step *step);

/* The lent parameter whose values a tensor has, and nothing else; NULL if it is computed. */
const sumi__load_attrs *sumi__lent_by(const sumi_program *p, const sumi_tensor *t);

/* By tensor id, of roots: the last step that reads it, and whether runs read it as it is, or it is an output. */
void sumi__find_uses(const sumi_program *p, int *last, bool *kept);

/* Computes what never changes, packs what kernels want packed, and keeps of all that only what runs will read: fixed
 * steps are taken out of the program. */
sumi_status sumi__compute_fixed(sumi_program *p);

#endif
