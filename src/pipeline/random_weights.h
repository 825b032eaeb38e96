/* Weights for measuring: parameters of a network's shapes with random values, lent in f16 as by a checkpoint. The large
 * ones are parts of a few arrays that they share, so that what a process takes is what programs keep, as where a
 * checkpoint's file is mapped. */
#ifndef SUMI_SRC_PIPELINE_RANDOM_WEIGHTS_H
#define SUMI_SRC_PIPELINE_RANDOM_WEIGHTS_H

#include "tensor/weights.h"

enum { SUMI__RANDOM_SCALES = 16 };

typedef struct sumi__random_weights {
  sumi_context *ctx;
  sumi_weights *weights;
  uint16_t *values[SUMI__RANDOM_SCALES]; /* [k]: uniform in +-2^-k */
} sumi__random_weights;

/* Parameters are the inputs of `sketch` that have a name, and differ from run to run in nothing. Weights of one
 * dimension are ones, biases zeros. Errors: NO_MEMORY, or what makes a parameter impossible. Free also after an error.
 */
sumi_status sumi__random_weights_make(sumi_context *ctx, const sumi_graph *sketch, sumi__random_weights *out);
/* Programs over them have to be freed before. */
void sumi__random_weights_free(sumi__random_weights *r);

#endif
