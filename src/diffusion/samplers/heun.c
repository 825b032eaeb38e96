/* Heun's method of second order on the probability-flow ODE (T. Karras et al. 2022, algorithm 2; k-diffusion's
 * sample_heun; diffusers' HeunDiscreteScheduler): Euler's step, then again with the mean of the slopes at both ends.
 * A step to sigma = 0 is Euler's. */
#include "diffusion/sampler.h"

static sumi_status step(sumi__sampling *s) {
  sumi_status status = SUMI_OK;
  const int64_t n = s->count * s->size;
  float *slope = s->scratch[0], *x = s->scratch[1];
  const sumi__noise_level hat = sumi__churn(s, slope), next = s->next;
  const float dt = (float)(next.sigma - hat.sigma);
  SUMI_TRY(sumi__denoise_at(s, s->x, hat));
  sumi__slope(s, s->x, hat.sigma, slope);
  if (next.sigma == 0.0) {
    for (int64_t i = 0; i < n; i++) s->x[i] += dt * slope[i];
    goto done;
  }
  for (int64_t i = 0; i < n; i++) x[i] = s->x[i] + dt * slope[i];
  const float *at = sumi__shown(s, x, next.sigma);
  SUMI_TRY(sumi__denoise_at(s, at, next));
  sumi__slope(s, at, next.sigma, x);
  for (int64_t i = 0; i < n; i++) s->x[i] += 0.5f * dt * (slope[i] + x[i]);
done:
  return status;
}

static const char *const aliases[] = {"Heun", "HeunDiscrete", NULL};

const sumi__sampler sumi__sampler_heun = {
    .info = {.name = "heun",
             .title = "Heun's method of second order on the probability-flow ODE (Karras et al. 2022)",
             .default_steps = 30,
             .evaluations = 2,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 2,
    .habits = {.grid = SUMI__GRID_FINE, .spacing = SUMI_SPACING_LINSPACE},
    .step = step,
};
