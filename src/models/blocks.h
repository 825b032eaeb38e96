/* Blocks of latent-diffusion networks, with diffusers' parameter names: what the conditional U-Net, the autoencoder and
 * whatever steers them are made of. Pictures are (N, H, W, C).
 *
 * Like layers, blocks return NULL on a fault, pass NULL through, and leave the sentence with the graph. */
#ifndef SUMI_SRC_MODELS_BLOCKS_H
#define SUMI_SRC_MODELS_BLOCKS_H

#include "nn/nn.h"

/* "name.I" as a scope of `nn`: "resnets.0". */
sumi__nn sumi__nn_item(const sumi__nn *nn, const char *name, int i);

/* ResnetBlock2D: x + conv2(SiLU(norm2(conv1(SiLU(norm1(x))) + time_emb_proj(time)))), with conv_shortcut (1x1) on x
 * where its channels differ from `out`. time (N, E): the time embedding after its SiLU; NULL: the block sees no time.
 */
sumi_tensor *sumi__resnet_block(const sumi__nn *nn, sumi_tensor *x, sumi_tensor *time, int64_t out, int groups,
                                double eps);

/* Downsample2D: conv (3x3, stride 2), with a zero at each side or, asymmetric, at the bottom and the right alone. */
sumi_tensor *sumi__downsample_block(const sumi__nn *nn, sumi_tensor *x, bool asymmetric);

/* Upsample2D: doubled by nearest neighbours, of which the first h rows and w columns are kept, then conv (3x3). */
sumi_tensor *sumi__upsample_block(const sumi__nn *nn, sumi_tensor *x, int64_t h, int64_t w);

/* tokens (N, T, D), q (N, T, W), k and v (N, S, W) -> to_out.0 of attention by `heads` heads, (N, T, D). */
sumi_tensor *sumi__attend(const sumi__nn *nn, sumi_tensor *q, sumi_tensor *k, sumi_tensor *v, int64_t heads);

/* TimestepEmbedding: linear_2(SiLU(linear_1(x))), x (N, I) -> (N, out). */
sumi_tensor *sumi__embedding_mlp(const sumi__nn *nn, sumi_tensor *x, int64_t out);

/* Timesteps: t (N) f32 -> (N, width) f32, width even: sines, then cosines (the other way round if cos_first) of
 * t exp(-ln(10000) i / (width / 2 - shift)), i < width / 2. A. Vaswani et al., "Attention is all you need", 2017. */
sumi_tensor *sumi__sinusoids(sumi_graph *g, sumi_tensor *t, int64_t width, bool cos_first, double shift);

#endif
