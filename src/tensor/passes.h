/* The steps of a compilation, in the order in which sumi_compile takes them. */
#ifndef SUMI_SRC_TENSOR_PASSES_H
#define SUMI_SRC_TENSOR_PASSES_H

#include "tensor/backend.h"

/* A copy of the nodes that the outputs need, in a graph of its own, so that later passes may rewrite them and the
 * caller's graph may go. *map: for each tensor of `g` by id, its copy or NULL; the caller frees `*map`. */
sumi_status sumi__clone_live(sumi_graph *g, int n, sumi_tensor *const *outputs, sumi_graph **out, sumi_tensor ***map);

/* How often each tensor, by its id, is read. */
void sumi__count_readers(const sumi_graph *g, int *readers);
/* Takes out the nodes whose results nobody reads and nobody keeps; `readers` is kept right. */
void sumi__remove_unread(sumi_graph *g, const bool *keep, int *readers);

/* Products do what comes right before or after them as well. keep[id]: tensors that must stay. */
sumi_status sumi__absorb_neighbours(sumi_graph *g, const bool *keep);

/* Sums of a product and something else (a residual, a time embedding) become the product's own (SUMI__OP_ADDS), where
 * nobody else reads the product and the something is not worth joining the sum's chain. keep[id]: tensors that must
 * stay. */
sumi_status sumi__fold_addends(sumi_graph *g, const bool *keep);

/* Joins elementwise operators into chains (sumi__op_fused): a producer joins its consumer's chain if it has the same
 * shape and nobody else reads it, or if it is a mere load (a widening cast, a broadcast). Absorbed nodes are removed.
 * keep[id]: tensors that must stay. */
sumi_status sumi__fuse_elementwise(sumi_graph *g, const bool *keep);

/* A value in the arena: `bytes` from step `first` (that writes it) to step `last` (that reads it last). */
typedef struct sumi__buffer {
  size_t bytes;
  int first, last;
  size_t offset; /* the answer */
} sumi__buffer;

/* Places the buffers so that those alive at the same step never overlap. *arena_bytes: what the placing needs;
 * *lower_bound: the most bytes alive at one step, which no placing can go below. Offsets are multiples of 64. */
sumi_status sumi__plan(sumi_context *ctx, sumi__buffer *buffers, size_t count, int n_steps, size_t *arena_bytes,
                       size_t *lower_bound);
/* The most bytes alive at one step. Error: NO_MEMORY. */
sumi_status sumi__most_alive(sumi_context *ctx, const sumi__buffer *buffers, size_t count, int n_steps, size_t *out);

#endif
