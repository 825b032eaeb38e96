/* Measuring a model without changing it. */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Apart from the seeds that people give to trainings, so that no model was trained with this very noise. */
#define EVALUATION_SEED 0x65766131u

/* One way through the data; adds to the sums. */
static sumi_status measure_once(sumi__batch_programs *programs, sumi__loader *loader, int64_t repeat,
                                const sumi_train_callbacks *callbacks, double *loss, int64_t *correct) {
  sumi_status status = SUMI_OK;
  const int64_t batches = sumi__loader_batches_per_epoch(loader);
  for (int64_t i = 0; i < batches; i++) {
    sumi__batch batch;
    sumi__batch_program *p = NULL;
    if (callbacks && callbacks->should_stop && callbacks->should_stop(callbacks->user))
      return sumi__fail(programs->ctx, SUMI_CANCELLED, "stopped before all pictures were measured");
    sumi__loader_next(loader, &batch);
    SUMI_TRY(sumi__batch_programs_get(programs, batch.rows, &p));
    SUMI_TRY(sumi__batch_program_run(p, &batch, 0, EVALUATION_SEED, repeat * batches + i));
    *loss += (double)*p->loss * (double)batch.rows;
    if (p->logits) *correct += sumi__batch_program_correct(p, batch.labels);
  }
done:
  return status;
}

sumi_status sumi__measure(sumi__batch_programs *programs, const sumi__dataset *set, int64_t rows, int64_t repeats,
                          const sumi_train_callbacks *callbacks, sumi_train_evaluation *out) {
  sumi_status status = SUMI_OK;
  sumi__loader *loader = NULL;
  double loss = 0.0;
  int64_t correct = 0;
  const sumi__loader_options options = {.batch = sumi__min_i64(rows, set->count)};
  SUMI_TRY(sumi__loader_create(programs->ctx, set, &options, &loader));
  for (int64_t i = 0; i < repeats; i++) SUMI_TRY(measure_once(programs, loader, i, callbacks, &loss, &correct));
  const double seen = (double)set->count * (double)repeats;
  out->pictures = set->count;
  out->loss = loss / seen;
  out->accuracy = programs->count && programs->items[0].logits ? (double)correct / seen : NAN;
done:
  sumi__loader_free(loader);
  return status;
}

static sumi_status load_model(const sumi_train_config *config, const char *model, sumi_weights **weights) {
  sumi_status status = SUMI_OK;
  char folder[SUMI__CHECKPOINT_PATH_MAX];
  const int length = snprintf(folder, sizeof folder, "%s/model", config->values.train.out);
  SUMI_CHECK(config->ctx, length > 0 && (size_t)length < sizeof folder, SUMI_INVALID,
             "train.out: the path is too long");
  SUMI_TRY(config->task->load(config, model ? model : folder, weights));
done:
  return status;
}

sumi_status sumi_train_evaluate(sumi_context *ctx, const sumi_train_config *config,
                                const sumi_train_evaluate_options *options, sumi_train_evaluation *out) {
  static const sumi_train_evaluate_options defaults = {0};
  sumi_status status = SUMI_OK;
  const sumi__train_values *v = &config->values;
  const sumi_train_evaluate_options *o = options ? options : &defaults;
  sumi__dataset set = {0};
  sumi_weights *weights = NULL;
  sumi_backend *backend = NULL;
  sumi__batch_programs programs = {0};
  memset(out, 0, sizeof *out);
  SUMI_CHECK(ctx, o->repeats >= 0, SUMI_INVALID, "repeats is %lld: expected 0 or more", (long long)o->repeats);
  SUMI_TRY(sumi__dataset_open_idx(ctx, v->data.dir, o->test_split ? SUMI__SPLIT_TEST : SUMI__SPLIT_TRAIN,
                                  config->task->classes, &set));
  sumi__dataset_limit(&set, v->data.limit);
  SUMI_TRY(config->task->check(config, &set));
  SUMI_TRY(load_model(config, o->model, &weights));
  SUMI_TRY(sumi_backend_cpu(ctx, &backend));
  programs = (sumi__batch_programs){.ctx = ctx,
                                    .config = config,
                                    .backend = backend,
                                    .weights = weights,
                                    .set = &set,
                                    .line = o->callbacks.line,
                                    .line_user = o->callbacks.user};
  const int64_t rows = v->train.micro_batch ? v->train.micro_batch : v->train.batch;
  SUMI_TRY(sumi__measure(&programs, &set, rows, sumi__max_i64(o->repeats, 1), &o->callbacks, out));
done:
  sumi__batch_programs_free(&programs);
  sumi_backend_free(backend);
  sumi_weights_free(weights);
  sumi__dataset_free(ctx, &set);
  return status;
}
