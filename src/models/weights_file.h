/* A set of weights as a safetensors file with PyTorch's names and orders. */
#ifndef SUMI_SRC_MODELS_WEIGHTS_FILE_H
#define SUMI_SRC_MODELS_WEIGHTS_FILE_H

#include "io/safetensors.h"
#include "nn/nn.h"

/* Writes all members, whole or not at all; convolutions in the file's order. pairs may be NULL if pair_count is 0.
 * Errors: as sumi__safetensors_write. */
sumi_status sumi__weights_save(sumi_context *ctx, const char *path, sumi_weights *weights,
                               const sumi__safetensors_pair *pairs, size_t pair_count);

/* Builds a model into the graph of `nn` with inputs of its own; what it makes is of no interest. */
typedef void (*sumi__build_fn)(void *user, const sumi__nn *nn);

/* Reads the file's tensors into a new set of weights: those that `build` asks for, no more and no less. Free with
 * sumi_weights_free. Errors: NOT_FOUND, IO, FORMAT, MISMATCH (naming the file and the tensor), whatever `build` runs
 * into. */
sumi_status sumi__weights_load(sumi_context *ctx, const char *path, sumi__build_fn build, void *user,
                               sumi_weights **out);

/* Elements of the members that are trained. */
int64_t sumi__weights_trained(sumi_weights *weights);

#endif
