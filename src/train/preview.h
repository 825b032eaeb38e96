/* A grid of samples while a model is being trained. */
#ifndef SUMI_SRC_TRAIN_PREVIEW_H
#define SUMI_SRC_TRAIN_PREVIEW_H

#include "models/score_unet.h"
#include "sumi/train.h"

typedef struct sumi__preview_options {
  int64_t count; /* pictures, ten in a row; of classes 0 to 9 over and over where the model has classes */
  int steps;     /* of the Euler-Maruyama sampler */
  sumi_dtype compute;
  const sumi_train_callbacks *callbacks; /* asked whether to stop; may be NULL */
} sumi__preview_options;

/* Draws with a score network of these weights into a grey PNG, replaced as a whole. The noise is the same each time, so
 * that previews of one training can be compared. Errors: IO, NO_MEMORY, CANCELLED. */
sumi_status sumi__preview_scores(sumi_context *ctx, sumi_backend *backend, const sumi__score_unet_config *config,
                                 sumi_weights *weights, const sumi__preview_options *options, const char *path);

#endif
