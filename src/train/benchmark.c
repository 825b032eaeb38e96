/* How fast a training's steps are, without data or files: the training loop's own step, on a made-up batch. */
#include "train/trainer.h"

#include "base/random.h"
#include "tensor/profile.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, WARM_UP_STEPS = 2, DEFAULT_STEPS = 10, MAX_STEPS = 10000 };

/* A batch of noise of the right size: what pictures show does not change how long a step takes. */
static sumi_status make_batch(sumi_context *ctx, const sumi__dataset *set, float **pixels, int32_t **labels) {
  const int64_t values = set->count * set->height * set->width * set->channels;
  sumi__rng rng;
  *pixels = sumi__alloc_array(ctx, (size_t)values, sizeof **pixels);
  *labels = sumi__alloc_array(ctx, (size_t)set->count, sizeof **labels);
  if (!*pixels || !*labels) return SUMI_NO_MEMORY;
  sumi__rng_seed(&rng, 1);
  sumi__rng_uniform(&rng, 0.0f, 1.0f, *pixels, (size_t)values);
  for (int64_t i = 0; i < set->count; i++) (*labels)[i] = (int32_t)(i % set->classes);
  return SUMI_OK;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Steps the trainer and gives the median time of a step. */
static sumi_status time_steps(sumi__trainer *t, const sumi__batch *batch, int64_t steps,
                              const sumi_train_callbacks *callbacks, double *seconds) {
  sumi_status status = SUMI_OK;
  sumi_train_progress p = {0};
  double *times = sumi__alloc_array(t->ctx, (size_t)steps, sizeof *times);
  SUMI_TRY(times ? SUMI_OK : SUMI_NO_MEMORY);
  for (int64_t i = 0; i < steps; i++) {
    SUMI_CHECK(t->ctx, !callbacks->should_stop || !callbacks->should_stop(callbacks->user), SUMI_CANCELLED,
               "stopped after %lld steps", (long long)i);
    const double begun = sumi__now_seconds();
    SUMI_TRY(sumi__trainer_learn(t, batch, &p));
    times[i] = sumi__now_seconds() - begun;
  }
  qsort(times, (size_t)steps, sizeof *times, compare);
  *seconds = times[steps / 2];
done:
  sumi__free(t->ctx, times);
  return status;
}

static sumi_status measure(sumi__trainer *t, const sumi__batch *batch, const sumi_train_benchmark_options *options,
                           sumi_train_benchmark_result *out) {
  sumi_status status = SUMI_OK;
  const int64_t steps = options->steps > 0 ? options->steps : DEFAULT_STEPS;
  sumi__batch_program *program = NULL;
  SUMI_TRY(time_steps(t, batch, WARM_UP_STEPS, &options->callbacks, &out->step_seconds));
  SUMI_TRY(sumi__batch_programs_get(&t->programs, t->micro_batch, &program));
  sumi__profile_forget(program->program);
  SUMI_TRY(time_steps(t, batch, steps, &options->callbacks, &out->step_seconds));
  out->images_per_second = (double)batch->rows / out->step_seconds;
  out->program = sumi_program_describe(program->program);
done:
  return status;
}

sumi_status sumi_train_benchmark(sumi_context *ctx, const sumi_train_config *config,
                                 const sumi_train_benchmark_options *options, sumi_train_benchmark_result *out) {
  static const sumi_train_benchmark_options defaults = {0};
  sumi_status status = SUMI_OK;
  sumi__trainer t = {.lock = -1};
  float *pixels = NULL;
  int32_t *labels = NULL;
  if (!options) options = &defaults;
  memset(out, 0, sizeof *out);
  SUMI_CHECK(ctx, options->steps >= 0 && options->steps <= MAX_STEPS, SUMI_INVALID, "steps is %lld: expected 0 to %d",
             (long long)options->steps, MAX_STEPS);
  t.train = (sumi__dataset){.count = config->values.train.batch,
                            .height = SIDE,
                            .width = SIDE,
                            .channels = 1,
                            .classes = config->task->classes};
  SUMI_TRY(config->task->check(config, &t.train));
  SUMI_TRY(make_batch(ctx, &t.train, &pixels, &labels));
  SUMI_TRY(sumi__trainer_prepare(&t, ctx, config));
  const sumi__batch batch = {.rows = t.train.count, .pixels = pixels, .labels = labels};
  SUMI_TRY(measure(&t, &batch, options, out));
done:
  sumi__free(ctx, pixels);
  sumi__free(ctx, labels);
  sumi__trainer_free(&t);
  return status;
}
