/* Inside this folder: what an open checkpoint holds open, and its parts. */
#ifndef SUMI_SRC_MODELS_FAMILIES_FILES_H
#define SUMI_SRC_MODELS_FAMILIES_FILES_H

#include "io/checkpoint.h"
#include "models/families/compvis_names.h"
#include "models/families/parts.h"

enum { SUMI__MODEL_PATH_MAX = 4096, SUMI__MODEL_FILES_MAX = 3 };

/* A source that asks another one by other names. */
typedef struct sumi__renamed_source {
  sumi__tensor_source source;
  const sumi__tensor_source *of;
  const sumi__model *model;
} sumi__renamed_source;

typedef struct sumi__model_files {
  sumi__checkpoint *files[SUMI__MODEL_FILES_MAX];
  sumi__renamed_source unet, text, vae;
} sumi__model_files;

/* Configurations of a folder in diffusers' layout. */
sumi_status sumi__folder_configs(sumi_context *ctx, const char *folder, sumi__model *model);
/* The files with the weights of such a folder. */
sumi_status sumi__folder_open(sumi_context *ctx, const char *folder, sumi__model *model);

/* Configurations read off a CompVis file's tensors. */
sumi_status sumi__compvis_configs(sumi_context *ctx, const sumi__tensor_source *file, sumi__model *model);
/* Where the layout has one of our tensors, by its name in the whole file. False for a name that is not ours. */
bool sumi__compvis_place_of(const sumi__model *model, sumi__part part, const char *ours, sumi__compvis_place *out);
/* Sources that give the file's tensors our names; the family and configurations are known. */
void sumi__compvis_sources(const sumi__tensor_source *file, sumi__model *model);

#endif
