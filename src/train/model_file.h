/* A model's weights as one safetensors file of a folder. */
#ifndef SUMI_SRC_TRAIN_MODEL_FILE_H
#define SUMI_SRC_TRAIN_MODEL_FILE_H

#include "sumi/io.h"
#include "tensor/weights.h"

sumi_status sumi__model_file_save(sumi_context *ctx, sumi_weights *weights, const char *folder, const char *part);
sumi_status sumi__model_file_open(sumi_context *ctx, const char *folder, const char *part, sumi_safetensors **out);
#endif
