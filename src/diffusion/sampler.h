/* What a sampler is, and what it works with. A sampler is one file of samplers/: a step function and a description,
 * listed in samplers.def. The loop (sample.c) owns everything else: schedule, noise, history, callbacks. */
#ifndef SUMI_SRC_DIFFUSION_SAMPLER_H
#define SUMI_SRC_DIFFUSION_SAMPLER_H

#include "diffusion/denoiser.h"
#include "sumi/diffusion.h"

enum { SUMI__SAMPLER_MAX_SCRATCH = 4, SUMI__SAMPLER_MAX_HISTORY = 3 };

typedef struct sumi__sampling sumi__sampling;

typedef struct sumi__sampler {
  sumi_sampler_info info;
  int scratch; /* buffers of (count, size) floats that a step works in */
  int history; /* how many earlier steps' predictions it reads */
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
  float *x0;
} sumi__past;

struct sumi__sampling {
  sumi_context *ctx;
  const struct sumi__sample_job *job;
  int64_t count, size; /* samples, values of each */
  float *x;            /* (count, size): the state */
  float *x0;           /* (count, size): as predicted last */
  int step;            /* 0 for the first */
  sumi__noise_level now, next;
  bool done;      /* there is no further step */
  int past_count; /* at most the declared history; the latest first */
  sumi__past past[SUMI__SAMPLER_MAX_HISTORY];
  float *scratch[SUMI__SAMPLER_MAX_SCRATCH]; /* as many as declared */
  void *state;                               /* the sampler's own */
  float *work;
  sumi__noise_level *levels; /* `count` of them */
  int64_t evaluations;       /* of the network, for each sample */
};

/* One evaluation of the network at a level: score (count, size), and s->x0. */
sumi_status sumi__score_at(sumi__sampling *s, const float *x, sumi__noise_level level, float *score);
/* The same with a level for each sample. */
sumi_status sumi__score_each(sumi__sampling *s, const float *x, const sumi__noise_level *levels, float *score);
/* The clean picture alone, into s->x0. */
sumi_status sumi__denoise_at(sumi__sampling *s, const float *x, sumi__noise_level level);

/* Standard normal noise, (count, size). */
void sumi__sampling_noise(sumi__sampling *s, float *out);

/* The Euler-Maruyama step, which other samplers have as a part; `score` (count, size) is the score at s->now, and
 * becomes the noise. */
void sumi__reverse_sde_step(sumi__sampling *s, float *score);

#define SUMI_SAMPLER(name) extern const sumi__sampler sumi__sampler_##name;
#include "diffusion/samplers.def"
#undef SUMI_SAMPLER

/* The sampler of that name (NULL: the first of the list), or NULL. */
const sumi__sampler *sumi__sampler_find(const char *name);

/* ---- The loop ---- */

typedef struct sumi__sample_job {
  const sumi__sampler *sampler;
  const sumi__denoiser *denoiser;
  const sumi__process *process;
  int steps;
  const sumi__noise_level *levels; /* steps + 1; a sampler that chooses its own steps reads the first and last */
  int64_t count, size;
  double snr;       /* see sumi_sample_options */
  double tolerance; /* relative and absolute */
  void (*noise)(void *user, float *out);
  void *noise_user;
  /* Before the first step (s->step 0, s->x0 not yet predicted) and after each (s->step the number of steps done).
   * False stops. May be NULL. */
  bool (*report)(void *user, const sumi__sampling *s);
  void *report_user;
} sumi__sample_job;

/* Samples: x (count, size) is noise of the first level's sigma at first, and the result at last. *evaluations, unless
 * NULL: of the network, for the average sample. Errors: CANCELLED, NO_MEMORY, those of the network and the sampler. */
sumi_status sumi__sample(sumi_context *ctx, const sumi__sample_job *job, float *x, double *evaluations);

#endif
