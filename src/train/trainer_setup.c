/* From a configuration to a training that is ready for its next step. */
#include "train/trainer.h"

#include "io/file.h"
#include "train/config_write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void sumi__trainer_say(const sumi__trainer *t, const char *format, ...) {
  if (!t->callbacks.line) return;
  char text[SUMI__CHECKPOINT_PATH_MAX + 256];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  t->callbacks.line(t->callbacks.user, text);
}

sumi_status sumi__trainer_path(const sumi__trainer *t, char path[SUMI__CHECKPOINT_PATH_MAX], const char *format, ...) {
  const int folder = snprintf(path, SUMI__CHECKPOINT_PATH_MAX, "%s/", t->config->values.train.out);
  int name = -1;
  if (folder > 0 && folder < SUMI__CHECKPOINT_PATH_MAX) {
    va_list args;
    va_start(args, format);
    name = vsnprintf(path + folder, (size_t)(SUMI__CHECKPOINT_PATH_MAX - folder), format, args);
    va_end(args);
  }
  if (name >= 0 && name < SUMI__CHECKPOINT_PATH_MAX - folder) return SUMI_OK;
  return sumi__fail(t->ctx, SUMI_INVALID, "train.out: the folder's path is too long");
}

static sumi_status open_data(sumi__trainer *t) {
  sumi_status status = SUMI_OK;
  const sumi__task *task = t->config->task;
  const char *folder = t->config->values.data.dir;
  SUMI_TRY(sumi__dataset_open_idx(t->ctx, folder, SUMI__SPLIT_TRAIN, task->classes, &t->train));
  sumi__dataset_limit(&t->train, t->config->values.data.limit);
  SUMI_TRY(task->check(t->config, &t->train));
  if (task->test_each_epoch) {
    SUMI_TRY(sumi__dataset_open_idx(t->ctx, folder, SUMI__SPLIT_TEST, task->classes, &t->test));
    SUMI_CHECK(t->ctx, t->test.height == t->train.height && t->test.width == t->train.width, SUMI_MISMATCH,
               "%s: the test pictures are %lld x %lld, those for training %lld x %lld", folder,
               (long long)t->test.width, (long long)t->test.height, (long long)t->train.width,
               (long long)t->train.height);
  }
  sumi__trainer_say(t, "data: %lld pictures of %lld x %lld from %s", (long long)t->train.count,
                    (long long)t->train.width, (long long)t->train.height, folder);
done:
  return status;
}

/* Sizes of batches and epochs, and the learning rate's course. */
static void plan_steps(sumi__trainer *t) {
  const sumi__train_values *v = &t->config->values;
  t->batch = sumi__min_i64(v->train.batch, t->train.count);
  t->micro_batch = v->train.micro_batch > 0 ? sumi__min_i64(v->train.micro_batch, t->batch) : t->batch;
  t->steps_in_epoch = sumi__batches_per_epoch(t->train.count, t->batch, v->data.drop_last);
  t->total_steps = t->steps_in_epoch * v->train.epochs;
  if (v->train.max_steps > 0) t->total_steps = sumi__min_i64(t->total_steps, v->train.max_steps);
  t->schedule = (sumi__schedule){.kind = (sumi__schedule_kind)v->schedule.name,
                                 .lr = v->train.lr,
                                 .gamma = v->schedule.gamma,
                                 .floor = v->schedule.floor,
                                 .warmup_steps = v->schedule.warmup_steps,
                                 .total_steps = t->total_steps,
                                 .steps_per_epoch = t->steps_in_epoch};
}

static sumi_status make_optimizer(sumi__trainer *t) {
  sumi_status status = SUMI_OK;
  const sumi__train_values *v = &t->config->values;
  const sumi__optimizer_options options = {.beta1 = v->optimizer.beta1,
                                           .beta2 = v->optimizer.beta2,
                                           .eps = v->optimizer.eps,
                                           .weight_decay = v->optimizer.weight_decay,
                                           .momentum = v->optimizer.momentum,
                                           .nesterov = v->optimizer.nesterov};
  const sumi__optimizer_rule *rule = sumi__optimizer_find(sumi__optimizer_names[v->optimizer.name]);
  int64_t *sizes = NULL;
  SUMI_TRY(sumi__optimizer_create(t->ctx, rule, &options, t->weights, &t->optimizer));
  sizes = sumi__alloc_array(t->ctx, t->optimizer.count, sizeof *sizes);
  SUMI_TRY(sizes ? SUMI_OK : SUMI_NO_MEMORY);
  for (size_t i = 0; i < t->optimizer.count; i++) sizes[i] = sumi_shape_count(&t->optimizer.params[i]->shape);
  SUMI_TRY(sumi__gradients_create(t->ctx, t->optimizer.count, sizes, &t->gradients));
done:
  sumi__free(t->ctx, sizes);
  return status;
}

static sumi_status make_state(sumi__trainer *t) {
  sumi_status status = SUMI_OK;
  sumi__rng rng;
  int64_t parameters = 0;
  sumi__rng_seed(&rng, (uint64_t)t->config->values.train.seed);
  SUMI_TRY(sumi_weights_create(t->ctx, &t->weights));
  SUMI_TRY(sumi__declare_weights(t->config, &t->train, t->weights, &rng));
  SUMI_TRY(make_optimizer(t));
  SUMI_TRY(sumi__ema_create(t->ctx, t->weights, t->config->values.ema.decay, t->config->values.ema.warmup, &t->ema));
  SUMI_TRY(sumi_backend_cpu(t->ctx, &t->backend));
  t->programs = (sumi__batch_programs){.ctx = t->ctx,
                                       .config = t->config,
                                       .backend = t->backend,
                                       .weights = t->weights,
                                       .set = &t->train,
                                       .gradients = true,
                                       .line = t->callbacks.line,
                                       .line_user = t->callbacks.user};
  for (size_t i = 0; i < t->optimizer.count; i++) parameters += t->gradients.sizes[i];
  sumi__trainer_say(t, "model: %lld parameters in %zu tensors", (long long)parameters, t->optimizer.count);
done:
  return status;
}

sumi_status sumi__trainer_prepare(sumi__trainer *t, sumi_context *ctx, const sumi_train_config *config) {
  t->ctx = ctx;
  t->config = config;
  plan_steps(t);
  return make_state(t);
}

/* Begins, or goes on where the newest checkpoint is. */
static sumi_status find_position(sumi__trainer *t, bool resume) {
  sumi_status status = SUMI_OK;
  char path[SUMI__CHECKPOINT_PATH_MAX];
  bool found;
  t->position.last_epoch_loss = NAN;
  t->saved_step = -1;
  SUMI_TRY(sumi__checkpoint_latest(t->ctx, t->checkpoints, path, &found));
  SUMI_CHECK(t->ctx, resume || !found, SUMI_INVALID,
             "%s: a training is there already; continue it with --resume, or choose another folder with "
             "train.out=FOLDER",
             path);
  if (!found) goto done;
  const sumi__training_state state = {t->config, t->weights, &t->ema, &t->optimizer, &t->position};
  SUMI_TRY(sumi__checkpoint_load(&state, path));
  SUMI_CHECK(t->ctx,
             t->position.batch < t->steps_in_epoch &&
                 t->position.step == t->position.epoch * t->steps_in_epoch + t->position.batch,
             SUMI_MISMATCH,
             "%s: it is at batch %lld of epoch %lld after %lld steps, which does not fit %lld batches "
             "in an epoch: the data are others",
             path, (long long)t->position.batch, (long long)t->position.epoch, (long long)t->position.step,
             (long long)t->steps_in_epoch);
  t->saved_step = t->position.step;
  if (t->position.threads != t->ctx->threads)
    sumi__trainer_say(t, "note: it was computed with %lld threads, now %d: what follows may differ in the last bits",
                      (long long)t->position.threads, t->ctx->threads);
  sumi__trainer_say(t, "resumed from %s: step %lld of %lld", path, (long long)t->position.step,
                    (long long)t->total_steps);
done:
  t->position.threads = t->ctx->threads;
  t->first_step = t->position.step;
  return status;
}

static sumi_status open_outputs(sumi__trainer *t) {
  static const char *const columns[] = {"step", "epoch", "loss", "lr", "grad_norm", "images_per_second", "seconds"};
  sumi_status status = SUMI_OK;
  char path[SUMI__CHECKPOINT_PATH_MAX];
  SUMI_TRY(sumi__make_directories(t->ctx, t->config->values.train.out));
  SUMI_TRY(sumi__trainer_path(t, path, "config.yaml"));
  SUMI_TRY(sumi__config_save(t->config, path));
  SUMI_TRY(sumi__trainer_path(t, path, "log.csv"));
  const int64_t last = t->position.step > 0 ? t->position.step : -1;
  SUMI_TRY(sumi__csv_open(t->ctx, path, columns, sizeof columns / sizeof *columns, last, &t->log));
done:
  return status;
}

static sumi_status start_loader(sumi__trainer *t) {
  const sumi__train_values *v = &t->config->values;
  const sumi__loader_options options = {.batch = t->batch,
                                        .seed = (uint64_t)v->train.seed,
                                        .shuffle = true,
                                        .drop_last = v->data.drop_last,
                                        .shift = (int)v->data.shift,
                                        .first_epoch = t->position.epoch,
                                        .first_batch = t->position.batch};
  return sumi__loader_create(t->ctx, &t->train, &options, &t->loader);
}

sumi_status sumi__trainer_setup(sumi__trainer *t, sumi_context *ctx, const sumi_train_config *config,
                                const sumi_train_options *options) {
  sumi_status status = SUMI_OK;
  memset(t, 0, sizeof *t);
  t->ctx = ctx;
  t->config = config;
  if (options) t->callbacks = options->callbacks;
  t->accuracy = NAN;
  SUMI_TRY(sumi__trainer_path(t, t->checkpoints, "checkpoints"));
  SUMI_TRY(open_data(t));
  SUMI_TRY(sumi__trainer_prepare(t, ctx, config));
  SUMI_TRY(find_position(t, options && options->resume));
  SUMI_TRY(open_outputs(t));
  SUMI_TRY(start_loader(t));
done:
  return status;
}

void sumi__trainer_free(sumi__trainer *t) {
  sumi__loader_free(t->loader);
  sumi__csv_close(t->log);
  sumi__batch_programs_free(&t->programs);
  sumi__gradients_free(&t->gradients);
  sumi__optimizer_free(&t->optimizer);
  sumi__ema_free(&t->ema);
  sumi_weights_free(t->weights);
  sumi_backend_free(t->backend);
  sumi__dataset_free(t->ctx, &t->train);
  sumi__dataset_free(t->ctx, &t->test);
  memset(t, 0, sizeof *t);
}
