/* Noise levels for samplers of models with a DDPM's timesteps (Stable Diffusion).
 *
 *   sumi__ddpm_make(ctx, &options.betas, &ddpm);
 *   sumi__schedule_make(ctx, &ddpm, sampler, &options, steps, &schedule);
 *   x = noise * schedule.initial_scale                              (text to image)
 *   first = sumi__img2img_first(...); x = latents + noise * schedule.levels[first].sigma   (image to image)
 *   sumi__sample with schedule.process, .levels, .steps, .stride
 *   latents = x * sumi__state_scale(sampler, schedule.levels[schedule.steps].sigma) */
#ifndef SUMI_SRC_DIFFUSION_SCHEDULE_H
#define SUMI_SRC_DIFFUSION_SCHEDULE_H

#include "diffusion/sampler.h"

typedef struct sumi__schedule {
  sumi__process process;     /* of the ddpm that was given */
  int steps;                 /* as many as were asked for, or one more where a timestep is evaluated twice */
  int stride;                /* see sumi__sample_job */
  sumi__noise_level *levels; /* (steps + 1) */
  double initial_scale;      /* of the unit noise that text to image begins with */
} sumi__schedule;

/* Fills *out, to be freed with sumi__schedule_free, which also takes a zeroed one. `ddpm` must outlive it.
 * Errors: NOT_FOUND (the schedule), INVALID, NO_MEMORY. */
sumi_status sumi__schedule_make(sumi_context *ctx, const sumi__ddpm *ddpm, const sumi__sampler *sampler,
                                const sumi_schedule_options *options, int steps, sumi__schedule *out);
void sumi__schedule_free(sumi_context *ctx, sumi__schedule *schedule);

/* The step that image to image begins with, 0 to steps; strength within 0 and 1. With diffusers' rule
 * steps - int(steps * strength), of which nothing is left to do at strength 0; with k-diffusion's (AUTOMATIC1111)
 * steps - int(steps * min(strength, 0.999)) - 1, which takes one step at least. `steps` as asked for. */
int sumi__img2img_first(sumi_convention convention, int steps, double strength);

/* y = x + sigma noise for each of n values: the picture at a level. y may be x. */
void sumi__add_noise(double sigma, int64_t n, const float *x, const float *noise, float *y);

/* The quantile of the beta distribution of parameters (a, a) at p within 0 and 1; a > 0. */
double sumi__beta_quantile(double a, double p);

#endif
