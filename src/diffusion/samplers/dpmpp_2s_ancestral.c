/* DPM-Solver++(2S) (C. Lu et al. 2022, algorithm 1) with fresh noise in each step (k-diffusion's
 * sample_dpmpp_2s_ancestral): a second evaluation half way in log sigma, whose predicted picture is that of the whole
 * step. A step to sigma = 0 is Euler's. */
#include "diffusion/sampler.h"

#include <math.h>

static sumi_status step(sumi__sampling *s) {
  sumi_status status = SUMI_OK;
  const int64_t n = s->count * s->size;
  double down, up;
  sumi__ancestral_split(s->now.sigma, s->next.sigma, sumi__eta(s, 1.0), &down, &up);
  SUMI_TRY(sumi__denoise_at(s, s->x, s->now));
  if (down > 0.0) {
    const sumi__noise_level middle = s->job->process->at_sigma(s->job->process, sqrt(s->now.sigma * down));
    sumi__euler_step(s->scratch[0], s->x, s->x0, s->now.sigma, middle.sigma, n);
    SUMI_TRY(sumi__denoise_at(s, s->scratch[0], middle));
  }
  sumi__euler_step(s->x, s->x, s->x0, s->now.sigma, down, n);
  sumi__ancestral_noise(s, up, s->scratch[0]);
done:
  return status;
}

static const char *const aliases[] = {"DPM++ 2S a", "dpmpp 2s a", NULL};

const sumi__sampler sumi__sampler_dpmpp_2s_ancestral = {
    .info = {.name = "dpmpp-2s-ancestral",
             .title = "DPM-Solver++(2S) with fresh noise in each step (Lu et al. 2022, k-diffusion)",
             .default_steps = 30,
             .evaluations = 2,
             .random = true,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .habits = {.grid = SUMI__GRID_FINE, .spacing = SUMI_SPACING_LINSPACE, .preferred = "karras"},
    .step = step,
};
