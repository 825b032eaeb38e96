/* A checkpoint written: one file for each network, or one for all; and the configurations beside them. */
#ifndef SUMI_SRC_MODELS_FAMILIES_EXPORT_H
#define SUMI_SRC_MODELS_FAMILIES_EXPORT_H

#include "models/families/parts.h"
#include "sumi/model.h"

/* What is written as what; `done` and `total` count tensors of ours over all files. */
typedef struct sumi__export {
  const sumi__model *model;
  const sumi_convert_options *options;
  sumi__part_list parts[SUMI__PARTS]; /* all of them complete */
  size_t done, total;
} sumi__export;

/* Lists the networks' tensors. Free with sumi__export_free, also after a failure. Errors: MISMATCH (a tensor is missing
 * or of another shape), INVALID, NO_MEMORY. */
sumi_status sumi__export_begin(sumi__export *e, const sumi__model *model, const sumi_convert_options *options);
void sumi__export_free(sumi__export *e);

/* Refuses to write where the checkpoint or its configurations are read from: INVALID. Nothing is written. */
sumi_status sumi__export_check_target(const sumi__export *e, const char *out, bool is_folder);

/* One file in the CompVis layout. Errors: IO, INVALID (a number beyond f16's range), CANCELLED, NO_MEMORY. */
sumi_status sumi__export_compvis(sumi__export *e, const char *path);
/* A folder in diffusers' layout: weights and configurations but for the tokenizer and model_index.json. */
sumi_status sumi__export_folder(sumi__export *e, const char *folder);
/* model_index.json, which completes a folder. */
sumi_status sumi__export_index(const sumi__export *e, const char *folder);

/* Inside: unet/config.json and the like. */
sumi_status sumi__export_config(const sumi__model *model, sumi__part part, const char *path);
sumi_status sumi__export_scheduler(const sumi__model *model, const char *path);

#endif
