/* A picture's depth as a U-Net sees it. */
#ifndef SUMI_SRC_PIPELINE_DEPTH_H
#define SUMI_SRC_PIPELINE_DEPTH_H

#include "base/base.h"

/* Depth (height, width) to (rows, columns) by bicubic interpolation, and from its least to its greatest value onto -1
 * to 1, as diffusers' StableDiffusionDepth2ImgPipeline has it; what is flat is 0. Errors: INVALID (a value that is no
 * number, or beyond 1e30). */
sumi_status sumi__depth_shrink(sumi_context *ctx, const float *depth, int64_t height, int64_t width, int64_t rows,
                               int64_t columns, float *out);

#endif
