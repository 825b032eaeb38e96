/* Euler's method on the probability-flow ODE in sigma, dx = (x - x0) / sigma dsigma, with noise put on before a step
 * where there is churn (T. Karras et al., "Elucidating the design space of diffusion-based generative models", 2022,
 * algorithm 2). Follows k-diffusion's sample_euler and diffusers' EulerDiscreteScheduler.
 *
 * With churn the network sees the state that the noise has been put on, as in the paper and in k-diffusion; diffusers
 * shows it the state before. */
#include "diffusion/sampler.h"

#include <math.h>

sumi__noise_level sumi__churn(sumi__sampling *s, float *noise) {
  const sumi_sampler_options *o = &s->job->options;
  const double sigma = s->now.sigma, top = o->s_tmax > 0.0 ? o->s_tmax : INFINITY;
  const double gamma = sigma >= o->s_tmin && sigma <= top ? fmin(o->s_churn / s->job->steps, sqrt(2.0) - 1.0) : 0.0;
  if (!(gamma > 0.0)) return s->now;
  const double hat = sigma * (1.0 + gamma);
  const float spread = (float)(sumi__s_noise(s) * sqrt(hat * hat - sigma * sigma));
  sumi__sampling_noise(s, noise);
  for (int64_t i = 0; i < s->count * s->size; i++) s->x[i] += spread * noise[i];
  return s->job->process->at_sigma(s->job->process, hat);
}

void sumi__euler_step(float *y, const float *x, const float *x0, double sigma, double sigma_next, int64_t n) {
  const float keep = (float)(sigma_next / sigma), make = (float)(1.0 - sigma_next / sigma);
  for (int64_t i = 0; i < n; i++) y[i] = keep * x[i] + make * x0[i];
}

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
