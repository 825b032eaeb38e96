/* Models as folders in the manner of diffusers: a config.json beside each safetensors file, and for a model with a
 * schedule a model_index.json above them.
 *
 *   FOLDER/model_index.json                           a score network: "_class_name": "ScoreDigitsPipeline"
 *   FOLDER/unet/config.json                           "ScoreUNet": variant, channels, embed_dim, text_dim, classes
 *   FOLDER/unet/diffusion_pytorch_model.safetensors
 *   FOLDER/scheduler/scheduler_config.json            "VeSdeScheduler": sigma
 *
 *   FOLDER/config.json                                a classifier: "DigitClassifier"
 *   FOLDER/model.safetensors
 *
 * Each file is replaced as a whole, the weights last. */
#ifndef SUMI_SRC_MODELS_MODEL_FOLDER_H
#define SUMI_SRC_MODELS_MODEL_FOLDER_H

#include "models/digit_classifier.h"
#include "models/score_unet.h"

/* Saves a score network; the folder is made if it is not there. Errors: IO, NO_MEMORY. */
sumi_status sumi__score_unet_save(sumi_context *ctx, const char *folder, const sumi__score_unet_config *config,
                                  sumi_weights *weights);

/* Loads one; free the weights with sumi_weights_free. Errors: NOT_FOUND, IO, FORMAT, INVALID (a range), UNSUPPORTED
 * (another class of model), MISMATCH (the weights are not those of the config). Each names the file. */
sumi_status sumi__score_unet_load(sumi_context *ctx, const char *folder, sumi__score_unet_config *config,
                                  sumi_weights **weights);

/* The same for a classifier. */
sumi_status sumi__digit_classifier_save(sumi_context *ctx, const char *folder,
                                        const sumi__digit_classifier_config *config, sumi_weights *weights);
sumi_status sumi__digit_classifier_load(sumi_context *ctx, const char *folder, sumi__digit_classifier_config *config,
                                        sumi_weights **weights);

/* A picture's side: what both networks are built for. */
enum { SUMI__DIGIT_SIDE = 28 };

#endif
