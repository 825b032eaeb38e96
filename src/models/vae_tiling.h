/* The autoencoder on pictures in memory: at once, or in tiles that overlap and are blended linearly, as diffusers'
 * AutoencoderKL.enable_tiling does (tile_overlap_factor), so that memory does not grow with the picture; and batches
 * one picture at a time (enable_slicing).
 *
 *   sumi__vae_coder *coder;
 *   sumi__vae_coder_create(backend, &nn, &config, SUMI__VAE_DECODE, SUMI_BF16, &coder);
 *   sumi__vae_coder_run(coder, latents, n, h, w, &tiling, NULL, pictures);
 *
 * A coder compiles a program for the size that it works on, and keeps the last one. Tiles at the right and bottom edge
 * are what is left there; those of one size are computed after one another. It belongs to one thread at a time. */
#ifndef SUMI_SRC_MODELS_VAE_TILING_H
#define SUMI_SRC_MODELS_VAE_TILING_H

#include "models/autoencoder_kl.h"
#include "tensor/account.h"

typedef struct sumi__vae_coder sumi__vae_coder;

typedef enum sumi__vae_direction {
  SUMI__VAE_DECODE, /* latents (N, h, w, latent_channels) -> pictures (N, h * factor, w * factor, out_channels) */
  SUMI__VAE_ENCODE  /* pictures (N, H, W, in_channels) -> mean, then logvar (N, H / factor, W / factor, 2 * latent) */
} sumi__vae_direction;

typedef struct sumi__vae_tiling {
  int64_t tile;   /* side of a tile in latents; 0: everything at once. diffusers: sample_size / factor */
  double overlap; /* the part of a tile that is blended with its neighbour, in [0, 1); 0.25 in diffusers */
} sumi__vae_tiling;

/* sample_size / factor, 0.25. */
sumi__vae_tiling sumi__vae_tiling_defaults(const sumi__autoencoder_kl_config *config);

/* Called before the first tile and after each; false ends the work with CANCELLED. */
typedef struct sumi__vae_progress {
  bool (*step)(void *user, int64_t done, int64_t total);
  void *user;
} sumi__vae_progress;

/* `nn` tells where parameters come from: its weights and its source, which must outlive the coder; its graph is not
 * looked at. Several coders, each with a backend and a context of its own thread, may share a complete set of weights.
 * compute: SUMI_F32 or SUMI_BF16. Free with sumi__vae_coder_free. Errors: INVALID, NO_MEMORY. */
sumi_status sumi__vae_coder_create(sumi_backend *backend, const sumi__nn *nn, const sumi__autoencoder_kl_config *config,
                                   sumi__vae_direction direction, sumi_dtype compute, sumi__vae_coder **out);
void sumi__vae_coder_free(sumi__vae_coder *coder);

/* From the next program on: which algorithm of convolutions, and how many bytes of weights to keep. */
void sumi__vae_coder_save(sumi__vae_coder *coder, const sumi__thrift *thrift);
/* What sumi__vae_coder_run would take for one picture, but for `in` and `out`. Drops the coder's program. */
sumi_status sumi__vae_coder_account(sumi__vae_coder *coder, int64_t h, int64_t w, const sumi__vae_tiling *tiling,
                                    sumi__account *out);

/* in and out: f32, N, H, W, C as the direction says; h and w are the sides of `in`. A tile larger than the picture
 * leaves it whole. Pictures to encode have sides that are multiples of the factor. tiling and progress may be NULL.
 * Errors: INVALID, NO_MEMORY, CANCELLED, whatever compiling and running run into. */
sumi_status sumi__vae_coder_run(sumi__vae_coder *coder, const float *in, int64_t n, int64_t h, int64_t w,
                                const sumi__vae_tiling *tiling, const sumi__vae_progress *progress, float *out);

#endif
