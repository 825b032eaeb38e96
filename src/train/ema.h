/* An exponential moving average of weights: what previews, evaluations and the saved model use. */
#ifndef SUMI_SRC_TRAIN_EMA_H
#define SUMI_SRC_TRAIN_EMA_H

#include "tensor/weights.h"

typedef struct sumi__ema {
  sumi_context *ctx;
  sumi_weights *source;  /* lent */
  sumi_weights *average; /* its own copy with the same members; buffers that are not trained are copied as they are */
  double decay;
  bool warmup;
} sumi__ema;

/* decay in [0, 1); 0 means that the average is always the weights themselves. With `warmup` the decay of step t
 * (1 for the first) is min(decay, (1 + t)/(10 + t)), so that the first values are soon forgotten (as TensorFlow's
 * ExponentialMovingAverage with num_updates). Starts as a copy of the weights. Errors: NO_MEMORY. */
sumi_status sumi__ema_create(sumi_context *ctx, sumi_weights *source, double decay, bool warmup, sumi__ema *out);
void sumi__ema_free(sumi__ema *ema);

/* average <- average + (1 - decay)(weights - average), after optimiser step `step`. */
void sumi__ema_step(sumi__ema *ema, int64_t step);

/* The decay of a step. */
double sumi__ema_decay(const sumi__ema *ema, int64_t step);

/* A set with the same members and values. Errors: NO_MEMORY. */
sumi_status sumi__weights_copy(sumi_context *ctx, sumi_weights *source, sumi_weights **out);

#endif
