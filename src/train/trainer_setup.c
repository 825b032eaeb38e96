/* From a configuration to a training that is ready for its next step. */
#include "train/trainer.h"

#include "io/file.h"
#include "io/lock.h"
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

/* The end of a training; max_steps 0: that of its epochs. */
static int64_t count_steps(const sumi__trainer *t, int64_t epochs, int64_t max_steps) {
  const int64_t steps = t->steps_in_epoch * epochs;
  return max_steps > 0 ? sumi__min_i64(steps, max_steps) : steps;
}

/* Sizes of batches and epochs, and the learning rate's course. */
static void plan_steps(sumi__trainer *t) {
  const sumi__train_values *v = &t->config->values;
  t->batch = sumi__min_i64(v->train.batch, t->train.count);
  t->micro_batch = v->train.micro_batch > 0 ? sumi__min_i64(v->train.micro_batch, t->batch) : t->batch;
  t->steps_in_epoch = sumi__batches_per_epoch(t->train.count, t->batch, v->data.drop_last);
  t->total_steps = count_steps(t, v->train.epochs, v->train.max_steps);
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

/* The folder is ours alone from here on: two trainings in one would each write over what the other does. */
static sumi_status lock_folder(sumi__trainer *t) {
  sumi_status status = SUMI_OK;
  char path[SUMI__CHECKPOINT_PATH_MAX];
  bool taken;
  SUMI_TRY(sumi__make_directories(t->ctx, t->config->values.train.out));
  SUMI_TRY(sumi__trainer_path(t, path, ".lock"));
  SUMI_TRY(sumi__lock_take(t->ctx, path, &t->lock, &taken));
  SUMI_CHECK(t->ctx, taken, SUMI_INVALID,
             "%s: a training is running there at this moment; choose another folder with train.out=FOLDER",
             t->config->values.train.out);
done:
  return status;
}

/* A training that begins does not write over what it finds. */
static sumi_status refuse_leftovers(const sumi__trainer *t) {
  static const char *const names[] = {"model", "log.csv"};
  sumi_status status = SUMI_OK;
  char path[SUMI__CHECKPOINT_PATH_MAX];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    SUMI_TRY(sumi__trainer_path(t, path, "%s", names[i]));
    SUMI_CHECK(t->ctx, !sumi__file_exists(path), SUMI_INVALID,
               "%s: is there already, without a checkpoint to go on from; choose another folder with train.out=FOLDER, "
               "or begin anew in this one with --resume, which writes over it",
               path);
  }
done:
  return status;
}

/* What a checkpoint says of where it is has to fit the data and itself. */
static sumi_status check_position(const sumi__trainer *t, const char *path) {
  sumi_status status = SUMI_OK;
  const sumi__position *at = &t->position;
  int64_t before = 0, pictures = 0;
  SUMI_CHECK(t->ctx, at->data_crc == t->data_crc, SUMI_MISMATCH,
             "%s: it was trained on other data than those in %s (CRC-32 %08llx, found %08llx)", path,
             t->config->values.data.dir, (unsigned long long)at->data_crc, (unsigned long long)t->data_crc);
  SUMI_CHECK(
      t->ctx,
      at->batch < t->steps_in_epoch && sumi__mul_i64(at->epoch, t->steps_in_epoch, &before) &&
          before == at->step - at->batch && sumi__mul_i64(at->batch, t->batch, &pictures) &&
          pictures == at->epoch_pictures,
      SUMI_FORMAT,
      "%s: it is at batch %lld of epoch %lld after %lld steps and %lld pictures of the epoch, which does not fit "
      "%lld batches in an epoch: it is damaged",
      path, (long long)at->batch, (long long)at->epoch, (long long)at->step, (long long)at->epoch_pictures,
      (long long)t->steps_in_epoch);
done:
  return status;
}

/* Later steps may differ in their last bits where something that sums depend on is another. */
static void note_differences(const sumi__trainer *t) {
  const sumi__position *at = &t->position;
  if (at->threads != t->ctx->threads)
    sumi__trainer_say(t, "note: it was computed with %lld threads, now %d: what follows may differ in the last bits",
                      (long long)at->threads, t->ctx->threads);
  if (at->isa != t->ctx->isa)
    sumi__trainer_say(t, "note: it was computed with %s, now %s: what follows may differ in the last bits",
                      sumi__isa_name(at->isa), sumi__isa_name(t->ctx->isa));
}

/* Where the end has moved, a schedule that looks at it takes another course from here on. */
static void note_length(const sumi__trainer *t) {
  const sumi__position *at = &t->position;
  sumi__schedule planned = t->schedule;
  if (!at->planned_epochs) return;
  planned.total_steps = count_steps(t, at->planned_epochs, at->planned_max_steps);
  if (planned.total_steps == t->total_steps) return;
  sumi__trainer_say(t,
                    "note: it was to have %lld steps, now %lld: from here on the learning rate is that of a %s over "
                    "these, %.3g at the next step in place of %.3g",
                    (long long)planned.total_steps, (long long)t->total_steps, sumi__schedule_names[t->schedule.kind],
                    sumi__schedule_rate(&t->schedule, at->step), sumi__schedule_rate(&planned, at->step));
}

static sumi_status load_checkpoint(sumi__trainer *t, const char *path, const char *older) {
  const sumi__training_state state = {t->config, t->weights, &t->ema, &t->optimizer, &t->position};
  sumi_status status = sumi__checkpoint_load(&state, path);
  if (status == SUMI_OK) status = check_position(t, path);
  if (status != SUMI_FORMAT || !*older) return status;
  char sentence[SUMI__ERROR_MAX];
  snprintf(sentence, sizeof sentence, "%s", t->ctx->error);
  return sumi__fail(t->ctx, status, "%s; the one before it is %s: move the damaged one away to go on from there",
                    sentence, older);
}

/* Begins, or goes on where the newest checkpoint is. */
static sumi_status find_position(sumi__trainer *t, bool resume) {
  sumi_status status = SUMI_OK;
  char path[SUMI__CHECKPOINT_PATH_MAX], older[SUMI__CHECKPOINT_PATH_MAX];
  bool found;
  SUMI_TRY(sumi__checkpoint_latest(t->ctx, t->checkpoints, path, older, &found));
  SUMI_CHECK(t->ctx, resume || !found, SUMI_INVALID,
             "%s: a training is there already; continue it with --resume, or choose another folder with "
             "train.out=FOLDER",
             path);
  t->data_crc = sumi__dataset_crc(&t->train);
  if (found) {
    SUMI_TRY(load_checkpoint(t, path, older));
    t->saved_step = t->position.step;
    note_differences(t);
    note_length(t);
    sumi__trainer_say(t, "resumed from %s: step %lld of %lld", path, (long long)t->position.step,
                      (long long)t->total_steps);
  } else if (!resume) {
    SUMI_TRY(refuse_leftovers(t));
  }
  t->position.threads = t->ctx->threads;
  t->position.isa = t->ctx->isa;
  t->position.data_crc = t->data_crc;
  t->first_step = t->position.step;
done:
  return status;
}

static sumi_status open_outputs(sumi__trainer *t) {
  static const char *const columns[] = {"step",    "epoch",   "loss", "lr", "grad_norm", "images_per_second",
                                        "seconds", "pictures"};
  sumi_status status = SUMI_OK;
  char path[SUMI__CHECKPOINT_PATH_MAX];
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
  t->position.last_epoch_loss = NAN;
  t->saved_step = -1;
  t->lock = -1;
  SUMI_TRY(sumi__trainer_path(t, t->checkpoints, "checkpoints"));
  SUMI_TRY(open_data(t));
  SUMI_TRY(sumi__trainer_prepare(t, ctx, config));
  SUMI_TRY(lock_folder(t));
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
  sumi__lock_release(t->lock);
  memset(t, 0, sizeof *t);
}
