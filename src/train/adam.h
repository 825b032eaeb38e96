/* What Adam and AdamW share. */
#ifndef SUMI_SRC_TRAIN_ADAM_H
#define SUMI_SRC_TRAIN_ADAM_H

#include "cpu/optimizer.h"
#include "train/optimizer.h"

#include <math.h>

/* Adam's step with `l2` times the weight added to its gradient and the weight first multiplied by `shrink`. */
static inline void sumi__adam_update(const sumi__update *u, float l2, float shrink) {
  const sumi__optimizer_options *o = u->options;
  const sumi__adam_step step = {.grad_scale = u->grad_scale,
                                .l2 = l2,
                                .shrink = shrink,
                                .b1 = (float)(1.0 - o->beta1),
                                .b2 = (float)o->beta2,
                                .c2 = (float)(1.0 - o->beta2),
                                .rate = (float)(u->lr / (1.0 - pow(o->beta1, (double)u->step))),
                                .root = (float)sqrt(1.0 - pow(o->beta2, (double)u->step)),
                                .eps = (float)o->eps};
  SUMI__ISA_PICK(u->ctx, sumi__cpu_adam_update)(u->w, u->moments[0], u->moments[1], u->g, u->count, &step);
}

#endif
