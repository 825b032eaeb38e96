/* What a file is that is no checkpoint of a family known here, and what of a checkpoint is not needed. */
#ifndef SUMI_SRC_MODELS_FAMILIES_DETECT_H
#define SUMI_SRC_MODELS_FAMILIES_DETECT_H

#include "io/tensor_source.h"

/* "a Stable Diffusion XL checkpoint", told by the names of tensors; static. NULL: nothing that is known, or a
 * checkpoint that can be opened. */
const char *sumi__foreign_kind(const sumi__tensor_source *file);

/* Whether a tensor that no network asks for is one of those that many checkpoints carry and no picture needs. */
bool sumi__is_known_leftover(const char *name);

#endif
