/* The conditional U-Net of latent diffusion (R. Rombach et al., "High-resolution image synthesis with latent diffusion
 * models", 2022), in the shape of diffusers' UNet2DConditionModel, with its parameter names. One builder for Stable
 * Diffusion 1.x and 2.x and XL, which differ in their configurations alone.
 *
 *   sumi__unet2d_config config = sumi__unet2d_sd1();
 *   y = sumi__unet2d(&nn, &config, sample, timesteps, context, NULL);
 *
 * Facts where descriptions differ:
 * - Time: sines and cosines of t exp(-ln(10000) i / (half - freq_shift)), cosines first where flip_sin_to_cos is set
 *   (it is, in every Stable Diffusion); then Linear, SiLU, Linear to 4 block_out_channels[0].
 * - A res block adds Linear(SiLU(e)) between its convolutions, before the second norm. norm_eps is 1e-5 there, and
 *   1e-6 in the norm at the head of a transformer.
 * - Heads lie as (head, dim). Queries, keys and values have no bias, the output projection has one. The feed-forward
 *   is four times as wide and gated: a GELU(b) of the halves (a, b) of one product.
 * - The decoder concatenates (what comes up, what the encoder kept).
 * - A side that is odd on the way down grows to the encoder's size again on the way up, by leaving out the last row or
 *   column of the doubled map: nearest-neighbour interpolation to 2n - 1 is just that. */
#ifndef SUMI_SRC_MODELS_UNET2D_CONDITION_H
#define SUMI_SRC_MODELS_UNET2D_CONDITION_H

#include "nn/nn.h"

enum {
  SUMI__UNET2D_LEVELS_MAX = 8,
  SUMI__UNET2D_LAYERS_MAX = 32 /* of res blocks, and of transformers, in one place */
};

/* What is added to the time embedding: config.json's class_embed_type. */
typedef enum sumi__unet2d_class_embed {
  SUMI__UNET2D_CLASS_NONE,
  SUMI__UNET2D_CLASS_EMBEDDING, /* null, with num_class_embeds set: a row of a table for an id (the x4 upscaler) */
  SUMI__UNET2D_CLASS_TIMESTEP,  /* "timestep": a number, embedded as the time is */
  SUMI__UNET2D_CLASS_PROJECTION /* "projection": a vector through two linear layers (unCLIP) */
} sumi__unet2d_class_embed;

/* The members have the names that diffusers' config.json has for them. What is not here has one value in all models
 * of these families (act_fn "silu", resnet_time_scale_shift "default", conv_in_kernel 3, ...). */
typedef struct sumi__unet2d_config {
  int64_t in_channels;  /* 4; 5 with a depth map, 8 with a picture to edit, 9 with a mask and a masked picture */
  int64_t out_channels; /* 4 */
  int64_t sample_size;  /* the side in latents that the model was trained for; the builder does not look at it */
  int levels;           /* members of the arrays below */
  int64_t block_out_channels[SUMI__UNET2D_LEVELS_MAX];
  /* Whether a level has transformers: CrossAttnDownBlock2D in down_block_types, CrossAttnUpBlock2D in up_block_types
   * (in the order of block_out_channels: up_block_types is read from its end); else DownBlock2D and UpBlock2D. */
  bool down_attention[SUMI__UNET2D_LEVELS_MAX], up_attention[SUMI__UNET2D_LEVELS_MAX];
  bool mid_block;       /* mid_block_type: UNetMidBlock2DCrossAttn, or null */
  int layers_per_block; /* res blocks of a level on the way down; one more on the way up */
  /* By level. In config.json this is num_attention_heads, or where that is null attention_head_dim, which in spite of
   * its name holds the number of heads: 8 for SD 1.x, [5, 10, 20, 20] for SD 2.x. */
  int64_t num_attention_heads[SUMI__UNET2D_LEVELS_MAX];
  int transformer_layers_per_block[SUMI__UNET2D_LEVELS_MAX]; /* by level; the middle block has the last level's */
  int64_t cross_attention_dim;                               /* width of the context */
  bool use_linear_projection;                                /* proj_in and proj_out are linear, not 1x1 convolutions */
  bool upcast_attention; /* scores in f32: here they always are; kept so that it is written back */
  int norm_num_groups;
  double norm_eps;
  bool flip_sin_to_cos;
  double freq_shift;
  int64_t time_cond_proj_dim; /* 0, or the width of timestep_cond (guidance-distilled LCM models) */
  sumi__unet2d_class_embed class_embed_type;
  int64_t num_class_embeds;                      /* EMBEDDING alone */
  bool addition_text_time;                       /* addition_embed_type "text_time" (XL) */
  int64_t addition_time_embed_dim;               /* text_time alone: width of one embedded number */
  int64_t projection_class_embeddings_input_dim; /* text_time and PROJECTION: width of what goes into the layers */
} sumi__unet2d_config;

/* Stable Diffusion 1.x: 859,520,964 parameters. */
sumi__unet2d_config sumi__unet2d_sd1(void);
/* Stable Diffusion 2.x: 865,910,724 parameters. */
sumi__unet2d_config sumi__unet2d_sd2(void);
/* Stable Diffusion XL's base: 2,567,463,684 parameters. */
sumi__unet2d_config sumi__unet2d_sdxl(void);

/* Checks the ranges. Errors: INVALID, naming the member. */
sumi_status sumi__unet2d_check(sumi_context *ctx, const sumi__unet2d_config *config);

/* What some models want besides; members that the configuration does not ask for are not looked at. */
typedef struct sumi__unet2d_extras {
  sumi_tensor *class_labels;  /* EMBEDDING: ids (N) i32 or i64; TIMESTEP: (N) f32; PROJECTION: (N, input_dim) f32 */
  sumi_tensor *timestep_cond; /* (N, time_cond_proj_dim) f32, or NULL for none */
  sumi_tensor *text_embeds;   /* text_time: the pooled text (N, D) f32 */
  sumi_tensor *time_ids;      /* text_time: original, crop and target sizes (N, K) f32; D + K * addition_time_embed_dim
                                 is projection_class_embeddings_input_dim */
  /* Keys and values of the context, from sumi__unet2d_context: 2 * sumi__unet2d_context_count tensors, or NULL. The
   * context itself is then not looked at. */
  sumi_tensor *const *context_kv;
} sumi__unet2d_extras;

/* sample (N, H, W, in_channels) f32; timesteps (N) f32, in steps of the training schedule (0 to 999; fractions too);
 * context (N, T, cross_attention_dim) f32; extras NULL if nothing else is asked for -> (N, H, W, out_channels) f32,
 * which is the noise, v, or whatever the model was trained to predict. */
sumi_tensor *sumi__unet2d(const sumi__nn *nn, const sumi__unet2d_config *config, sumi_tensor *sample,
                          sumi_tensor *timesteps, sumi_tensor *context, const sumi__unet2d_extras *extras);

/* ---- The part that depends on the context alone, so that it can be computed once for a prompt ------------------- */

/* The attentions to the context: each wants its keys and its values. */
int sumi__unet2d_context_count(const sumi__unet2d_config *config);
/* The width of the i-th one's keys and values, in order of execution: they are (N, T, width). */
int64_t sumi__unet2d_context_width(const sumi__unet2d_config *config, int i);
/* context (N, T, cross_attention_dim) f32 -> kv[2 i] the keys, kv[2 i + 1] the values (N, T, width of i) in the graph's
 * compute type, which are the inputs that the step's program takes as extras->context_kv. False after a fault. */
bool sumi__unet2d_context(const sumi__nn *nn, const sumi__unet2d_config *config, sumi_tensor *context,
                          sumi_tensor **kv);

#endif
