/* DPM2 with fresh noise in each step (k-diffusion's sample_dpm_2_ancestral; diffusers'
 * KDPM2AncestralDiscreteScheduler): the midpoint method to below the next level, then noise up to it. */
#include "diffusion/sampler.h"

static sumi_status step(sumi__sampling *s) {
  double down, up;
  sumi__ancestral_split(s->now.sigma, s->next.sigma, sumi__eta(s, 1.0), &down, &up);
  const sumi_status status = sumi__midpoint_step(s, s->now, down);
  if (status == SUMI_OK) sumi__ancestral_noise(s, up, s->scratch[0]);
  return status;
}

static const char *const aliases[] = {"DPM2 a", "dpm 2 a", "dpm 2 ancestral", "KDPM2AncestralDiscrete", NULL};

const sumi__sampler sumi__sampler_dpm2_ancestral = {
    .info = {.name = "dpm2-ancestral",
             .title = "DPM2 with fresh noise in each step (k-diffusion)",
             .default_steps = 30,
             .evaluations = 2,
             .random = true,
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
