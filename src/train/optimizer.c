#include "train/optimizer.h"

#include <string.h>

#define SUMI_OPTIMIZER(name) extern const sumi__optimizer_rule sumi__optimizer_##name;
#include "train/optimizers.def"
#undef SUMI_OPTIMIZER

static const sumi__optimizer_rule *const rules[] = {
#define SUMI_OPTIMIZER(name) &sumi__optimizer_##name,
#include "train/optimizers.def"
#undef SUMI_OPTIMIZER
};

const char *const sumi__optimizer_names[] = {
#define SUMI_OPTIMIZER(name) #name,
#include "train/optimizers.def"
#undef SUMI_OPTIMIZER
    NULL};

const sumi__optimizer_rule *sumi__optimizer_find(const char *name) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (strcmp(rules[i]->name, name) == 0) return rules[i];
  return NULL;
}

/* Room of a parameter in the block: whole cache lines. */
static size_t room_of(const sumi__weight *w) { return sumi__align_up((size_t)sumi_shape_count(&w->shape), 16); }

static sumi_status collect(sumi__optimizer *o, sumi_weights *weights, size_t *total) {
  const size_t n = sumi_weights_count(weights);
  o->params = sumi__alloc_array(o->ctx, n, sizeof *o->params);
  if (!o->params) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < n; i++) {
    sumi__weight *w = sumi__weights_at(weights, i);
    if (!w->trainable) continue;
    if (w->dtype != SUMI_F32)
      return sumi__fail(o->ctx, SUMI_SHAPE, "parameter '%s' is %s: only f32 can be trained", w->name,
                        sumi_dtype_name(w->dtype));
    o->params[o->count++] = w;
    *total += room_of(w);
  }
  return SUMI_OK;
}

sumi_status sumi__optimizer_create(sumi_context *ctx, const sumi__optimizer_rule *rule,
                                   const sumi__optimizer_options *options, sumi_weights *weights,
                                   sumi__optimizer *out) {
  sumi_status status = SUMI_OK;
  size_t total = 0;
  *out = (sumi__optimizer){.ctx = ctx, .rule = rule, .options = *options};
  SUMI_TRY(collect(out, weights, &total));
  out->block = sumi__alloc_array(ctx, total * (size_t)rule->moments, sizeof *out->block);
  if (!out->block) status = SUMI_NO_MEMORY;
  float *next = out->block;
  for (int m = 0; m < rule->moments && status == SUMI_OK; m++) {
    out->moments[m] = sumi__alloc_array(ctx, out->count, sizeof *out->moments[m]);
    if (!out->moments[m]) status = SUMI_NO_MEMORY;
    for (size_t i = 0; i < out->count && status == SUMI_OK; i++) {
      out->moments[m][i] = next;
      next += room_of(out->params[i]);
    }
  }
done:
  if (status != SUMI_OK) sumi__optimizer_free(out);
  return status;
}

void sumi__optimizer_free(sumi__optimizer *o) {
  if (!o->ctx) return;
  sumi__free(o->ctx, o->params);
  for (int m = 0; m < SUMI__MAX_MOMENTS; m++) sumi__free(o->ctx, o->moments[m]);
  sumi__free(o->ctx, o->block);
  memset(o, 0, sizeof *o);
}

typedef struct step_arg {
  const sumi__optimizer *o;
  const sumi__update *whole;
} step_arg;

static void step_range(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const step_arg *a = arg;
  sumi__update part = *a->whole;
  part.count = end - begin;
  part.w += begin;
  part.g += begin;
  for (int m = 0; m < a->o->rule->moments; m++) part.moments[m] += begin;
  a->o->rule->update(&part);
}

void sumi__optimizer_step(sumi__optimizer *o, const float *const *grads, double lr, float grad_scale) {
  o->steps++;
  for (size_t i = 0; i < o->count; i++) {
    sumi__update u = {.ctx = o->ctx,
                      .options = &o->options,
                      .lr = lr,
                      .step = o->steps,
                      .grad_scale = grad_scale,
                      .count = sumi_shape_count(&o->params[i]->shape),
                      .w = o->params[i]->data,
                      .g = grads[i]};
    for (int m = 0; m < o->rule->moments; m++) u.moments[m] = o->moments[m][i];
    step_arg arg = {o, &u};
    sumi__parallel_for(o->ctx->threads, u.count, 16384, step_range, &arg);
  }
}
