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
  sumi__thrift thrift; /* of programs that are compiled from now on */
} sumi__text_runner;

bool sumi__text_is_prepared(const sumi__text_runner *r, int64_t rows, int clip_skip, sumi_dtype compute);
/* Compiles, unless that has been done. */
sumi_status sumi__text_prepare(sumi__text_runner *r, int64_t rows, int clip_skip, sumi_dtype compute);
/* What it would take. Drops the program that is there. */
sumi_status sumi__text_account(sumi__text_runner *r, int64_t rows, int clip_skip, sumi_dtype compute,
                               sumi__account *out);

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
  /* Where there is little memory: */
  sumi__thrift thrift;                            /* as text_runner's */
  int64_t at_once;                                /* rows of a run, at most; 0: all of them */
  float *rows_sample, *rows_out, *rows_timesteps; /* all rows, if runs are of fewer; else NULL */
  char *rows_kv;
} sumi__unet_runner;

bool sumi__unet_is_prepared(const sumi__unet_runner *r, const sumi__unet_shape *shape);
/* Compiles for a shape, unless that is there. */
sumi_status sumi__unet_prepare(sumi__unet_runner *r, const sumi__unet_shape *shape);
/* What it would take, with so many contexts' keys and values. Drops the programs that are there. */
sumi_status sumi__unet_account(sumi__unet_runner *r, const sumi__unet_shape *shape, int contexts, sumi__account *out);
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

/* ---- Keeping within a limit -------------------------------------------------------------------------------------- */

/* What a job is about to do, as far as its memory goes. */
typedef struct sumi__work {
  sumi__unet_shape unet; /* rows 0: no U-Net */
  int contexts;          /* whose keys and values are kept */
  int64_t text_rows;     /* chunks that the text encoder takes at once; 0: no text encoder */
  int clip_skip;         /* of the text encoder */
  bool encodes, decodes; /* which of the autoencoder's sides */
  bool shows;            /* the decoder is there beside the U-Net, for callbacks */
  int64_t height, width; /* of a picture in pixels */
  sumi_dtype compute;
  int64_t tile;      /* that was asked for; 0: to be chosen */
  size_t held_bytes; /* by the caller, beside the networks */
  size_t hole_bytes; /* beside the encoder: the picture without the part that is to be made */
} sumi__work;

/* Bytes of each network as it is planned. */
typedef struct sumi__taken {
  size_t text, unet, decoder;
} sumi__taken;

/* Chooses how the networks are run so that the session's limit holds, tells it (a line of the log), and what side
 * tiles have: work->tile. NO_MEMORY, with the least that would do, if nothing is little enough. Nothing is done without
 * a limit. */
sumi_status sumi__session_save(sumi_session *s, sumi__work *work);

/* The same for what a session is asked for outside of a job, with everything freed first, unless there is no limit, or
 * the network is there, compiled as the limit has it. Nothing for a session at work, which is planned. */
sumi_status sumi__session_save_alone(sumi_session *s, sumi__work *work, bool is_prepared);

/* For what a job's callback asks of its session and has not been planned: a session on the same engine, with as much of
 * the limit as the job leaves at this moment. NULL where there is no job or no limit. To be freed. */
sumi_status sumi__session_aside(sumi_session *s, sumi_session **out);

/* ---- A session --------------------------------------------------------------------------------------------------- */

struct sumi_session {
  sumi_engine *engine;
  sumi_context *ctx;
  sumi_backend *backend;
  sumi__text_runner text;
  sumi__unet_runner unet;
  sumi__vae_coder *coder;
  sumi__vae_direction coder_direction;
  sumi_dtype coder_compute;
  size_t max_memory;            /* 0: as much as is fastest */
  sumi__thrift coder_thrift[2]; /* by direction */
  bool at_work;                 /* a job is running, whose callbacks may not begin another */
  /* With a limit: */
  sumi__work planned;     /* the job at work, or the last one */
  sumi__taken taken;      /* by what was planned last */
  size_t elsewhere_bytes; /* of the limit, that another session holds */
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

/* Tiles of so many pixels, in *out, or NULL for none. */
const sumi__vae_tiling *sumi__session_tiling(const sumi_session *s, int64_t tile, sumi__vae_tiling *out);

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
