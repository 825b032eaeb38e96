/* A task's loss, compiled for one number of rows, with or without the gradients of all trainable weights. */
#ifndef SUMI_SRC_TRAIN_BATCH_PROGRAM_H
#define SUMI_SRC_TRAIN_BATCH_PROGRAM_H

#include "data/loader.h"
#include "train/task.h"

typedef struct sumi__batch_program {
  sumi_program *program;
  int64_t rows, image_size, classes;
  /* The program's own memory; inputs that the task does not read are NULL. */
  float *images;
  int32_t *labels;
  int64_t *random;
  const float *loss, *logits;
  const float **grads; /* by trainable weight, in the weights' order; NULL without gradients */
} sumi__batch_program;

/* Programs by number of rows, each compiled when it is first needed. */
enum { SUMI__MAX_BATCH_PROGRAMS = 4 };

typedef struct sumi__batch_programs {
  sumi_context *ctx;
  const sumi_train_config *config;
  sumi_backend *backend;
  sumi_weights *weights;
  const sumi__dataset *set; /* for the pictures' size */
  bool gradients;
  void (*line)(void *user, const char *text); /* told of each compilation; may be NULL */
  void *line_user;
  sumi__batch_program items[SUMI__MAX_BATCH_PROGRAMS];
  size_t count;
} sumi__batch_programs;

/* Adds to `weights` the parameters that the task's model has, drawn from `init`. */
sumi_status sumi__declare_weights(const sumi_train_config *config, const sumi__dataset *set, sumi_weights *weights,
                                  sumi__rng *init);

/* The program for `rows`, 1 or more; lent. The graph is freed once it is compiled. */
sumi_status sumi__batch_programs_get(sumi__batch_programs *programs, int64_t rows, sumi__batch_program **out);
void sumi__batch_programs_free(sumi__batch_programs *programs);

/* Runs it on `rows` pictures of a batch from `begin` on, with the noise of (seed, counter). */
sumi_status sumi__batch_program_run(sumi__batch_program *p, const sumi__batch *batch, int64_t begin, uint64_t seed,
                                    int64_t counter);

/* Of the last run: how many rows have their label's logit as the largest. */
int64_t sumi__batch_program_correct(const sumi__batch_program *p, const int32_t *labels);

#endif
