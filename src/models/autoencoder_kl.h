/* The autoencoder of latent diffusion: pictures to a Gaussian over latents an eighth of their side, and back (R.
 * Rombach et al., 2022), in the shape of diffusers' AutoencoderKL, with its parameter names.
 *
 * Facts where descriptions differ:
 * - Downsampling pads at the bottom and the right alone, then convolves 3x3 with stride 2 and without padding.
 * - Every norm has eps 1e-6; res blocks see no time; the middle block's attention has one head, a bias everywhere, and
 *   its residual.
 * - The decoder has one res block more on each level than the encoder.
 * - logvar is clamped to [-30, 20].
 * - Latents here are as the network has them. Diffusion works on scaling_factor * (latent - shift_factor), which is the
 *   caller's to do. */
#ifndef SUMI_SRC_MODELS_AUTOENCODER_KL_H
#define SUMI_SRC_MODELS_AUTOENCODER_KL_H

#include "nn/nn.h"

enum { SUMI__VAE_LEVELS_MAX = 8 };

/* The members have the names that diffusers' config.json has for them. */
typedef struct sumi__autoencoder_kl_config {
  int64_t in_channels, out_channels; /* of pictures: 3 */
  int levels;                        /* a side of a latent is one of a picture / 2^(levels - 1) */
  int64_t block_out_channels[SUMI__VAE_LEVELS_MAX];
  int layers_per_block;
  int64_t latent_channels;
  int norm_num_groups;
  int64_t sample_size;   /* the side that it was trained for; a tile's, unless told otherwise */
  double scaling_factor; /* 0.18215 for SD 1.x and 2.x */
  double shift_factor;   /* 0 where config.json has none */
  bool use_quant_conv, use_post_quant_conv;
  bool mid_block_add_attention;
  bool force_upcast; /* the model overflows in f16; bf16 does not; kept so that it is written back */
} sumi__autoencoder_kl_config;

/* KL-f8 of SD 1.x and 2.x: 83,653,863 parameters. */
sumi__autoencoder_kl_config sumi__autoencoder_kl_f8(void);

/* Checks the ranges. Errors: INVALID, naming the member. */
sumi_status sumi__autoencoder_kl_check(sumi_context *ctx, const sumi__autoencoder_kl_config *config);

/* How many pixels of a side make one latent: 2^(levels - 1). */
int64_t sumi__autoencoder_kl_factor(const sumi__autoencoder_kl_config *config);

/* picture (N, H, W, in_channels) f32 in [-1, 1] -> the mean (N, H / factor, W / factor, latent_channels) f32, and the
 * clamped logarithm of the variance of the same shape in *logvar (NULL: not wanted). A side that is no multiple of the
 * factor gives the size rounded down. */
sumi_tensor *sumi__autoencoder_kl_encode(const sumi__nn *nn, const sumi__autoencoder_kl_config *config,
                                         sumi_tensor *picture, sumi_tensor **logvar);

/* The same before it is taken apart: mean, then logvar as the network has it, not clamped (..., 2 * latent_channels).
 */
sumi_tensor *sumi__autoencoder_kl_moments(const sumi__nn *nn, const sumi__autoencoder_kl_config *config,
                                          sumi_tensor *picture);
enum { SUMI__VAE_LOGVAR_MIN = -30, SUMI__VAE_LOGVAR_MAX = 20 };

/* latent (N, h, w, latent_channels) f32 -> picture (N, h * factor, w * factor, out_channels) f32, about [-1, 1]. */
sumi_tensor *sumi__autoencoder_kl_decode(const sumi__nn *nn, const sumi__autoencoder_kl_config *config,
                                         sumi_tensor *latent);

#endif
