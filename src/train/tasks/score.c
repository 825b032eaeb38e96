/* The score networks of the MNIST tutorial, by denoising score matching on the variance-exploding process. */
#include "diffusion/ve_sde.h"
#include "models/score_unet.h"
#include "train/model_file.h"
#include "train/task.h"

#include <stddef.h>

enum { CLASSES = 10 };

typedef struct values {
  int type;
  double sigma;
} values;

#define AT(member) offsetof(values, member)

static const char *const types[] = {"concat", "add", "attention", NULL};

static const sumi__key keys[] = {
    {"model.type", SUMI__KEY_CHOICE, 0, AT(type), "attention", 0, 0, types,
     "how the U-Net joins its halves; `attention` draws the class that it is asked for"},
    {"model.sigma", SUMI__KEY_NUMBER, 0, AT(sigma), "25", 1.001, 1000, NULL, "the process's: noise grows as sigma^t"},
};

static sumi__score_unet_config model_config(const sumi_train_config *config) {
  const values *v = config->task_values;
  sumi__score_unet_variant variant = SUMI__SCORE_UNET_ATTENTION;
  sumi__score_unet_variant_find(types[v->type], &variant);
  sumi__score_unet_config m = sumi__score_unet_defaults(variant);
  m.sigma = v->sigma;
  return m;
}

/* The side comes back as itself only from these (see score_unet.h). */
static bool side_fits(int64_t side) { return side >= 28 && side <= 1024 && side % 8 == 4; }

static sumi_status check(const sumi_train_config *config, const sumi__dataset *set) {
  const sumi__score_unet_config m = model_config(config);
  if (set->height != set->width || !side_fits(set->height) || set->channels != 1)
    return sumi__fail(
        config->ctx, SUMI_MISMATCH,
        "%s: its pictures are %lld x %lld; the score networks draw squares of 28, 36, 44, ... grey pixels",
        config->values.data.dir, (long long)set->width, (long long)set->height);
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
  sumi_tensor *score = sumi__score_unet(nn, &m, x, t, in->labels);
  out->loss = sumi__dsm_loss(g, m.sigma, score, t, z);
}

static sumi_status save(const sumi_train_config *config, sumi_weights *weights, const char *folder) {
  return sumi__model_file_save(config->ctx, weights, folder, "unet");
}

static sumi_status open(const sumi_train_config *config, const char *folder, sumi_safetensors **out) {
  return sumi__model_file_open(config->ctx, folder, "unet", out);
}

const sumi__task sumi__task_score = {.name = "score",
                                     .keys = {keys, sizeof keys / sizeof *keys},
                                     .values_bytes = sizeof(values),
                                     .classes = CLASSES,
                                     .check = check,
                                     .build = build,
                                     .save = save,
                                     .open = open};
