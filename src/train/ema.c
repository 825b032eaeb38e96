#include "train/ema.h"

#include "cpu/optimizer.h"

#include <string.h>

sumi_status sumi__weights_copy(sumi_context *ctx, sumi_weights *source, sumi_weights **out) {
  sumi_status status = SUMI_OK;
  sumi_weights *copy = NULL;
  SUMI_TRY(sumi_weights_create(ctx, &copy));
  for (size_t i = 0; i < sumi_weights_count(source); i++) {
    const sumi__weight *from = sumi__weights_at(source, i);
    sumi__weight *to = NULL;
    SUMI_TRY(sumi__weights_add(copy, from->name, from->dtype, from->shape, from->layout, from->trainable, &to));
    memcpy(to->data, from->data, (size_t)sumi_shape_count(&from->shape) * sumi_dtype_bytes(from->dtype));
  }
done:
  if (status != SUMI_OK) {
    sumi_weights_free(copy);
    copy = NULL;
  }
  *out = copy;
  return status;
}

sumi_status sumi__ema_create(sumi_context *ctx, sumi_weights *source, double decay, bool warmup, sumi__ema *out) {
  *out = (sumi__ema){.ctx = ctx, .source = source, .decay = decay, .warmup = warmup};
  return sumi__weights_copy(ctx, source, &out->average);
}

void sumi__ema_free(sumi__ema *ema) {
  sumi_weights_free(ema->average);
  memset(ema, 0, sizeof *ema);
}

double sumi__ema_decay(const sumi__ema *ema, int64_t step) {
  const double early = (1.0 + (double)step) / (10.0 + (double)step);
  return ema->warmup && early < ema->decay ? early : ema->decay;
}

typedef struct ema_arg {
  const sumi_context *ctx;
  float *average;
  const float *now;
  float rate;
} ema_arg;

static void step_range(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const ema_arg *a = arg;
  SUMI__ISA_PICK(a->ctx, sumi__cpu_average_update)(a->average + begin, a->now + begin, end - begin, a->rate);
}

void sumi__ema_step(sumi__ema *ema, int64_t step) {
  const double decay = sumi__ema_decay(ema, step);
  for (size_t i = 0; i < sumi_weights_count(ema->source); i++) {
    const sumi__weight *w = sumi__weights_at(ema->source, i);
    if (!w->trainable) continue;
    float *average = sumi_weights_data(ema->average, i);
    const int64_t count = sumi_shape_count(&w->shape);
    ema_arg arg = {ema->ctx, average, w->data, (float)(1.0 - decay)};
    if (decay == 0.0)
      memcpy(average, w->data, (size_t)count * sizeof *average);
    else
      sumi__parallel_for(ema->ctx->threads, count, 16384, step_range, &arg);
  }
}
