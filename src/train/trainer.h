/* A training in progress: all that the loop holds. Made by trainer_setup.c, run by trainer.c. */
#ifndef SUMI_SRC_TRAIN_TRAINER_H
#define SUMI_SRC_TRAIN_TRAINER_H

#include "io/csv.h"
#include "train/batch_program.h"
#include "train/checkpoint.h"
#include "train/gradients.h"
#include "train/schedule.h"

typedef struct sumi__trainer {
  sumi_context *ctx;
  const sumi_train_config *config;
  sumi_train_callbacks callbacks;

  sumi__dataset train, test; /* test: only for tasks that test each epoch */
  sumi__loader *loader;
  sumi_backend *backend;
  sumi_weights *weights;
  sumi__ema ema;
  sumi__optimizer optimizer;
  sumi__gradients gradients;
  sumi__batch_programs programs;
  sumi__schedule schedule;
  sumi__csv *log;

  sumi__position position;
  int64_t batch, micro_batch; /* pictures */
  int64_t steps_in_epoch, total_steps;
  int64_t saved_step;                          /* of the newest checkpoint; -1: none yet */
  double accuracy;                             /* on the test pictures, of the last epoch; NaN before */
  double started, step_seconds;                /* when; an average of late */
  int64_t first_step;                          /* that this process began with */
  int64_t data_crc;                            /* of the training pictures */
  int lock;                                    /* on the output folder; -1: none */
  char checkpoints[SUMI__CHECKPOINT_PATH_MAX]; /* the folder */
} sumi__trainer;

/* Opens data, makes or loads the state, opens the log. On failure free it all the same. */
sumi_status sumi__trainer_setup(sumi__trainer *t, sumi_context *ctx, const sumi_train_config *config,
                                const sumi_train_options *options);
void sumi__trainer_free(sumi__trainer *t);

/* The part of the setup that needs no files: plan, weights, optimiser and programs for the data in t->train. */
sumi_status sumi__trainer_prepare(sumi__trainer *t, sumi_context *ctx, const sumi_train_config *config);

/* One step of the optimiser on a batch: gradients, clipping, update, average. Fills loss, lr and grad_norm of *p.
 * Errors: FAILED (not finite), NO_MEMORY. */
sumi_status sumi__trainer_learn(sumi__trainer *t, const sumi__batch *batch, sumi_train_progress *p);

/* Says a sentence to whoever listens. */
void sumi__trainer_say(const sumi__trainer *t, const char *format, ...) SUMI__PRINTF(2, 3);

/* Puts "folder/name" of the training's output folder into `path`. Errors: INVALID (too long). */
sumi_status sumi__trainer_path(const sumi__trainer *t, char path[SUMI__CHECKPOINT_PATH_MAX], const char *format, ...)
    SUMI__PRINTF(3, 4);

/* Saves checkpoint and model, unless that has been done at this step. */
sumi_status sumi__trainer_save(sumi__trainer *t);

/* Mean loss and accuracy (NaN if the task has none) over a data set, with noise of a fixed seed, going through it
 * `repeats` times. `programs` are without gradients. Stops with CANCELLED if `callbacks` (may be NULL) say so. */
sumi_status sumi__measure(sumi__batch_programs *programs, const sumi__dataset *set, int64_t rows, int64_t repeats,
                          const sumi_train_callbacks *callbacks, sumi_train_evaluation *out);

#endif
