/* Latent consistency models (S. Luo et al. 2023, algorithm 3; diffusers' LCMScheduler): for networks that were
 * distilled to predict the picture at once. Each step makes the picture, and puts the noise of the next level on it.
 *
 * The picture is c_out x0 + c_skip x with weights that lead to x at time 0 (Y. Song et al. 2023); from timestep 20 on
 * c_skip is below 1e-5. */
#include "diffusion/sampler.h"

#include <math.h>

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  const int64_t n = s->count * s->size;
  const double data = 0.5, t = 10.0 * s->now.t, all = t * t + data * data;
  const double scaled = 1.0 / sqrt(1.0 + s->now.sigma * s->now.sigma);
  const float skip = (float)(scaled * data * data / all), out = (float)(t / sqrt(all));
  for (int64_t i = 0; i < n; i++) s->x[i] = out * s->x0[i] + skip * s->x[i];
  sumi__ancestral_noise(s, s->next.sigma, s->scratch[0]);
  return SUMI_OK;
}

static const char *const aliases[] = {"LCM", NULL};

const sumi__sampler sumi__sampler_lcm = {
    .info = {.name = "lcm",
             .title = "for latent consistency models (Luo et al. 2023)",
             .default_steps = 8,
             .evaluations = 1,
             .random = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .habits = {.grid = SUMI__GRID_DISTILLED, .scaled = true},
    .step = step,
};
