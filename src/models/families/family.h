/* What a Stable Diffusion checkpoint is: which family, which networks of which sizes, under which names its tensors
 * lie. Everything that depends on a family or on a layout of files is in this folder, and the rest of the library sees
 * the configurations and three sources of tensors with diffusers' names.
 *
 * Two layouts are read:
 *   diffusers   a folder: model_index.json, unet/, vae/, text_encoder/, tokenizer/, scheduler/
 *   CompVis     one file with model.diffusion_model.*, first_stage_model.*, cond_stage_model.*, whose configurations
 *               are read off the shapes of its tensors, or come from a folder beside it (`config_folder`) */
#ifndef SUMI_SRC_MODELS_FAMILIES_FAMILY_H
#define SUMI_SRC_MODELS_FAMILIES_FAMILY_H

#include "io/tensor_source.h"
#include "models/autoencoder_kl.h"
#include "models/clip_text.h"
#include "models/unet2d_condition.h"
#include "sumi/model.h"

enum { SUMI__SAMPLER_NAME_MAX = 64 };

typedef enum sumi__family { SUMI__FAMILY_SD1, SUMI__FAMILY_SD2 } sumi__family;

typedef struct sumi__model_options {
  sumi_prediction prediction; /* SUMI_PREDICTION_AUTO: as the checkpoint says or its family has it */
  sumi_family family;         /* AUTO: as the checkpoint's tensors tell */
  const char *config_folder;  /* NULL, or a folder in diffusers' layout whose configurations hold for a single file */
  const char *vae;            /* NULL, or a file or folder whose autoencoder takes the place of the checkpoint's own */
} sumi__model_options;

/* An open checkpoint. Immutable, and so usable from several threads. */
typedef struct sumi__model {
  sumi_context *ctx;
  char *path;
  sumi__family family;
  const char *layout; /* "diffusers", "CompVis"; static */
  sumi__unet2d_config unet;
  sumi__clip_text_config text;
  sumi__autoencoder_kl_config vae;
  const sumi__tensor_source *unet_source, *text_source, *vae_source; /* names as in src/models */
  sumi_prediction prediction;                                        /* never AUTO */
  sumi_schedule_options schedule; /* what the checkpoint says of its betas and timesteps; its schedule of levels, or
                                     NULL, is for its own sampler */
  char sampler[SUMI__SAMPLER_NAME_MAX]; /* the class of its scheduler, or the sampler that it is; "": none */
  char *tokenizer_folder;               /* NULL: the built-in one */
  struct sumi__model_files *files;
} sumi__model;

/* Opens a checkpoint; nothing of its weights is read. options may be NULL. Close with sumi__model_close.
 * Errors: NOT_FOUND (also a part of a folder), IO, FORMAT, UNSUPPORTED (a family or a value of a configuration that is
 * not known here), MISMATCH (a single file whose tensors make no model), INVALID, NO_MEMORY. */
sumi_status sumi__model_open(sumi_context *ctx, const char *path, const sumi__model_options *options,
                             sumi__model **out);
/* NULL is allowed. What was built from the sources has to be freed before. */
void sumi__model_close(sumi__model *model);

/* "Stable Diffusion 1.x" */
const char *sumi__family_title(sumi__family family);

#endif
