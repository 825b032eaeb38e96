/* What a sampler is, and what it works with. A sampler is one file of samplers/: a step function and a description,
 * listed in samplers.def. The loop (sample.c) owns everything else: schedule, noise, history, masks, callbacks.
 *
 * All state is x = x0 + sigma n. Many references work with x / sqrt(1 + sigma^2) instead; their samplers say so
 * (`scaled`), and sumi__state_scale is the factor between the two. */
#ifndef SUMI_SRC_DIFFUSION_SAMPLER_H
#define SUMI_SRC_DIFFUSION_SAMPLER_H

#include "diffusion/denoiser.h"
#include "sumi/diffusion.h"

enum { SUMI__SAMPLER_MAX_SCRATCH = 4, SUMI__SAMPLER_MAX_HISTORY = 3 };

typedef struct sumi__sampling sumi__sampling;

/* Which timesteps the sampler's reference stops at, and how it reads their noise. */
typedef enum sumi__grid {
  SUMI__GRID_FINE,     /* steps timesteps, fractions between the table's entries allowed (Euler and its kin) */
  SUMI__GRID_TABLE,    /* steps whole timesteps (DDPM) */
  SUMI__GRID_STRIDE,   /* the same, but a step leads count / steps timesteps down, wherever the next one begins, and
                          after the last there is a level of its own (DDIM, PNDM) */
  SUMI__GRID_SOLVER,   /* steps + 1 whole timesteps without the last (DPM-Solver, UniPC, DEIS) */
  SUMI__GRID_DISTILLED /* out of every 20th timestep, as LCM and TCD were trained */
} sumi__grid;

/* What diffusers' and A1111's samplers of that name do about schedules (see schedule.c). */
typedef struct sumi__habits {
  sumi__grid grid;
  sumi_spacing spacing;  /* by default */
  bool scaled;           /* the reference's state is x / sqrt(1 + sigma^2), and begins as unit noise */
  bool ends_at_min;      /* its last level is that of timestep 0 */
  bool rounds_karras;    /* timesteps of the Karras schedule are rounded */
  bool twice_second;     /* the second timestep comes twice (PNDM) */
  bool drops_last;       /* k-diffusion convention: the last level before zero is left out */
  const char *preferred; /* k-diffusion convention: the schedule by default; NULL: "normal" */
} sumi__habits;

typedef struct sumi__sampler {
  sumi_sampler_info info;
  int scratch; /* buffers of (count, size) floats that a step works in; they last as long as the sampling */
  int history; /* how many earlier steps' predictions it reads */
  sumi__habits habits;
  /* Takes s->x from s->now to s->next. One that chooses its own steps takes one towards s->next and sets s->done when
   * it is there. Must have the clean picture predicted last in s->x0, which sumi__score_at and the like see to. */
  sumi_status (*step)(sumi__sampling *s);
  /* State of its own in s->state; both may be NULL. end is called also when begin or a step has failed. */
  sumi_status (*begin)(sumi__sampling *s);
  void (*end)(sumi__sampling *s);
} sumi__sampler;

/* A past prediction. */
typedef struct sumi__past {
  sumi__noise_level level;
  float *x0; /* or what the sampler wanted remembered instead */
} sumi__past;

struct sumi__sampling {
  sumi_context *ctx;
  const struct sumi__sample_job *job;
  int64_t count, size; /* samples, values of each */
  float *x;            /* (count, size): the state */
  float *x0;           /* (count, size): as predicted last */
  int step;            /* of the whole schedule: job->first for the first */
  sumi__noise_level now, next;
  bool done;      /* there is no further step */
  int past_count; /* at most the declared history; the latest first */
  sumi__past past[SUMI__SAMPLER_MAX_HISTORY];
  const float *memory; /* what `past` keeps of this step: s->x0 if the step does not say; NULL: nothing */
  float *scratch[SUMI__SAMPLER_MAX_SCRATCH]; /* as many as declared */
  void *state;                               /* the sampler's own */
  float *work;
  float *masked;             /* NULL without a mask */
  sumi__noise_level *levels; /* `count` of them */
  int evaluations;           /* of the network, for each sample */
};

/* One evaluation of the network at a level: score (count, size), and s->x0. */
sumi_status sumi__score_at(sumi__sampling *s, const float *x, sumi__noise_level level, float *score);
/* The same with a level for each sample. */
sumi_status sumi__score_each(sumi__sampling *s, const float *x, const sumi__noise_level *levels, float *score);
/* The clean picture alone, into s->x0. */
sumi_status sumi__denoise_at(sumi__sampling *s, const float *x, sumi__noise_level level);

/* A point between steps as the network shall see it: x, or with a mask of diffusers' kind a copy with the known part
 * replaced, for a sampler that needs the very point; sumi__score_at does the same by itself. */
const float *sumi__shown(sumi__sampling *s, const float *x, double sigma);

/* Standard normal noise, (count, size). */
void sumi__sampling_noise(sumi__sampling *s, float *out);

/* An option, or what it is by default: eta (0: `otherwise`, below 0: 0), s_noise. */
double sumi__eta(const sumi__sampling *s, double otherwise);
double sumi__s_noise(const sumi__sampling *s);
/* options.order within 1 and most, `otherwise` if it is 0. */
int sumi__order(const sumi__sampling *s, int otherwise, int most);
/* Whether this is the step with `steps_to_end` to go where job->lower_order_final asks for a lower order. */
bool sumi__lower_order(const sumi__sampling *s, int steps_to_end);

/* The ancestral split of a step from sigma to sigma_next: deterministic down to *down, then noise of *up. */
void sumi__ancestral_split(double sigma, double sigma_next, double eta, double *down, double *up);

/* ---- Steps that samplers share ---- */

/* y = the Euler step of n values from sigma to sigma_next with the predicted picture x0. y may be x. */
void sumi__euler_step(float *y, const float *x, const float *x0, double sigma, double sigma_next, int64_t n);

/* Puts the options' churn on s->x; the level it then has. `noise` (count, size) is overwritten. */
sumi__noise_level sumi__churn(sumi__sampling *s, float *noise);

/* out = the slope of the probability flow in sigma at a point x of that level, (x - s->x0) / sigma. */
void sumi__slope(const sumi__sampling *s, const float *x, double sigma, float *out);

/* s->x = keep s->x + weights[0] present + weights[j] s->past[j - 1], up to `order` weights in all. */
void sumi__multistep(sumi__sampling *s, double keep, const float *present, const double *weights, int order);

/* Puts noise of that deviation, times s_noise, on s->x. `noise` (count, size) becomes what was drawn. */
void sumi__add_fresh_noise(sumi__sampling *s, double deviation, float *noise);

/* The same with standard deviation `up`; draws none where it is 0. */
void sumi__ancestral_noise(sumi__sampling *s, double up, float *noise);

/* A whole step with one evaluation: Euler's down, noise up. Takes scratch 0. */
sumi_status sumi__ancestral_euler_step(sumi__sampling *s, double eta);

/* A step of s->x from level `from` to sigma `to` with two evaluations, one if that is 0. Takes scratch 0. */
sumi_status sumi__midpoint_step(sumi__sampling *s, sumi__noise_level from, double to);

/* Puts the noise of a step of the reverse SDE on s->x: its standard deviation is s->next.sigma sqrt(1 - e^(-2 eta_h)),
 * with eta times the step in -log sigma. */
void sumi__sde_noise(sumi__sampling *s, double eta_h, float *noise);

/* The Euler-Maruyama step, which other samplers have as a part; `score` (count, size) is the score at s->now, and
 * becomes the noise. */
void sumi__reverse_sde_step(sumi__sampling *s, float *score);

#define SUMI_SAMPLER(name) extern const sumi__sampler sumi__sampler_##name;
#include "diffusion/samplers.def"
#undef SUMI_SAMPLER

/* The sampler of that name (NULL: the first of the list), or NULL. Any name that sumi_sampler_find takes. */
const sumi__sampler *sumi__sampler_find(const char *name);

/* ---- The loop ---- */

/* Part of a picture that is known, for inpainting. */
typedef struct sumi__mask {
  const float *mask;  /* (count, size): 1 where the picture is made, 0 where it is known */
  const float *known; /* (count, size): the known picture, clean */
  const float *noise; /* (count, size): the unit noise that the sampling began with */
  /* False, as diffusers does for models of 4 channels: after each step, and in points between steps that the network
   * is shown, the known part is replaced by the known picture with `noise` of that level. True, as AUTOMATIC1111 does:
   * the known part of each predicted picture is replaced by the known picture. */
  bool blend_denoised;
} sumi__mask;

typedef struct sumi__sample_job {
  const sumi__sampler *sampler;
  const sumi__denoiser *denoiser;
  const sumi__process *process;
  int steps;
  const sumi__noise_level *levels; /* steps + 1; a sampler that chooses its own steps reads the first and last */
  int first;                       /* the step to begin with; above 0 for image to image */
  int stride;                      /* above 0: each step leads so far down from its level's t (SUMI__GRID_STRIDE) */
  int64_t count, size;
  double snr;       /* see sumi_sample_options */
  double tolerance; /* relative and absolute */
  sumi_sampler_options options;
  bool lower_order_final; /* multistep solvers do not look back in the last of fewer than 15 steps, as in diffusers */
  const sumi__mask *mask; /* may be NULL */
  void (*noise)(void *user, float *out);
  void *noise_user;
  /* Before each evaluation of the network, with s->step, s->evaluations so far, and the level it will see: the place
   * to change what the network is conditioned on. False stops. May be NULL. */
  bool (*prepare)(void *user, const sumi__sampling *s, sumi__noise_level level);
  void *prepare_user;
  /* Before the first step (s->step == first, s->x0 not yet predicted) and after each (s->step the number of steps
   * done, s->now the level reached). False stops. May be NULL. */
  bool (*report)(void *user, const sumi__sampling *s);
  void *report_user;
} sumi__sample_job;

/* Samples: x (count, size) is a picture with noise of levels[first] at first, and the result at last, which may have
 * to be scaled (sumi__state_scale). *evaluations, unless NULL: of the network, for the average sample.
 * Errors: INVALID (an option), CANCELLED, NO_MEMORY, those of the network and the sampler. */
sumi_status sumi__sample(sumi_context *ctx, const sumi__sample_job *job, float *x, double *evaluations);

/* What the reference's state, and its result, is of this loop's at a level: 1 / sqrt(1 + sigma^2) if it is scaled. */
double sumi__state_scale(const sumi__sampler *sampler, double sigma);

#endif
