/* The midpoint method on the probability-flow ODE, the midpoint taken in log sigma (DPM-Solver-2 of C. Lu et al. 2022
 * in the frame of T. Karras et al. 2022; k-diffusion's sample_dpm_2; diffusers' KDPM2DiscreteScheduler). A step to
 * sigma = 0 is Euler's. */
#include "diffusion/sampler.h"

#include <math.h>

sumi_status sumi__midpoint_step(sumi__sampling *s, sumi__noise_level from, double to) {
  sumi_status status = SUMI_OK;
  const int64_t n = s->count * s->size;
  float *x = s->scratch[0];
  SUMI_TRY(sumi__denoise_at(s, s->x, from));
  if (to == 0.0) {
    sumi__euler_step(s->x, s->x, s->x0, from.sigma, to, n);
    goto done;
  }
  const sumi__noise_level middle = s->job->process->at_sigma(s->job->process, sqrt(from.sigma * to));
  sumi__euler_step(x, s->x, s->x0, from.sigma, middle.sigma, n);
  /* With the noise of the step's end, though the network is told the middle: so it is in diffusers (PITFALLS.md). */
  const float *at = sumi__shown(s, x, s->next.sigma);
  SUMI_TRY(sumi__denoise_at(s, at, middle));
  const float dt = (float)(to - from.sigma);
  sumi__slope(s, at, middle.sigma, x);
  for (int64_t i = 0; i < n; i++) s->x[i] += dt * x[i];
done:
  return status;
}

static sumi_status step(sumi__sampling *s) {
  const sumi__noise_level hat = sumi__churn(s, s->scratch[0]);
  return sumi__midpoint_step(s, hat, s->next.sigma);
}

static const char *const aliases[] = {"DPM2", "dpm 2", "KDPM2Discrete", NULL};

const sumi__sampler sumi__sampler_dpm2 = {
    .info = {.name = "dpm2",
             .title = "the midpoint method in log sigma (k-diffusion, after DPM-Solver-2)",
             .default_steps = 30,
             .evaluations = 2,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .habits = {.grid = SUMI__GRID_FINE,
               .spacing = SUMI_SPACING_LINSPACE,
               .rounds_karras = true,
               .drops_last = true,
               .preferred = "karras"},
    .step = step,
};
