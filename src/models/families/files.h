/* Inside this folder: what an open checkpoint holds open, and its parts. */
#ifndef SUMI_SRC_MODELS_FAMILIES_FILES_H
#define SUMI_SRC_MODELS_FAMILIES_FILES_H

#include "io/checkpoint.h"
#include "models/families/compvis_names.h"
#include "models/families/parts.h"

enum { SUMI__MODEL_PATH_MAX = 4096, SUMI__MODEL_OWN_VAE = 3, SUMI__MODEL_FILES_MAX };

/* A source that asks another one by other names. */
typedef struct sumi__renamed_source {
  sumi__tensor_source source;
  const sumi__tensor_source *of;
  const sumi__model *model;
  const char *prefix; /* of an autoencoder in the CompVis layout; static */
} sumi__renamed_source;

typedef struct sumi__model_files {
  sumi__checkpoint *files[SUMI__MODEL_FILES_MAX];
  sumi__renamed_source unet, text, vae;
} sumi__model_files;

/* Configurations of a folder in diffusers' layout. with_vae: without it a folder need not have one of the autoencoder.
 */
sumi_status sumi__folder_configs(sumi_context *ctx, const char *folder, bool with_vae, sumi__model *model);
/* The files with the weights of such a folder. */
sumi_status sumi__folder_open(sumi_context *ctx, const char *folder, bool with_vae, sumi__model *model);
/* An autoencoder's own folder: configuration and weights. */
sumi_status sumi__folder_vae_config(sumi_context *ctx, const char *folder, sumi__autoencoder_kl_config *out);
sumi_status sumi__folder_vae_open(sumi__model *model, const char *folder, sumi__checkpoint **out);
/* The model's autoencoder is that of a file in diffusers' layout, or in CompVis' behind a prefix, which is static. */
void sumi__folder_vae_source(const sumi__tensor_source *file, sumi__model *model);
void sumi__compvis_vae_source(const sumi__tensor_source *file, const char *prefix, sumi__model *model);
/* Another autoencoder in place of the model's own. */
sumi_status sumi__vae_replace(sumi__model *model, const char *path);

/* Configurations read off a CompVis file's tensors. The family is AUTO: it is told by their names. */
sumi_status sumi__compvis_configs(sumi_context *ctx, const sumi__tensor_source *file, sumi_family family,
                                  sumi__model *model);
/* Where the layout has one of our tensors, by its name in the whole file. False for a name that is not ours. */
bool sumi__compvis_place_of(const sumi__model *model, sumi__part part, const char *ours, sumi__compvis_place *out);
/* Sources that give the file's tensors our names; the family and configurations are known. */
void sumi__compvis_sources(const sumi__tensor_source *file, sumi__model *model);

#endif
