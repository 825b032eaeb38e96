/* Euler's method on the probability-flow ODE in sigma, dx = (x - x0) / sigma dsigma, with noise put on before a step
 * where there is churn (T. Karras et al., "Elucidating the design space of diffusion-based generative models", 2022,
 * algorithm 2). Follows k-diffusion's sample_euler and diffusers' EulerDiscreteScheduler.
 *
 * With churn the network sees the state that the noise has been put on, as in the paper and in k-diffusion; diffusers
 * shows it the state before. */
#include "diffusion/sampler.h"

static sumi_status step(sumi__sampling *s) {
  const sumi__noise_level hat = sumi__churn(s, s->scratch[0]);
  const sumi_status status = sumi__denoise_at(s, s->x, hat);
  if (status == SUMI_OK) sumi__euler_step(s->x, s->x, s->x0, hat.sigma, s->next.sigma, s->count * s->size);
  return status;
}

static const char *const aliases[] = {"Euler", "EulerDiscrete", NULL};

const sumi__sampler sumi__sampler_euler = {
    .info = {.name = "euler",
             .title = "Euler's method on the probability-flow ODE (Karras et al. 2022)",
             .default_steps = 30,
             .evaluations = 1,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .habits = {.grid = SUMI__GRID_FINE, .spacing = SUMI_SPACING_LINSPACE},
    .step = step,
};
