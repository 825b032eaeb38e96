/* Prompts inside the library: the steps from text to chunks, and what weights do to embeddings. The whole of it is
 * sumi_prompt_parse in sumi/text.h. */
#ifndef SUMI_SRC_TEXT_PROMPT_H
#define SUMI_SRC_TEXT_PROMPT_H

#include "base/base.h"
#include "sumi/text.h"

/* Weighs the encoding of one chunk in place: z and empty are (tokens, width), row-major, weights (tokens). `empty` is
 * the encoding of the empty prompt, and may be NULL for every kind but INTERPOLATE. */
void sumi__emphasis_apply(sumi_emphasis kind, float *z, const float *empty, const float *weights, int64_t tokens,
                          int64_t width);

#endif
