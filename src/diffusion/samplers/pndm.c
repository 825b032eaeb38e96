/* Pseudo linear multistep (L. Liu et al., "Pseudo numerical methods for diffusion models on manifolds", ICLR 2022),
 * without Runge-Kutta steps at the beginning: PLMS of the latent diffusion code and diffusers' PNDMScheduler with
 * skip_prk_steps, which is what Stable Diffusion's files ask for.
 *
 * The network's outputs, v or eps, are extrapolated by Adams-Bashforth's weights for steps of one length, and the
 * result is taken as DDIM would. The first step is taken twice: after Euler's the network is asked again at the second
 * timestep, and the step taken once more with the mean of the two. The schedule therefore has that timestep twice. */
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

/* The weights of the present output and of those before it, by how many there are before. */
static const double weights[4][4] = {
    {1.0}, {3.0 / 2, -1.0 / 2}, {23.0 / 12, -16.0 / 12, 5.0 / 12}, {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}};

/* DDIM's step with the output `f`, which becomes the predicted picture; x is that of level `from`, and scratch. */
static void take(sumi__sampling *s, const float *x, sumi__noise_level from, float *f) {
  const int64_t n = s->count * s->size;
  sumi__denoiser_apply(s->job->denoiser->prediction, from.sigma, n, x, f, f);
  sumi__euler_step(s->x, x, f, from.sigma, s->next.sigma, n);
}

/* The state of the first step stays in scratch 1, scaled as the reference's; its output is past[0]. */
static sumi_status repeat_first(sumi__sampling *s) {
  const int64_t n = s->count * s->size;
  float *f = s->scratch[0], *first = s->scratch[1];
  const sumi__process *process = s->job->process;
  const sumi__noise_level from = process->level(process, s->now.t + s->job->stride);
  const float scale = (float)sqrt(1.0 + from.sigma * from.sigma);
  for (int64_t i = 0; i < n; i++) {
    f[i] = 0.5f * (f[i] + s->past[0].x0[i]);
    first[i] *= scale;
  }
  s->next = s->now;
  take(s, first, from, f);
  s->memory = NULL;
  return SUMI_OK;
}

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  const int64_t n = s->count * s->size;
  const int taken = s->step - s->job->first;
  float *f = s->scratch[0];
  sumi__denoiser_output(s->job->denoiser->prediction, s->now.sigma, n, s->x, s->x0, f);
  if (taken == 1) return repeat_first(s);
  if (taken == 0) {
    const float scale = (float)(1.0 / sqrt(1.0 + s->now.sigma * s->now.sigma));
    for (int64_t i = 0; i < n; i++) s->scratch[1][i] = scale * s->x[i];
  }
  const double *w = weights[s->past_count];
  float *mean = s->scratch[2];
  for (int64_t i = 0; i < n; i++) mean[i] = (float)w[0] * f[i];
  for (int j = 0; j < s->past_count; j++)
    for (int64_t i = 0; i < n; i++) mean[i] += (float)w[j + 1] * s->past[j].x0[i];
  take(s, s->x, s->now, mean);
  s->memory = f;
  return SUMI_OK;
}

static const char *const aliases[] = {"PLMS", "PNDM", NULL};

const sumi__sampler sumi__sampler_pndm = {
    .info = {.name = "pndm",
             .title = "pseudo linear multistep, PLMS (Liu et al. 2022)",
             .default_steps = 50,
             .evaluations = 1,
             .latent = true,
             .aliases = aliases},
    .scratch = 3,
    .history = 3,
    .habits = {.grid = SUMI__GRID_STRIDE,
               .spacing = SUMI_SPACING_LEADING,
               .scaled = true,
               .ends_at_min = true,
               .twice_second = true},
    .step = step,
};
