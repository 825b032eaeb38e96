/* What group_norm and its gradient share. */
#ifndef SUMI_SRC_OPS_GROUP_NORM_H
#define SUMI_SRC_OPS_GROUP_NORM_H

#include "ops/ops.h"

/* Checks x, [shift], [gamma, beta], which begin at input `first`. */
bool sumi__group_norm_check(sumi_graph *g, const sumi__node *n, int first);

/* The operands of a call as f32 arrays, for the reference kernels. */
typedef struct sumi__group_norm_view {
  int64_t batch, positions, channels, per_group;
  const float *x, *shift, *gamma, *beta; /* NULL where there is none */
} sumi__group_norm_view;

sumi__group_norm_view sumi__group_norm_at(const sumi__call *c, int first);

static inline double sumi__group_norm_z(const sumi__group_norm_view *v, int64_t n, int64_t p, int64_t channel) {
  const double shift = v->shift ? (double)v->shift[n * v->channels + channel] : 0.0;
  return (double)v->x[(n * v->positions + p) * v->channels + channel] + shift;
}

#endif
