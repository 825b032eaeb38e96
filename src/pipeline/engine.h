/* Inside the pipeline: an engine, and the parts of a session. */
#ifndef SUMI_SRC_PIPELINE_ENGINE_H
#define SUMI_SRC_PIPELINE_ENGINE_H

#include "models/families/family.h"
#include "models/vae_tiling.h"
#include "sumi/pipeline.h"
#include "tensor/weights.h"

struct sumi_engine {
  sumi_context *ctx;
  sumi__model *model;
  sumi_weights *unet, *text, *vae; /* lent by the model's files */
  sumi_tokenizer *tokenizer;
};

/* The id that follows the end of a text, which a folder's tokenizer knows. The built-in one has the end again, as
 * Stable Diffusion 1.x was trained; 2.x was trained with OpenCLIP's, 0. What the text encoder's configuration says is
 * not to be believed: 1.5's has the ids of another vocabulary (0, 2 and 1 to begin, end and pad). */
int32_t sumi__pad_id(const sumi__model *model, const sumi_tokenizer *tokenizer);

/* What the U-Net sees beside the latents, by the number of its channels. */
sumi_beside sumi__engine_beside(const sumi_engine *engine);

/* ---- The text encoder -------------------------------------------------------------------------------------------- */

typedef struct sumi__text_runner {
  const sumi_engine *engine;
  sumi_context *ctx;
  sumi_backend *backend;
  /* The program for so many chunks, a compute type and a layer. */
  int64_t rows;
  sumi_dtype compute;
  int clip_skip;
  sumi_graph *g;
  sumi_program *program;
  sumi_tensor *tokens; /* embeddings of the vocabulary, (rows, SUMI_CHUNK_TOKENS, width) */
  sumi__clip_text_outputs out;
} sumi__text_runner;

/* ids (rows, SUMI_CHUNK_TOKENS); the results, each (rows, SUMI_CHUNK_TOKENS, width), are lent until the next run. */
sumi_status sumi__text_run(sumi__text_runner *r, const int32_t *ids, int64_t rows, int clip_skip, sumi_dtype compute,
                           const float **token, const float **position, const float **output);
void sumi__text_runner_drop(sumi__text_runner *r);

/* ---- The U-Net --------------------------------------------------------------------------------------------------- */

/* What a U-Net's program is compiled for. */
typedef struct sumi__unet_shape {
  int64_t rows, height, width, tokens; /* latents */
  sumi_dtype compute;
} sumi__unet_shape;

typedef struct sumi__unet_runner {
  const sumi_engine *engine;
  sumi_context *ctx;
  sumi_backend *backend;
  sumi__unet_shape shape;
  sumi_graph *g, *context_g;
  sumi_program *program, *context_program;
  sumi_tensor *sample, *timesteps, *out, *context;
  sumi_tensor **kv_in;  /* of the step's program: (rows, tokens, width) */
  sumi_tensor **kv_out; /* of the context's: (1, tokens, width) */
  int kv_count;
} sumi__unet_runner;

/* Compiles for a shape, unless that is there. */
sumi_status sumi__unet_prepare(sumi__unet_runner *r, const sumi__unet_shape *shape);
/* Bytes of the keys and values of one context. */
size_t sumi__unet_context_bytes(const sumi__unet_runner *r);
/* Keys and values of a context (tokens, text width), and their way into a row of the step's program. */
sumi_status sumi__unet_read_context(sumi__unet_runner *r, const float *context, void *kv);
void sumi__unet_set_context(sumi__unet_runner *r, int64_t row, const void *kv);
/* Where a row of the input is, (height, width, in_channels), and of the output. */
float *sumi__unet_sample_row(sumi__unet_runner *r, int64_t row);
float *sumi__unet_timesteps(sumi__unet_runner *r);
const float *sumi__unet_output_row(sumi__unet_runner *r, int64_t row);
sumi_status sumi__unet_run(sumi__unet_runner *r);
void sumi__unet_runner_drop(sumi__unet_runner *r);

/* ---- A session ----------------------------------------------------------------------------------------------------
 */

struct sumi_session {
  sumi_engine *engine;
  sumi_context *ctx;
  sumi_backend *backend;
  sumi__text_runner text;
  sumi__unet_runner unet;
  sumi__vae_coder *coder;
  sumi__vae_direction coder_direction;
  sumi_dtype coder_compute;
  bool at_work; /* a job is running, whose callbacks may not begin another */
};

/* INVALID in the middle of a job. */
sumi_status sumi__session_idle(const sumi_session *s);

/* The job with its defaults filled in, and whether it is one that the session's model can do: INVALID, UNSUPPORTED. */
sumi_generation sumi__generation_filled(const sumi_engine *engine, const sumi_generation *how);
sumi_status sumi__generation_check(const sumi_session *s, const sumi_generation *filled);
/* Of a job that is filled in, 0 to 1. */
double sumi__generation_strength(const sumi_generation *filled);
double sumi__generation_image_guidance(const sumi_generation *filled);

/* Whether a side of the autoencoder's tiles, in pixels, is one that there can be. */
sumi_status sumi__tile_check(const sumi_session *s, int64_t tile);

sumi_dtype sumi__precision_dtype(const sumi_context *ctx, sumi_precision precision);

/* A coder for the direction and type, kept for the next time. */
sumi_status sumi__session_coder(sumi_session *s, sumi__vae_direction direction, sumi_dtype compute,
                                sumi__vae_coder **out);
void sumi__session_drop_coder(sumi_session *s);

/* The autoencoder on (n, height, width, 3) in [0, 1]: mean and logvar (n, channels, h, w), the mean not scaled. */
sumi_status sumi__session_posterior(sumi_session *s, const float *pictures, int64_t n, int64_t height, int64_t width,
                                    sumi_dtype compute, int64_t tile, float *mean, float *logvar);
/* mean + std noise, scaled as the U-Net knows it; `count` values; out may be mean. */
void sumi__posterior_draw(const sumi_session *s, const float *mean, const float *logvar, const float *noise,
                          int64_t count, float *out);

/* Between (n, channels, pixels) and (n, pixels, channels). */
void sumi__to_channels_last(const float *from, int64_t n, int64_t channels, int64_t pixels, float *to);
void sumi__to_channels_first(const float *from, int64_t n, int64_t channels, int64_t pixels, float *to);

#endif
