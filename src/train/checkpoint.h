/* A training's whole state as one safetensors file: weights, their average, the optimiser's moments; in the metadata
 * the position and every key of the configuration. Tensors lie in the order of files (convolutions O, I, H, W), f32. */
#ifndef SUMI_SRC_TRAIN_CHECKPOINT_H
#define SUMI_SRC_TRAIN_CHECKPOINT_H

#include "train/config.h"
#include "train/ema.h"
#include "train/optimizer.h"

/* Where a training is. Random numbers are functions of the seed and of these, so they need no state of their own. */
typedef struct sumi__position {
  int64_t step;           /* optimiser steps done */
  int64_t epoch, batch;   /* the next batch: `batch` of `epoch` */
  double epoch_sum;       /* of the loss over the epoch's pictures so far */
  int64_t epoch_pictures; /* how many these are */
  int64_t threads;        /* that its steps were computed with: sums depend on them in their last bits */
  int64_t data_crc;       /* of the pictures and labels: sumi__dataset_crc */
  sumi__isa isa;          /* likewise */
  double last_epoch_loss; /* mean of the last epoch that was completed; NaN before */
  /* Of a checkpoint whose schedule looks at the end: train.epochs and train.max_steps until then; else 0. */
  int64_t planned_epochs, planned_max_steps;
} sumi__position;

typedef struct sumi__training_state {
  const sumi_train_config *config;
  sumi_weights *weights;
  sumi__ema *ema;
  sumi__optimizer *optimizer;
  sumi__position *position;
} sumi__training_state;

/* Writes folder/step-NNNNNNNN.safetensors whole or not at all, then removes the oldest until `keep` are left.
 * Errors: IO, NO_MEMORY; the older ones then stay. path_out (NULL allowed): the path, of SUMI__CHECKPOINT_PATH_MAX. */
enum { SUMI__CHECKPOINT_PATH_MAX = 4096 };
sumi_status sumi__checkpoint_save(const sumi__training_state *state, const char *folder, int64_t keep, char *path_out);

/* The newest checkpoint in a folder, or *found = false (also if there is no such folder). `older`, unless NULL: the
 * path of the one before it, "" where there is none. */
sumi_status sumi__checkpoint_latest(sumi_context *ctx, const char *folder, char path[SUMI__CHECKPOINT_PATH_MAX],
                                    char older[SUMI__CHECKPOINT_PATH_MAX], bool *found);

/* Reads a checkpoint into a state that has been made for the same configuration.
 * Errors: NOT_FOUND, IO, FORMAT (damaged, or not a training's state), MISMATCH (a key that matters has another value:
 * the line names it and both values; a tensor is missing, has another shape, or is one too many). Every number of the
 * position is in a range in which it can be computed with; whether it fits the data is the caller's to see. The state
 * is then undefined; the file is never changed. */
sumi_status sumi__checkpoint_load(const sumi__training_state *state, const char *path);

#endif
