/* The digit classifier: cross-entropy, and the share of test pictures that it recognises after every epoch. */
#include "models/model_folder.h"
#include "train/task.h"

#include <stddef.h>

enum { CLASSES = 10, SIDE = SUMI__DIGIT_SIDE };

typedef struct values {
  double dropout, smoothing;
} values;

#define AT(member) offsetof(values, member)

static const sumi__key keys[] = {
    {"model.dropout", SUMI__KEY_NUMBER, 0, AT(dropout), "0.3", 0, 0.95, NULL,
     "the share of hidden values that are dropped while training"},
    {"loss.smoothing", SUMI__KEY_NUMBER, 0, AT(smoothing), "0", 0, 0.5, NULL,
     "the share of the target's probability that is spread over all classes"},
};

static sumi__digit_classifier_config model_config(const sumi_train_config *config) {
  sumi__digit_classifier_config m = sumi__digit_classifier_defaults();
  m.classes = CLASSES;
  m.dropout = ((const values *)config->task_values)->dropout;
  return m;
}

static sumi_status check(const sumi_train_config *config, const sumi__dataset *set) {
  const sumi__digit_classifier_config m = model_config(config);
  if (set->height != SIDE || set->width != SIDE)
    return sumi__fail(config->ctx, SUMI_MISMATCH, "%s: its pictures are %lld x %lld; the classifier reads %d x %d",
                      config->values.data.dir, (long long)set->width, (long long)set->height, SIDE, SIDE);
  return sumi__digit_classifier_check(config->ctx, &m);
}

static void build(const sumi_train_config *config, const sumi__nn *nn, const sumi__task_inputs *in,
                  sumi__task_outputs *out) {
  const values *v = config->task_values;
  const sumi__digit_classifier_config m = model_config(config);
  out->logits = sumi__digit_classifier(nn, &m, in->images, NULL);
  out->loss = sumi_cross_entropy(nn->g, out->logits, in->labels, nn->training ? (float)v->smoothing : 0.0f);
}

static sumi_status save(const sumi_train_config *config, sumi_weights *weights, const char *folder) {
  const sumi__digit_classifier_config m = model_config(config);
  return sumi__digit_classifier_save(config->ctx, folder, &m, weights);
}

static sumi_status load(const sumi_train_config *config, const char *folder, sumi_weights **out) {
  sumi__digit_classifier_config found;
  return sumi__digit_classifier_load(config->ctx, folder, &found, out);
}

const sumi__task sumi__task_classifier = {.name = "classifier",
                                          .keys = {keys, sizeof keys / sizeof *keys},
                                          .values_bytes = sizeof(values),
                                          .classes = CLASSES,
                                          .test_each_epoch = true,
                                          .check = check,
                                          .build = build,
                                          .save = save,
                                          .load = load};
