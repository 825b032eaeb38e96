/* What a training task is to the loop: how a batch of labelled pictures becomes a loss, and what to do with the model.
 * Each task is one file of src/train/tasks; `tasks.def` lists them. */
#ifndef SUMI_SRC_TRAIN_TASK_H
#define SUMI_SRC_TRAIN_TASK_H

#include "data/dataset.h"
#include "nn/nn.h"
#include "train/config.h"

/* What goes in: images (B, H, W, C) f32 in [0, 1], labels (B) i32, random (2) i64: seed and counter, for
 * sumi_random_uniform and its like. */
typedef struct sumi__task_inputs {
  sumi_tensor *images, *labels, *random;
} sumi__task_inputs;

/* What comes out: loss, an f32 scalar, the mean over the batch; logits (B, classes) f32 if the task recognises
 * something, else NULL. */
typedef struct sumi__task_outputs {
  sumi_tensor *loss, *logits;
} sumi__task_outputs;

struct sumi__task {
  const char *name;
  sumi__key_table keys; /* into a struct of values_bytes, which sumi_train_config keeps as task_values */
  size_t values_bytes;
  int64_t classes;      /* of the labels */
  bool test_each_epoch; /* evaluates the test pictures after every epoch */
  /* Fails with MISMATCH where the task cannot use such pictures. */
  sumi_status (*check)(const sumi_train_config *config, const sumi__dataset *set);
  /* Adds the nodes; parameters come from `nn` (see there). Faults are the graph's. */
  void (*build)(const sumi_train_config *config, const sumi__nn *nn, const sumi__task_inputs *in,
                sumi__task_outputs *out);
  /* Draws samples of the model with these weights into the PNG at `path`; CANCELLED when the callbacks say so. NULL:
   * nothing to draw. */
  sumi_status (*preview)(const sumi_train_config *config, sumi_backend *backend, sumi_weights *weights,
                         const sumi_train_callbacks *callbacks, const char *path);
  /* Saves the model for use as a folder, each file whole or not at all. */
  sumi_status (*save)(const sumi_train_config *config, sumi_weights *weights, const char *folder);
  /* Loads what `save` saved, as a set of weights with this task's names; MISMATCH where it is another model than the
   * configuration's. Free with sumi_weights_free. */
  sumi_status (*load)(const sumi_train_config *config, const char *folder, sumi_weights **out);
};

/* All tasks, ended by NULL. */
extern const sumi__task *const sumi__tasks[];
/* The task of that name, or NULL. */
const sumi__task *sumi__task_find(const char *name);

#endif
