/* The score networks of the MNIST tutorial, by denoising score matching on the variance-exploding process. */
#include "diffusion/ve_sde.h"
#include "models/model_folder.h"
#include "train/preview.h"
#include "train/task.h"

#include <stddef.h>

enum { CLASSES = 10, SIDE = SUMI__DIGIT_SIDE };

typedef struct values {
  int type;
  double sigma, label_dropout, guidance;
} values;

#define AT(member) offsetof(values, member)

static const char *const types[] = {"concat", "add", "attention", NULL};

static const sumi__key keys[] = {
    {"model.type", SUMI__KEY_CHOICE, 0, AT(type), "attention", 0, 0, types,
     "how the U-Net joins its halves; `attention` draws the class that it is asked for"},
    {"model.sigma", SUMI__KEY_NUMBER, 0, AT(sigma), "25", 1.001, 1000, NULL, "the process's: noise grows as sigma^t"},
    {"model.label_dropout", SUMI__KEY_NUMBER, 0, AT(label_dropout), "0", 0, 0.99, NULL,
     "take the label of so large a part of the pictures away, so that sampling can be guided; attention alone"},
    {"model.guidance", SUMI__KEY_NUMBER, 0, AT(guidance), "1", 0, 100, NULL,
     "with label_dropout: how strongly the saved model is guided unless it is told; 1 is not at all"},
};

static sumi__score_unet_config model_config(const sumi_train_config *config) {
  const values *v = config->task_values;
  sumi__score_unet_variant variant = SUMI__SCORE_UNET_ATTENTION;
  sumi__score_unet_variant_find(types[v->type], &variant);
  sumi__score_unet_config m = sumi__score_unet_defaults(variant);
  m.sigma = v->sigma;
  m.null_class = v->label_dropout > 0.0;
  m.guidance = m.null_class ? v->guidance : 1.0;
  return m;
}

static sumi_status check(const sumi_train_config *config, const sumi__dataset *set) {
  const sumi__score_unet_config m = model_config(config);
  if (set->height != SIDE || set->width != SIDE || set->channels != 1)
    return sumi__fail(config->ctx, SUMI_MISMATCH, "%s: its pictures are %lld x %lld; the score networks draw %d x %d",
                      config->values.data.dir, (long long)set->width, (long long)set->height, SIDE, SIDE);
  return sumi__score_unet_check(config->ctx, &m);
}

static void build(const sumi_train_config *config, const sumi__nn *nn, const sumi__task_inputs *in,
                  sumi__task_outputs *out) {
  const sumi__score_unet_config m = model_config(config);
  sumi_graph *g = nn->g;
  if (!in->images) return;
  const sumi_shape shape = sumi_tensor_shape(in->images);
  sumi_tensor *t = sumi__dsm_times(g, in->random, shape.dims[0]);
  sumi_tensor *z = sumi_random_normal(g, in->random, shape);
  sumi_tensor *x = sumi__dsm_perturb(g, m.sigma, in->images, t, z);
  sumi_tensor *drop = NULL;
  if (nn->training && m.null_class) {
    const double keep = 1.0 - ((const values *)config->task_values)->label_dropout;
    drop = sumi_step(g, sumi_random_uniform(g, in->random, SUMI_SHAPE(shape.dims[0])), (float)keep);
  }
  sumi_tensor *score = sumi__score_unet_dropped(nn, &m, x, t, in->labels, drop);
  out->loss = sumi__dsm_loss(g, m.sigma, score, t, z);
}

static sumi_status preview(const sumi_train_config *config, sumi_backend *backend, sumi_weights *weights,
                           const sumi_train_callbacks *callbacks, const char *path) {
  const sumi__score_unet_config m = model_config(config);
  const sumi__preview_options options = {.count = config->values.preview.count,
                                         .steps = (int)config->values.preview.steps,
                                         .compute = config->values.train.compute ? SUMI_BF16 : SUMI_F32,
                                         .callbacks = callbacks};
  return sumi__preview_scores(config->ctx, backend, &m, weights, &options, path);
}

static sumi_status save(const sumi_train_config *config, sumi_weights *weights, const char *folder) {
  const sumi__score_unet_config m = model_config(config);
  return sumi__score_unet_save(config->ctx, folder, &m, weights);
}

static sumi_status load(const sumi_train_config *config, const char *folder, sumi_weights **out) {
  const sumi__score_unet_config m = model_config(config);
  sumi__score_unet_config found;
  const sumi_status status = sumi__score_unet_load(config->ctx, folder, &found, out);
  if (status != SUMI_OK || (found.variant == m.variant && found.sigma == m.sigma)) return status;
  sumi_weights_free(*out);
  *out = NULL;
  return sumi__fail(config->ctx, SUMI_MISMATCH,
                    "%s: its model is %s with sigma %g; the configuration %s says %s with %g", folder,
                    sumi__score_unet_variant_name(found.variant), found.sigma, config->path,
                    sumi__score_unet_variant_name(m.variant), m.sigma);
}

const sumi__task sumi__task_score = {.name = "score",
                                     .keys = {keys, sizeof keys / sizeof *keys},
                                     .values_bytes = sizeof(values),
                                     .classes = CLASSES,
                                     .check = check,
                                     .build = build,
                                     .preview = preview,
                                     .save = save,
                                     .load = load};
