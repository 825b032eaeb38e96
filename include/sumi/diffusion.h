/* sumi/diffusion.h: open a trained model, draw pictures with it, judge them.
 *
 *   sumi_digits *model = NULL;                                       // error handling left out
 *   sumi_digits_open(ctx, "models/digits", &model);
 *   int64_t labels[] = {4, 2};
 *   float pictures[2 * 28 * 28];
 *   sumi_sample_options options = {.count = 2, .labels = labels, .seed = 7};
 *   sumi_digits_sample(model, &options, pictures);                   // grey values, 0 black to 1 white
 *   sumi_digits_close(model);
 *
 * What is opened with a context is used by one thread at a time, like the context. */
#ifndef SUMI_DIFFUSION_H
#define SUMI_DIFFUSION_H

#include "sumi/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Samplers ------------------------------------------------------------------------------------------------ */

typedef struct sumi_sampler_info {
  const char *name;  /* as options and command lines spell it: "euler-maruyama" */
  const char *title; /* one line for people, with its source */
  int default_steps; /* 0: it chooses its own steps */
  int evaluations;   /* of the network in a step; 0: as many as the tolerance asks for */
  bool random;       /* draws noise after the first, so that two runs differ with the seed even from one start */
  bool digits;       /* works with models of a continuous time, such as sumi_digits */
  bool latent;       /* works with Stable Diffusion: models of a DDPM's discrete schedule */
  const char *const *aliases; /* other tools' names for it, NULL after the last */
} sumi_sampler_info;

/* The samplers, in the order in which lists show them; NULL from sumi_sampler_count() on. Thread-safe. */
SUMI_API size_t sumi_sampler_count(void);
SUMI_API const sumi_sampler_info *sumi_sampler_at(size_t i);

/* A schedule says at which noise levels a sampler stops. */
typedef struct sumi_schedule_info {
  const char *name;           /* "karras" */
  const char *title;          /* one line for people, with its source */
  const char *const *aliases; /* other tools' names for it, NULL after the last */
} sumi_schedule_info;

/* As for samplers; the first is the default. */
SUMI_API size_t sumi_schedule_count(void);
SUMI_API const sumi_schedule_info *sumi_schedule_at(size_t i);

/* A sampler by its name or by any that other tools have for it: AUTOMATIC1111's ("DPM++ 2M Karras"), k-diffusion's
 * ("sample_dpmpp_2m"), diffusers' classes ("EulerAncestralDiscreteScheduler"). Case, spaces, `-` and `_` do not count.
 * Where the name says a schedule as well, *schedule becomes that, else NULL; schedule itself may be NULL.
 * NULL if nothing has the name. Thread-safe. */
SUMI_API const sumi_sampler_info *sumi_sampler_find(const char *name, const sumi_schedule_info **schedule);
/* A schedule likewise. */
SUMI_API const sumi_schedule_info *sumi_schedule_find(const char *name);

/* ---- Noise schedules of Stable Diffusion ------------------------------------------------------------------------ */

/* Where tools that go by the same names differ, whose numbers to give. DIFFUSERS: each sampler stops at the timesteps
 * of its class in diffusers, which rounds some of them. KDIFFUSION: continuous timesteps over the whole range, as in
 * k-diffusion and AUTOMATIC1111, whose preferred schedule each sampler then has by default; noise of sigma_max to
 * begin with; DPM2, DPM2 ancestral and DPM++ 3M SDE leave the last level before zero out. */
typedef enum sumi_convention { SUMI_CONVENTION_DIFFUSERS, SUMI_CONVENTION_KDIFFUSION } sumi_convention;

/* Which Stable Diffusion a checkpoint is of: its text encoder, and what its U-Net's shapes do not tell. */
typedef enum sumi_family { SUMI_FAMILY_AUTO, SUMI_FAMILY_SD1, SUMI_FAMILY_SD2 } sumi_family;

/* How a training's betas lie between beta_start and beta_end: SCALED_LINEAR evenly in their roots ("linear" in the
 * latent diffusion code), LINEAR evenly, COSINE by Nichol and Dhariwal (2021) whatever the two are. */
typedef enum sumi_beta_schedule { SUMI_BETAS_SCALED_LINEAR, SUMI_BETAS_LINEAR, SUMI_BETAS_COSINE } sumi_beta_schedule;

/* What a model was trained with, as in scheduler_config.json. Zero in a member stands for Stable Diffusion's value. */
typedef struct sumi_betas {
  sumi_beta_schedule schedule;
  double start, end; /* 0.00085 and 0.012; 0 < start <= end < 1 */
  int count;         /* 1000 timesteps; 2 to 100000 */
  bool zero_snr;     /* rescale them so that nothing of the picture is left at the last timestep (Lin et al. 2023);
                        for models that predict v */
} sumi_betas;

/* What a network was trained to predict: the noise, v (Salimans and Ho 2022), or the clean picture. */
typedef enum sumi_prediction {
  SUMI_PREDICTION_AUTO, /* what the checkpoint says */
  SUMI_PREDICTION_EPS,
  SUMI_PREDICTION_V,
  SUMI_PREDICTION_X0
} sumi_prediction;

/* Which timesteps a number of steps stops at (Lin et al. 2023, table 2). LEADING: multiples of count / steps, plus
 * steps_offset; the last timestep is never seen. TRAILING: the last one and back from it. LINSPACE: the last, the first
 * and evenly between. */
typedef enum sumi_spacing {
  SUMI_SPACING_DEFAULT, /* the sampler's own in diffusers */
  SUMI_SPACING_LEADING,
  SUMI_SPACING_TRAILING,
  SUMI_SPACING_LINSPACE
} sumi_spacing;

/* The level after the last step: no noise, or that of timestep 0 (for DDIM, PNDM: set_alpha_to_one = False). */
typedef enum sumi_final_level { SUMI_FINAL_DEFAULT, SUMI_FINAL_ZERO, SUMI_FINAL_MIN } sumi_final_level;

/* Zero in a member stands for its default. */
typedef struct sumi_schedule_options {
  const char *schedule;       /* NULL: "normal", or with KDIFFUSION the sampler's preferred one */
  sumi_convention convention; /* DIFFUSERS */
  sumi_betas betas;
  sumi_spacing spacing;        /* of the schedule "normal" */
  int steps_offset;            /* of LEADING; 1 by default, as Stable Diffusion's files say; -1 for 0 */
  sumi_final_level final;      /* the sampler's own: MIN for ddim, pndm, deis and tcd, ZERO for the others */
  double sigma_min, sigma_max; /* the ends of schedules other than "normal"; those of the timesteps */
  double rho;                  /* of "karras"; 7 */
} sumi_schedule_options;

/* The noise levels that `steps` steps of a sampler (any of its names; NULL: "euler") stop at: sigma (standard deviation
 * of the noise on an unscaled picture; sqrt((1 - abar) / abar) for a DDPM's abar) and the timestep that the network is
 * told, falling. Both have room for steps + 2; *count, at most that, becomes the number of levels, the final one
 * included. pndm evaluates one timestep twice, so that it has one level more than others.
 * Errors: NOT_FOUND (sampler, schedule), INVALID (steps not 1 to the number of timesteps, or another option; a
 * sampler that cannot have the schedule), NO_MEMORY. */
SUMI_API sumi_status sumi_schedule_levels(sumi_context *ctx, const char *sampler, const sumi_schedule_options *options,
                                          int steps, double *sigmas, double *timesteps, int *count);

/* A sampler's parameters; each reads those that it has. Zero in a member stands for its default. */
typedef struct sumi_sampler_options {
  double eta; /* noise of euler-maruyama and predictor-corrector (its variance), ancestral and SDE samplers, ddim and
                 tcd, relative to that of the exact reverse process: 1 for the former, 0 for ddim, 0.3 for tcd; negative
                 for 0 */
  double s_noise; /* factor on all noise that is added on the way; 1; negative for 0 */
  double s_churn; /* noise put on before a step of euler, heun and dpm2 (Karras et al. 2022, algorithm 2); none */
  double s_tmin, s_tmax; /* sigmas between which there is churn; 0 and infinity */
  int order;             /* of multistep solvers: lms 1 to 4 (4); unipc, deis 1 to 3 (2) */
} sumi_sampler_options;

/* ---- Drawing digits -------------------------------------------------------------------------------------------- */

/* A score network of the MNIST tutorial, loaded. */
typedef struct sumi_digits sumi_digits;

typedef struct sumi_digits_info {
  const char *variant;   /* "concat", "add", "attention"; static */
  int64_t classes;       /* labels are 0 to classes - 1; 0: the model is not conditional */
  int64_t height, width; /* of a picture: 28, 28 */
  int64_t parameters;    /* trained numbers */
  double sigma;          /* of the process dx = sigma^t dw */
  double guidance;       /* what sampling uses unless it is told; 0: the model knows no picture without a label */
} sumi_digits_info;

/* Opens a model folder: model_index.json, unet/config.json, unet/diffusion_pytorch_model.safetensors,
 * scheduler/scheduler_config.json. Free with sumi_digits_close.
 * Errors: NOT_FOUND, IO, FORMAT (a damaged file), MISMATCH (weights of another network), INVALID (a value of a config
 * out of range), NO_MEMORY. Each names the file. */
SUMI_API sumi_status sumi_digits_open(sumi_context *ctx, const char *folder, sumi_digits **out);
/* NULL is allowed. */
SUMI_API void sumi_digits_close(sumi_digits *model);
SUMI_API sumi_digits_info sumi_digits_describe(const sumi_digits *model);

/* What a callback sees after each step, lent until it returns. Pictures are worked on in batches, one after another:
 * this one has `count` pictures beginning with picture `first` of the job. */
typedef struct sumi_sample_progress {
  int step;  /* of this batch, 1 for the first; 0 is the starting noise, before any step */
  int total; /* steps of a batch; 0 while the sampler cannot know */
  double t;  /* of the process, from 1 (noise) down; where pictures differ, of the one that is furthest from its end */
  double fraction; /* of the whole job that is done, 0 to 1 */
  int64_t first, count;
  const float *x;  /* (count, height, width): the state, a picture plus noise */
  const float *x0; /* (count, height, width): the clean picture predicted at this step; NULL at step 0 */
} sumi_sample_progress;

/* Returns false to stop: the job ends with SUMI_CANCELLED. */
typedef bool (*sumi_sample_callback)(void *user, const sumi_sample_progress *progress);

/* Zero in a member stands for its default. */
typedef struct sumi_sample_options {
  int64_t count;         /* pictures, 1 to 2^24; no default */
  const int64_t *labels; /* `count` of them; needed if and only if the model is conditional */
  const char *sampler;   /* NULL: "euler-maruyama" */
  int steps;             /* 1 to 100000; the sampler's own default; ignored by one that chooses its own */
  uint64_t seed;         /* picture i draws all its noise from torch's CPU generator with seed + i, so it does not
                            depend (but for rounding) on the pictures beside it */
  double guidance;       /* of a model that was trained for it: s = s_none + guidance (s_label - s_none), at twice the
                            work; above 0, 1 is none; the model's own (Ho and Salimans 2022, arXiv:2207.12598) */
  double eta;            /* of samplers that draw noise: how much; see sumi_sampler_options */
  double snr;            /* of the predictor-corrector's Langevin step; 0.16 */
  double tolerance;      /* relative and absolute, of the adaptive ODE solver; 1e-5 */
  double t_end;          /* where sampling ends, above 0 and below 1; 0.001 */
  sumi_dtype compute;    /* SUMI_F32 (0), or SUMI_BF16 */
  int64_t batch;         /* pictures worked on at once; 128 */
  sumi_sample_callback callback; /* may be NULL */
  void *user;
} sumi_sample_options;

/* Draws pictures: (count, height, width) floats into `pictures`, about 0 (black) to 1 (white) but not clamped.
 * The first call for a batch size and compute type compiles a program, which later ones reuse.
 * Errors: INVALID (an option), NOT_FOUND (the sampler), CANCELLED, NO_MEMORY. */
SUMI_API sumi_status sumi_digits_sample(sumi_digits *model, const sumi_sample_options *options, float *pictures);

/* Evaluations of the network by the last sumi_digits_sample, for the average picture; a guided step has two. */
SUMI_API double sumi_digits_evaluations(const sumi_digits *model);

/* ---- Judging digits -------------------------------------------------------------------------------------------- */

/* A digit classifier, loaded. */
typedef struct sumi_judge sumi_judge;

typedef struct sumi_judge_info {
  int64_t classes, features; /* the width of the last hidden layer */
  int64_t height, width;     /* of a picture: 28, 28 */
  int64_t parameters;        /* trained numbers */
} sumi_judge_info;

/* Opens a folder with config.json and model.safetensors, or one that has these in a folder `classifier`.
 * Free with sumi_judge_close. Errors as for sumi_digits_open. */
SUMI_API sumi_status sumi_judge_open(sumi_context *ctx, const char *folder, sumi_judge **out);
/* NULL is allowed. */
SUMI_API void sumi_judge_close(sumi_judge *judge);
SUMI_API sumi_judge_info sumi_judge_describe(const sumi_judge *judge);

/* Classifies pictures (count, height, width), which are clamped to [0, 1] first. Results go into those of labels
 * (count), probabilities (count, classes) and features (count, features) that are not NULL.
 * Errors: INVALID (count below 1), NO_MEMORY. */
SUMI_API sumi_status sumi_judge_classify(sumi_judge *judge, int64_t count, const float *pictures, int64_t *labels,
                                         float *probabilities, float *features);

/* ---- Diffusion in one dimension, for demonstrations ------------------------------------------------------------- */

/* A mixture of normal distributions on the line, diffused by Brownian motion: x(t) = x(0) + w(t), so that at time t
 * each component has the variance std^2 + t and the score is known exactly. */
typedef struct sumi_demo_1d {
  int components;                       /* 1 to 16 */
  const double *weights, *means, *stds; /* `components` of each; weights above 0 (they need not sum to 1), stds >= 0 */
  double duration; /* T, above 0: x(T) is taken for N(mean of the mixture, T + its variance) where time runs back */
  int steps;       /* 1 to 10^6, each of T / steps */
  int64_t count;   /* trajectories, 1 to 10^6 */
  uint64_t seed;
} sumi_demo_1d;

/* Forward: begins with samples of the mixture, x += sqrt(dt) z. Fills x with (count, steps + 1) values, x[i][k] at
 * time k T / steps. Errors: INVALID, NO_MEMORY. */
SUMI_API sumi_status sumi_demo_1d_forward(sumi_context *ctx, const sumi_demo_1d *demo, float *x);

/* Reverse: begins with noise at time T, x += score(x, t) dt + sqrt(dt) z, the last step without its noise. Fills x
 * with (count, steps + 1) values, x[i][k] at time T - k T / steps. Errors: INVALID, NO_MEMORY. */
SUMI_API sumi_status sumi_demo_1d_reverse(sumi_context *ctx, const sumi_demo_1d *demo, float *x);

/* The density of x(t) and its score d log p / dx; either may be NULL. t >= 0, and above 0 where a std is 0. */
SUMI_API void sumi_demo_1d_density(const sumi_demo_1d *demo, double t, double x, double *density, double *score);

#ifdef __cplusplus
}
#endif
#endif
