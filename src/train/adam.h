/* What Adam and AdamW share. */
#ifndef SUMI_SRC_TRAIN_ADAM_H
#define SUMI_SRC_TRAIN_ADAM_H

#include "train/optimizer.h"

#include <math.h>

/* Adam's step with `l2` times the weight added to its gradient and the weight first multiplied by `shrink`. */
static inline void sumi__adam_update(const sumi__update *u, float l2, float shrink) {
  const sumi__optimizer_options *o = u->options;
  const float b1 = (float)(1.0 - o->beta1), b2 = (float)o->beta2, c2 = (float)(1.0 - o->beta2);
  const float rate = (float)(u->lr / (1.0 - pow(o->beta1, (double)u->step)));
  const float root = (float)sqrt(1.0 - pow(o->beta2, (double)u->step)), eps = (float)o->eps;
  float *restrict w = u->w, *restrict m = u->moments[0], *restrict v = u->moments[1];
  const float *restrict grad = u->g;
  for (int64_t i = 0; i < u->count; i++) {
    const float g = grad[i] * u->grad_scale + l2 * w[i];
    m[i] += b1 * (g - m[i]);
    v[i] = b2 * v[i] + c2 * g * g;
    w[i] = w[i] * shrink - rate * (m[i] / (sqrtf(v[i]) / root + eps));
  }
}

#endif
