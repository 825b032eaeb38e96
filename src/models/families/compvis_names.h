/* How a CompVis checkpoint calls the tensors that diffusers and transformers name otherwise. Pure functions of
 * configurations; all names are without the prefix of their network. */
#ifndef SUMI_SRC_MODELS_FAMILIES_COMPVIS_NAMES_H
#define SUMI_SRC_MODELS_FAMILIES_COMPVIS_NAMES_H

#include "models/autoencoder_kl.h"
#include "models/clip_text.h"
#include "models/unet2d_condition.h"

enum { SUMI__COMPVIS_NAME_MAX = 256 };

/* Where one of our tensors lies in a CompVis file. */
typedef struct sumi__compvis_place {
  char name[SUMI__COMPVIS_NAME_MAX];
  int part, parts; /* it is the part-th of `parts` equal runs of rows; 0 of 1: all of it */
  bool squeeze;    /* a matrix that is kept as a 1x1 convolution */
} sumi__compvis_place;

/* False for a name that is not ours. */
bool sumi__compvis_unet(const sumi__unet2d_config *config, const char *ours, sumi__compvis_place *out);
bool sumi__compvis_vae(const sumi__autoencoder_kl_config *config, const char *ours, sumi__compvis_place *out);
/* OpenCLIP's text transformer, of SD 2.x. (That of SD 1.x has transformers' names.) */
bool sumi__compvis_openclip(const char *ours, sumi__compvis_place *out);

#endif
