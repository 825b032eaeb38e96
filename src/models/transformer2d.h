/* Transformer2DModel of diffusers: pixels as tokens that look at each other and at a context (R. Rombach et al., 2022).
 *
 *   x + proj_out([h + attn1(norm1(h)), h + attn2(norm2(h), context), h + ff(norm3(h))] x layers of proj_in(norm(x))) */
#ifndef SUMI_SRC_MODELS_TRANSFORMER2D_H
#define SUMI_SRC_MODELS_TRANSFORMER2D_H

#include "nn/nn.h"

/* Keys and values of a context, (N, S, width) each. */
typedef struct sumi__kv {
  sumi_tensor *keys, *values;
} sumi__kv;

typedef struct sumi__transformer2d {
  int64_t heads;
  int layers;
  bool linear_projection; /* proj_in and proj_out are linear layers, not 1x1 convolutions */
  int norm_groups;
} sumi__transformer2d;

/* x (N, H, W, C) -> the same shape. context[i]: what layer i's attention to the context looks at. */
sumi_tensor *sumi__transformer2d_build(const sumi__nn *nn, const sumi__transformer2d *t, sumi_tensor *x,
                                       const sumi__kv *context);

/* to_k and to_v of layer i's attention to a context (N, S, E), for pixels of `width` channels; `nn` is the scope of the
 * transformer. */
sumi__kv sumi__transformer2d_context(const sumi__nn *nn, int i, sumi_tensor *context, int64_t width);

#endif
