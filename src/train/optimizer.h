/* Optimisers: from gradients to new weights. Each rule is one file; `optimizers.def` lists them. The arithmetic follows
 * PyTorch's torch.optim (single-tensor path), so that hyperparameters mean here what they mean there. */
#ifndef SUMI_SRC_TRAIN_OPTIMIZER_H
#define SUMI_SRC_TRAIN_OPTIMIZER_H

#include "tensor/weights.h"

enum { SUMI__MAX_MOMENTS = 2 };

typedef struct sumi__optimizer_options {
  double beta1, beta2; /* Adam's decay of its two moments, [0, 1) */
  double eps;          /* Adam's, beside the square root */
  double weight_decay; /* >= 0 */
  double momentum;     /* SGD's, [0, 1) */
  bool nesterov;       /* SGD */
} sumi__optimizer_options;

/* One update of `count` values of one parameter. */
typedef struct sumi__update {
  const sumi_context *ctx;
  const sumi__optimizer_options *options;
  double lr;
  int64_t step;     /* 1 for the first */
  float grad_scale; /* each gradient is multiplied by it first: clipping */
  int64_t count;
  float *w;
  const float *g;
  float *moments[SUMI__MAX_MOMENTS];
} sumi__update;

typedef struct sumi__optimizer_rule {
  const char *name;                            /* "adam" */
  int moments;                                 /* arrays as large as the weights */
  const char *moment_names[SUMI__MAX_MOMENTS]; /* as PyTorch calls them: "exp_avg" */
  void (*update)(const sumi__update *u);       /* elementwise: may be called for any part of a parameter */
} sumi__optimizer_rule;

/* The rule of that name, or NULL. */
const sumi__optimizer_rule *sumi__optimizer_find(const char *name);
/* The names, ended by NULL. */
extern const char *const sumi__optimizer_names[];

/* ---- A set of weights under optimisation ---- */

typedef struct sumi__optimizer {
  sumi_context *ctx;
  const sumi__optimizer_rule *rule;
  sumi__optimizer_options options;
  int64_t steps; /* done */
  size_t count;  /* parameters: the trainable members of the weights, in their order */
  sumi__weight **params;
  float **moments[SUMI__MAX_MOMENTS]; /* by parameter; f32, laid out like the parameter */
  float *block;
} sumi__optimizer;

/* The weights are lent and must outlive it; all trainable members must be f32. Free with sumi__optimizer_free.
 * Errors: NO_MEMORY, SHAPE (a type). */
sumi_status sumi__optimizer_create(sumi_context *ctx, const sumi__optimizer_rule *rule,
                                   const sumi__optimizer_options *options, sumi_weights *weights, sumi__optimizer *out);
void sumi__optimizer_free(sumi__optimizer *o);

/* One step: grads[i] (f32, like params[i]) times grad_scale. Threaded over elements; the result does not depend on the
 * number of threads. */
void sumi__optimizer_step(sumi__optimizer *o, const float *const *grads, double lr, float grad_scale);

#endif
