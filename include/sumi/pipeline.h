/* sumi/pipeline.h: pictures from words with a Stable Diffusion checkpoint.
 *
 *   sumi_engine *engine = NULL;      // error handling left out
 *   sumi_session *session = NULL;
 *   sumi_engine_open(ctx, "model.safetensors", NULL, &engine);
 *   sumi_session_create(engine, ctx, &session);
 *   const sumi_generation job = {.prompt = "a watercolor picture of an otter", .seed = 42};
 *   sumi_session_draw(session, &job, "otter.png");
 *   sumi_session_free(session);
 *   sumi_engine_close(engine);
 *
 * An engine is an open checkpoint: its weights are read from the mapped file when programs are compiled, packed once,
 * and shared. It is immutable; any number of threads may have sessions on it at once, each with a context of its own.
 * A session belongs to one thread at a time, like its context.
 *
 * Callbacks run on the thread that called sumi_session_generate, between two steps of its work, and what they are shown
 * is lent until they return. They may use other sessions and contexts freely; of the session at work they may call
 * sumi_session_decode, _encode, _embed, _diffuse and _note, as a preview does, and all that takes a const pointer.
 * sumi_session_generate, _draw and _unet are refused with INVALID then, sumi_session_trim does nothing, and
 * sumi_session_free and sumi_engine_close must not be called. */
#ifndef SUMI_PIPELINE_H
#define SUMI_PIPELINE_H

#include "sumi/diffusion.h"
#include "sumi/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Engines --------------------------------------------------------------------------------------------------- */

typedef struct sumi_engine sumi_engine;

/* Zero in a member stands for its default. */
typedef struct sumi_engine_options {
  sumi_prediction prediction; /* what the checkpoint says */
  const char *config_folder;  /* a folder in diffusers' layout whose configurations hold for a single file; NULL: they
                                 are read off the file's tensors */
  sumi_family family;         /* that of which the checkpoint's tensors have the names */
  const char *vae; /* an autoencoder in place of the checkpoint's own: a file in diffusers' or CompVis' layout
                      (also a whole checkpoint's), or a folder in diffusers'; NULL: none */
} sumi_engine_options;

/* What a checkpoint's U-Net was trained to see beside the latents. */
typedef enum sumi_beside {
  SUMI_BESIDE_NOTHING, /* 4 channels */
  SUMI_BESIDE_DEPTH,   /* 5: the picture's depth (Stable Diffusion 2 depth) */
  SUMI_BESIDE_PICTURE, /* 8: the picture that it edits as it is told (InstructPix2Pix) */
  SUMI_BESIDE_HOLE,    /* 9: the mask, and the picture with a hole (inpainting) */
  SUMI_BESIDE_UNKNOWN  /* another number: there are no jobs for it */
} sumi_beside;

typedef struct sumi_engine_info {
  const char *family;         /* "Stable Diffusion 1.x"; static */
  const char *layout;         /* "CompVis", "diffusers"; static */
  sumi_prediction prediction; /* never AUTO */
  const char *sampler;        /* of jobs that name none: the one of the checkpoint's scheduler_config.json; "euler" for
                                 a file, and where that is not known here; static */
  const char *schedule;       /* likewise: "karras"; NULL: the sampler's own; static */
  int64_t in_channels;        /* of the U-Net */
  sumi_beside beside;         /* what they are for */
  int64_t latent_channels;    /* 4 */
  int64_t factor;             /* pixels of a side for each latent: 8 */
  int64_t multiple;           /* sides of pictures are multiples of it */
  int64_t width, height;      /* of pictures that the model was trained for */
  int64_t text_width;         /* of text embeddings */
  int text_layers;
  int32_t pad; /* the id that follows the end of a text, for sumi_prompt_options */
  int64_t unet_parameters, text_parameters, vae_parameters;
} sumi_engine_info;

/* Opens a checkpoint: a folder in diffusers' layout, or a CompVis file. options may be NULL. `ctx` has to outlive the
 * engine; its memory hooks must be thread-safe if sessions of several threads use it. Close with sumi_engine_close.
 * Errors: NOT_FOUND, IO, FORMAT, UNSUPPORTED (another kind of model), MISMATCH (a tensor that is missing or of another
 * shape), NO_MEMORY. Each names the file. */
SUMI_API sumi_status sumi_engine_open(sumi_context *ctx, const char *path, const sumi_engine_options *options,
                                      sumi_engine **out);
/* Its sessions must have been freed before. NULL is allowed. */
SUMI_API void sumi_engine_close(sumi_engine *engine);
SUMI_API sumi_engine_info sumi_engine_describe(const sumi_engine *engine);
/* Lent; immutable. */
SUMI_API const sumi_tokenizer *sumi_engine_tokenizer(const sumi_engine *engine);
/* Bytes of packed weights that programs of its sessions share at this moment. */
SUMI_API size_t sumi_engine_packed_bytes(const sumi_engine *engine);

/* ---- Sessions -------------------------------------------------------------------------------------------------- */

typedef struct sumi_session sumi_session;

/* ctx: that of the thread that will use the session; it may be the engine's own. Errors: NO_MEMORY. */
SUMI_API sumi_status sumi_session_create(sumi_engine *engine, sumi_context *ctx, sumi_session **out);
/* NULL is allowed. */
SUMI_API void sumi_session_free(sumi_session *session);
/* Holds what the session's jobs and single evaluations take in memory to `max_memory` bytes, 0 for as much as is
 * fastest, which is at first. Counted are programs, their share of the engine's packed weights, pages of the checkpoint
 * that are being read, a job's own pictures, and 80 MB for code and tables; not the caller's memory, nor other
 * sessions'. Time is traded for it, in this order: parts of the model are freed as soon as the job is done with them;
 * convolutions' filters are transformed in each run; weights are read from the mapped file in each run, as many as have
 * to be; the halves of guidance and pictures of a batch are computed one after the other; the autoencoder works on
 * tiles, which changes the picture a little. (Attention needs no slices: its scores are never in memory as a whole.)
 * The other choices change only how sums are rounded. What was chosen is told in a line of the context's log. A job
 * that cannot be done with so little fails with NO_MEMORY before it begins, and says the least that would do. Where a
 * job's callbacks decode latents, its `decodes_steps` should say so: the decoder is then beside the U-Net while that
 * runs, and each has a part of the limit. Whatever else callbacks ask of the session has what the job leaves of the
 * limit at that moment, is compiled for that alone, and fails with NO_MEMORY where it is too little. Frees the programs
 * that are there; nothing in a callback of a session at work. */
SUMI_API void sumi_session_limit(sumi_session *session, size_t max_memory);
/* Frees the programs that a session keeps for the next job; nothing in a callback of one at work. */
SUMI_API void sumi_session_trim(sumi_session *session);

/* What matrix products and convolutions compute in. */
typedef enum sumi_precision {
  SUMI_PRECISION_AUTO, /* bf16 where the processor has instructions for it (AVX-512 BF16), else f32 */
  SUMI_PRECISION_F32,
  SUMI_PRECISION_BF16
} sumi_precision;

/* Where noise comes from. With EACH, picture i of a job is the one that seed + i gives alone. */
typedef enum sumi_noise {
  SUMI_NOISE_EACH,  /* torch's CPU generator with seed + i for picture i, as AUTOMATIC1111's CPU mode */
  SUMI_NOISE_BATCH, /* torch's CPU generator with the seed, for the whole batch, as diffusers with one generator */
  SUMI_NOISE_PHILOX /* Philox with seed + i for picture i, as AUTOMATIC1111's GPU mode */
} sumi_noise;

/* What a job is at. */
typedef enum sumi_phase {
  SUMI_PHASE_TEXT,
  SUMI_PHASE_ENCODE,
  SUMI_PHASE_SAMPLE,
  SUMI_PHASE_DECODE,
  SUMI_PHASE_LOAD /* weights are read and packed: for the text encoder, and for each batch before it is sampled */
} sumi_phase;

/* What a callback sees. */
typedef struct sumi_generation_progress {
  sumi_phase phase;
  int step, total;                 /* SAMPLE: steps done, of a batch; others: 0 of 1 at first, then 1 of 1 */
  int64_t first, count;            /* the batch's pictures among the job's */
  double sigma, timestep;          /* SAMPLE: the level reached */
  int64_t channels, height, width; /* of latents */
  const float *x;  /* SAMPLE: (count, channels, height, width): the state with its noise, as the reference's sampler of
                      that name has it: a picture plus sigma times noise, or that over sqrt(1 + sigma^2); else NULL */
  const float *x0; /* SAMPLE: the clean latents predicted at this step; NULL before the first step */
} sumi_generation_progress;

/* Returns false to stop: the job ends with SUMI_CANCELLED, at once between steps. */
typedef bool (*sumi_generation_callback)(void *user, const sumi_generation_progress *progress);

/* Pictures that are complete. */
typedef struct sumi_generation_batch {
  int64_t first, count;            /* among the job's pictures */
  int64_t width, height;           /* of a picture */
  const float *pictures;           /* (count, height, width, 3) in [0, 1] */
  int64_t channels, rows, columns; /* of latents */
  const float *latents;            /* (count, channels, rows, columns), as the U-Net knows them */
} sumi_generation_batch;

/* Likewise. */
typedef bool (*sumi_batch_callback)(void *user, const sumi_generation_batch *batch);

/* Zero in a member stands for its default. */
typedef struct sumi_generation {
  const char *prompt, *negative_prompt; /* "" */
  int64_t width, height;                /* pixels, multiples of the engine's `multiple`; those of its training */
  int64_t count;                        /* pictures, 1 to 65536; 1 */
  int64_t batch;                        /* pictures worked on at once; 1 */
  uint64_t seed;
  sumi_noise noise;    /* EACH */
  int steps;           /* 20; 1 to the number of training timesteps */
  const char *sampler; /* any name that sumi_sampler_find knows, and its schedule; the checkpoint's own, with its
                          schedule: see sumi_engine_info */
  /* `betas` is not looked at: the checkpoint says. It may also have a spacing and an offset of its own, which hold
   * unless they are given here. */
  sumi_schedule_options schedule;
  sumi_sampler_options sampler_options;
  double guidance; /* classifier-free guidance (Ho and Salimans 2022), any finite scale but 0; 7.5; 1 is none, at
                      half the work */
  double guidance_rescale; /* 0 to 1 (Lin et al. 2023); 0 */
  int clip_skip;           /* 1: the text encoder's last layer, 2 the one before, ... */
  sumi_emphasis emphasis;
  bool plain_prompt; /* no syntax in prompts at all */
  /* Image to image: (height, width, 3) in [0, 1], or NULL. Noise of the strength's level is put on it. */
  const float *init;
  double strength; /* how much of it is made anew, 0 to 1; 0.75, with a mask or a model that edits 1; negative for 0. Of
                      `steps` steps the last int(steps strength) are taken, as in diffusers, or one more, as in
                      AUTOMATIC1111, if the convention is k-diffusion's; none at 0: the picture is what the autoencoder
                      makes of it */
  /* Inpainting: (height, width), 1 where the picture is made anew, 0 where `init` stays; or NULL. Values are rounded.
   * Models with 9 input channels see the rest; for others the rest is put back after each step. */
  const float *mask;
  bool blend_denoised; /* put back into the predicted picture instead, as AUTOMATIC1111 does */
  /* For models that see depth, beside `init`: (height, width), greater where nearer, in any unit up to 1e30; or NULL.
   */
  const float *depth;
  /* Of models that edit: how strongly the picture guides, any finite scale; 1.5; negative for 0. Together with
   * `guidance` as in T. Brooks, A. Holynski and A. Efros 2023, equation 3; guidance 1 is none by either. */
  double image_guidance;
  sumi_precision precision;
  int64_t tile; /* side of the autoencoder's tiles in pixels, a multiple of the engine's `factor` from 64 to 16384; 0:
                   the whole picture at once */
  bool decodes_steps; /* `callback` calls sumi_session_decode in the middle of sampling, for which a limit then leaves
                         room beside the U-Net; its tiles are the job's */
  bool low_memory;    /* parts of the model are freed as soon as the job is done with them, as always with a limit */
  sumi_generation_callback callback; /* may be NULL */
  sumi_batch_callback batch_done;    /* as soon as a batch's pictures are there, so that they can be kept whatever comes
                                        after; may be NULL */
  void *user;                        /* of both */
} sumi_generation;

/* Makes pictures: (count, height, width, 3) floats in [0, 1] into `pictures`, and their latents (count, channels,
 * height / factor, width / factor), as the U-Net knows them, into `latents`; either may be NULL. What is done when the
 * job is cancelled or fails is whole batches from the beginning. With a callback `batch_done` pictures are made also
 * where `pictures` is NULL, so that a job of many needs memory for one batch alone.
 * Errors: INVALID (an option), NOT_FOUND (sampler, schedule), UNSUPPORTED (a model that needs more than this job
 * has), CANCELLED, NO_MEMORY. */
SUMI_API sumi_status sumi_session_generate(sumi_session *session, const sumi_generation *job, float *pictures,
                                           float *latents);

/* The note that AUTOMATIC1111 and others read under a picture's "parameters": how picture i of the job is made. Tiles
 * that a limit chose are those of the session's job at work, or of its last one. What the context says of Winograd's
 * algorithm, if that is not the default, and an instruction set below the processor's stand in it as well. Free with
 * sumi_text_free. Errors: INVALID (a prompt that is not UTF-8), NO_MEMORY. */
SUMI_API sumi_status sumi_session_note(sumi_session *session, const sumi_generation *job, int64_t i, char **out);

/* Makes the one picture of a job and writes it to a .png, .jpg, .jpeg or .webp file, with that note.
 * Errors: those of sumi_session_generate and of sumi_image_write; INVALID if the job's count is above 1. */
SUMI_API sumi_status sumi_session_draw(sumi_session *session, const sumi_generation *job, const char *path);

/* ---- Looking inside -------------------------------------------------------------------------------------------- */

/* Zero in a member stands for its default. */
typedef struct sumi_codec_options {
  sumi_precision precision;
  int64_t tile; /* as in sumi_generation */
  bool sample;  /* encode: draw from the posterior with torch's generator; else its mean */
  uint64_t seed;
} sumi_codec_options;

/* pictures (n, height, width, 3) in [0, 1] -> latents (n, channels, height / factor, width / factor), scaled as the
 * U-Net knows them; logvar of the same size may be NULL. Sides are multiples of the factor up to 16384, n 1 to 65536.
 * options may be NULL. Errors: INVALID, CANCELLED, NO_MEMORY. */
SUMI_API sumi_status sumi_session_encode(sumi_session *session, const float *pictures, int64_t n, int64_t height,
                                         int64_t width, const sumi_codec_options *options, float *latents,
                                         float *logvar);
/* latents (n, channels, height, width) -> pictures (n, height * factor, width * factor, 3), clamped to [0, 1].
 * Likewise. */
SUMI_API sumi_status sumi_session_decode(sumi_session *session, const float *latents, int64_t n, int64_t height,
                                         int64_t width, const sumi_codec_options *options, float *pictures);

/* A rough picture of latents as the U-Net knows them, at no cost: each pixel of the result, `pixels` of them (3 floats
 * in [0, 1]), is a linear function of one latent's channels, found by regression for Stable Diffusion 1.x (the numbers
 * are ComfyUI's, latent_formats.py). latents (channels, pixels); of more than 4 channels the first 4 count.
 * Thread-safe. */
SUMI_API void sumi_latent_preview(const float *latents, int64_t channels, int64_t pixels, float *picture);

/* What a text encoder has at three levels, each (tokens, text_width); any may be NULL. */
typedef struct sumi_text_embeddings {
  float *token;    /* rows of the vocabulary's table */
  float *position; /* with the positions' rows added: what the first layer sees */
  float *output;   /* of the layer that clip_skip chooses, normed: what the U-Net sees */
} sumi_text_embeddings;

/* Encodes one chunk of SUMI_CHUNK_TOKENS ids. Errors: INVALID (an id, clip_skip), NO_MEMORY. */
SUMI_API sumi_status sumi_session_embed(sumi_session *session, const int32_t *ids, int clip_skip,
                                        sumi_precision precision, const sumi_text_embeddings *out);

/* What training shows the U-Net: out = sqrt(abar) latents + sqrt(1 - abar) noise for a timestep of the checkpoint's
 * schedule; `count` values, 1 to 2^36, torch's noise of the seed. out may be latents.
 * Errors: INVALID (timestep, count), NO_MEMORY. */
SUMI_API sumi_status sumi_session_diffuse(sumi_session *session, const float *latents, int64_t count, double timestep,
                                          uint64_t seed, float *out);

/* One evaluation of the U-Net: latents (n, in_channels, height, width) as the network sees them, timesteps (n), context
 * (n, tokens, text_width) -> out (n, latent_channels, height, width), which is what the model predicts. n is 1 to 64,
 * a side 1 to 4096, tokens 1 to 65536. Errors: INVALID, NO_MEMORY. */
SUMI_API sumi_status sumi_session_unet(sumi_session *session, const float *latents, int64_t n, int64_t height,
                                       int64_t width, const double *timesteps, const float *context, int64_t tokens,
                                       sumi_precision precision, float *out);

#ifdef __cplusplus
}
#endif
#endif
