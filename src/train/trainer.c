/* The loop: batch, gradient, step, and what is due at the end of an epoch. */
#include "train/trainer.h"

#include "io/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Saving ---- */

/* The weights that the world sees: the average, or the weights themselves where there is none. */
static sumi_weights *shown_weights(const sumi__trainer *t) { return t->ema.average; }

/* Model and checkpoint, unless that has been done at this step. */
static sumi_status write_state(sumi__trainer *t) {
  sumi_status status = SUMI_OK;
  char path[SUMI__CHECKPOINT_PATH_MAX], model[SUMI__CHECKPOINT_PATH_MAX];
  const sumi__training_state state = {t->config, t->weights, &t->ema, &t->optimizer, &t->position};
  if (t->saved_step == t->position.step) return SUMI_OK;
  SUMI_TRY(sumi__trainer_path(t, model, "model"));
  SUMI_TRY(t->config->task->save(t->config, shown_weights(t), model));
  SUMI_TRY(sumi__checkpoint_save(&state, t->checkpoints, t->config->values.checkpoint.keep, path));
  t->saved_step = t->position.step;
  sumi__trainer_say(t, "saved %s", path);
done:
  return status;
}

sumi_status sumi__trainer_save(sumi__trainer *t) {
  const sumi_status status = t->saved_step == t->position.step ? SUMI_OK : sumi__csv_sync(t->log);
  return status == SUMI_OK ? write_state(t) : status;
}

/* The epoch's numbers start anew before a checkpoint is made, so that what it holds is the next epoch's beginning. */
static void turn_epoch(sumi__position *at) {
  at->last_epoch_loss = at->epoch_sum / (double)at->epoch_pictures;
  at->epoch_sum = 0.0;
  at->epoch_pictures = 0;
  at->batch = 0;
  at->epoch++;
}

/* A log or a preview that cannot be written ends a training, but not at the price of the steps that are done. */
static sumi_status save_what_is_done(sumi__trainer *t, sumi_status failure) {
  char sentence[SUMI__ERROR_MAX];
  if (failure != SUMI_IO) return failure;
  if (t->position.batch == t->steps_in_epoch) turn_epoch(&t->position);
  snprintf(sentence, sizeof sentence, "%s", t->ctx->error);
  if (write_state(t) != SUMI_OK) return sumi__fail(t->ctx, failure, "%s", sentence);
  return sumi__fail(t->ctx, failure, "%s; step %lld is saved in %s", sentence, (long long)t->position.step,
                    t->checkpoints);
}

/* ---- One step ---- */

/* Loss and gradient of one batch, micro-batch by micro-batch. */
static sumi_status compute_gradients(sumi__trainer *t, const sumi__batch *batch, double *loss) {
  sumi_status status = SUMI_OK;
  const int64_t pieces = (t->batch + t->micro_batch - 1) / t->micro_batch;
  const uint64_t seed = (uint64_t)t->config->values.train.seed;
  *loss = 0.0;
  for (int64_t begin = 0, piece = 0; begin < batch->rows; begin += t->micro_batch, piece++) {
    const int64_t rows = sumi__min_i64(t->micro_batch, batch->rows - begin);
    const double share = (double)rows / (double)batch->rows;
    sumi__batch_program *p = NULL;
    SUMI_TRY(sumi__batch_programs_get(&t->programs, rows, &p));
    SUMI_TRY(sumi__batch_program_run(p, batch, begin, seed, t->position.step * pieces + piece));
    SUMI_TRY(sumi__gradients_add(&t->gradients, p->grads, (float)share, begin == 0));
    *loss += share * (double)*p->loss;
  }
done:
  return status;
}

/* That a training goes through, the last one perhaps not to its end. */
static int64_t epochs_of(const sumi__trainer *t) {
  return (t->total_steps + t->steps_in_epoch - 1) / t->steps_in_epoch;
}

static void fill_progress(const sumi__trainer *t, int64_t epoch, int64_t in_epoch, sumi_train_progress *out) {
  const double now = sumi__now_seconds(), seconds = now - t->started;
  const int64_t done = t->position.step - t->first_step;
  out->step = t->position.step;
  out->total_steps = t->total_steps;
  out->epoch = epoch;
  out->epochs = epochs_of(t);
  out->step_in_epoch = in_epoch;
  out->steps_in_epoch = t->steps_in_epoch;
  out->epoch_loss = t->position.epoch_sum / (double)t->position.epoch_pictures;
  out->images_per_second = (double)t->batch / t->step_seconds;
  out->seconds = seconds;
  out->seconds_left = seconds / (double)done * (double)(t->total_steps - t->position.step);
}

static sumi_status report_step(sumi__trainer *t, int64_t epoch, int64_t in_epoch, int64_t pictures,
                               sumi_train_progress *p) {
  fill_progress(t, epoch, in_epoch, p);
  const double row[] = {(double)p->step, (double)epoch,        p->loss,    p->lr,
                        p->grad_norm,    p->images_per_second, p->seconds, (double)pictures};
  const sumi_status status = sumi__csv_append(t->log, row);
  if (t->callbacks.progress) t->callbacks.progress(t->callbacks.user, p);
  return status;
}

sumi_status sumi__trainer_learn(sumi__trainer *t, const sumi__batch *batch, sumi_train_progress *p) {
  sumi_status status = SUMI_OK;
  sumi__position *at = &t->position;
  const double begun = sumi__now_seconds();
  SUMI_TRY(compute_gradients(t, batch, &p->loss));
  p->lr = sumi__schedule_rate(&t->schedule, at->step);
  p->grad_norm = sumi__gradients_norm(&t->gradients);
  SUMI_CHECK(t->ctx, isfinite(p->loss) && isfinite(p->grad_norm), SUMI_FAILED,
             "the loss or its gradient is no longer finite at step %lld (loss %g, gradient norm %g); a lower train.lr "
             "or train.clip_norm may help; the last checkpoint is untouched",
             (long long)at->step, p->loss, p->grad_norm);
  const float scale = sumi__clip_scale(p->grad_norm, t->config->values.train.clip_norm);
  sumi__optimizer_step(&t->optimizer, t->gradients.now, p->lr, scale);
  at->step++;
  sumi__ema_step(&t->ema, at->step);
  at->epoch_sum += p->loss * (double)batch->rows;
  at->epoch_pictures += batch->rows;
  at->batch++;
  const double seconds = sumi__now_seconds() - begun;
  t->step_seconds = t->step_seconds > 0.0 ? 0.9 * t->step_seconds + 0.1 * seconds : seconds;
done:
  return status;
}

static sumi_status step(sumi__trainer *t) {
  sumi_train_progress p = {0};
  sumi__batch batch;
  sumi__loader_next(t->loader, &batch);
  const sumi_status status = sumi__trainer_learn(t, &batch, &p);
  if (status != SUMI_OK) return status;
  return report_step(t, t->position.epoch, t->position.batch, batch.rows, &p);
}

/* ---- The end of an epoch ---- */

static bool due(int64_t every, int64_t number, bool last) { return every > 0 && (number % every == 0 || last); }

static sumi_status preview(sumi__trainer *t, int64_t epochs) {
  sumi_status status = SUMI_OK;
  char path[SUMI__CHECKPOINT_PATH_MAX];
  if (!t->config->task->preview) return SUMI_OK;
  SUMI_TRY(sumi__trainer_path(t, path, "samples"));
  SUMI_TRY(sumi__make_directories(t->ctx, path));
  SUMI_TRY(sumi__trainer_path(t, path, "samples/epoch-%04lld.png", (long long)epochs));
  SUMI_TRY(t->config->task->preview(t->config, t->backend, shown_weights(t), &t->callbacks, path));
  sumi__trainer_say(t, "drew %s", path);
done:
  return status;
}

static sumi_status test(sumi__trainer *t) {
  sumi_status status = SUMI_OK;
  sumi_train_evaluation found;
  sumi__batch_programs programs = {
      .ctx = t->ctx, .config = t->config, .backend = t->backend, .weights = shown_weights(t), .set = &t->test};
  if (!t->config->task->test_each_epoch) return SUMI_OK;
  SUMI_TRY(sumi__measure(&programs, &t->test, sumi__min_i64(t->micro_batch, 256), 1, &t->callbacks, &found));
  t->accuracy = found.accuracy;
  sumi__trainer_say(t, "test: loss %.4f, accuracy %.4f over %lld pictures", found.loss, found.accuracy,
                    (long long)found.pictures);
done:
  sumi__batch_programs_free(&programs);
  return status;
}

static sumi_status end_epoch(sumi__trainer *t, double began) {
  sumi_status status = SUMI_OK;
  sumi__position *at = &t->position;
  const bool last = at->step >= t->total_steps;
  turn_epoch(at);
  sumi__trainer_say(t, "epoch %lld of %lld: loss %.4f, %.1f s", (long long)at->epoch, (long long)epochs_of(t),
                    at->last_epoch_loss, sumi__now_seconds() - began);
  if (due(t->config->values.checkpoint.every_epochs, at->epoch, last)) SUMI_TRY(sumi__trainer_save(t));
  SUMI_TRY(test(t));
  if (due(t->config->values.preview.every_epochs, at->epoch, last)) SUMI_TRY(preview(t, at->epoch));
done:
  return status;
}

/* ---- The loop ---- */

static sumi_status stop_early(sumi__trainer *t) {
  const sumi_status status = sumi__trainer_save(t);
  if (status != SUMI_OK) return status;
  return sumi__fail(t->ctx, SUMI_CANCELLED,
                    "stopped after step %lld of %lld; all of it is saved in %s, and --resume "
                    "goes on from there",
                    (long long)t->position.step, (long long)t->total_steps, t->checkpoints);
}

static sumi_status loop(sumi__trainer *t) {
  sumi_status status = SUMI_OK;
  const sumi__train_values *v = &t->config->values;
  double epoch_began = t->started = sumi__now_seconds();
  while (t->position.step < t->total_steps) {
    if (t->callbacks.should_stop && t->callbacks.should_stop(t->callbacks.user)) return stop_early(t);
    SUMI_TRY(step(t));
    if (t->position.batch == t->steps_in_epoch) {
      status = end_epoch(t, epoch_began);
      if (status == SUMI_CANCELLED) return stop_early(t);
      SUMI_TRY(status);
      epoch_began = sumi__now_seconds();
    }
    if (due(v->checkpoint.every_steps, t->position.step, false)) SUMI_TRY(sumi__trainer_save(t));
  }
  SUMI_TRY(sumi__trainer_save(t));
done:
  return save_what_is_done(t, status);
}

/* A training that was killed between its last checkpoint and its model, or while that was tested, is completed. */
static sumi_status finish_complete(sumi__trainer *t) {
  sumi_status status = SUMI_OK;
  char model[SUMI__CHECKPOINT_PATH_MAX];
  SUMI_TRY(sumi__trainer_path(t, model, "model"));
  SUMI_TRY(t->config->task->save(t->config, shown_weights(t), model));
  sumi__trainer_say(t, "complete already: %lld steps are done; with more %s it goes on", (long long)t->position.step,
                    t->total_steps < t->steps_in_epoch * t->config->values.train.epochs ? "train.max_steps"
                                                                                        : "train.epochs");
  SUMI_TRY(test(t));
done:
  return status;
}

sumi_status sumi_train_run(sumi_context *ctx, const sumi_train_config *config, const sumi_train_options *options,
                           sumi_train_result *result) {
  sumi_status status = SUMI_OK;
  sumi__trainer t;
  if (result) *result = (sumi_train_result){.epoch_loss = NAN, .accuracy = NAN};
  SUMI_TRY(sumi__trainer_setup(&t, ctx, config, options));
  if (t.position.step >= t.total_steps)
    SUMI_TRY(finish_complete(&t));
  else
    SUMI_TRY(loop(&t));
done:
  if (result) *result = (sumi_train_result){t.position.step, t.position.epoch, t.position.last_epoch_loss, t.accuracy};
  sumi__trainer_free(&t);
  return status;
}
