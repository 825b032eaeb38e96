/* Ancestral sampling with Euler's method: a step of the ODE to below the next level, then fresh noise up to it
 * (k-diffusion's sample_euler_ancestral; diffusers' EulerAncestralDiscreteScheduler). With eta = 1 it is exactly the
 * posterior of the diffusion. */
#include "diffusion/sampler.h"

void sumi__ancestral_noise(sumi__sampling *s, double up, float *noise) {
  if (!(up > 0.0)) return;
  const float spread = (float)(sumi__s_noise(s) * up);
  sumi__sampling_noise(s, noise);
  for (int64_t i = 0; i < s->count * s->size; i++) s->x[i] += spread * noise[i];
}

sumi_status sumi__ancestral_euler_step(sumi__sampling *s, double eta) {
  double down, up;
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  sumi__ancestral_split(s->now.sigma, s->next.sigma, eta, &down, &up);
  sumi__euler_step(s->x, s->x, s->x0, s->now.sigma, down, s->count * s->size);
  sumi__ancestral_noise(s, up, s->scratch[0]);
  return SUMI_OK;
}

static sumi_status step(sumi__sampling *s) { return sumi__ancestral_euler_step(s, sumi__eta(s, 1.0)); }

static const char *const aliases[] = {"Euler a", "EulerAncestralDiscrete", NULL};

const sumi__sampler sumi__sampler_euler_ancestral = {
    .info = {.name = "euler-ancestral",
             .title = "Euler's method with fresh noise in each step (k-diffusion)",
             .default_steps = 30,
             .evaluations = 1,
             .random = true,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .habits = {.grid = SUMI__GRID_FINE, .spacing = SUMI_SPACING_LINSPACE},
    .step = step,
};
