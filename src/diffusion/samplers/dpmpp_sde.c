/* DPM-Solver++ for the reverse SDE, single step (k-diffusion's sample_dpmpp_sde by K. Crowson, r = 1/2; diffusers'
 * DPMSolverSDEScheduler): an ancestral step half way in log sigma, and from the picture predicted there the whole
 * ancestral step. A step to sigma = 0 is Euler's.
 *
 * The noise of both is one Brownian motion W in sigma. The references draw it from torchsde's tree, seeded apart from
 * the generator of the pictures; here its increments over the two halves are two draws from the job's own noise, so
 * that a seed gives other pictures than there, of the same distribution. */
#include "diffusion/sampler.h"

#include <math.h>

static sumi_status step(sumi__sampling *s) {
  sumi_status status = SUMI_OK;
  const int64_t n = s->count * s->size;
  const double from = s->now.sigma, to = s->next.sigma, eta = sumi__eta(s, 1.0);
  float *x = s->scratch[0], *w = s->scratch[1], *half = s->scratch[2];
  double down, up;
  SUMI_TRY(sumi__denoise_at(s, s->x, s->now));
  if (to == 0.0) {
    sumi__euler_step(s->x, s->x, s->x0, from, to, n);
    goto done;
  }
  const sumi__noise_level middle = s->job->process->at_sigma(s->job->process, sqrt(from * to));
  sumi__sampling_noise(s, w);
  sumi__ancestral_split(from, middle.sigma, eta, &down, &up);
  sumi__euler_step(x, s->x, s->x0, from, down, n);
  float spread = (float)(sumi__s_noise(s) * up);
  for (int64_t i = 0; i < n; i++) x[i] += spread * w[i];
  SUMI_TRY(sumi__denoise_at(s, x, middle));
  sumi__sampling_noise(s, half);
  sumi__ancestral_split(from, to, eta, &down, &up);
  sumi__euler_step(s->x, s->x, s->x0, from, down, n);
  /* W(to) - W(from), of unit variance */
  const float a = (float)sqrt((from - middle.sigma) / (from - to)), b = (float)sqrt((middle.sigma - to) / (from - to));
  spread = (float)(sumi__s_noise(s) * up);
  for (int64_t i = 0; i < n; i++) s->x[i] += spread * (a * w[i] + b * half[i]);
done:
  return status;
}

static const char *const aliases[] = {"DPM++ SDE", "DPMSolverSDE", NULL};

const sumi__sampler sumi__sampler_dpmpp_sde = {
    .info = {.name = "dpmpp-sde",
             .title = "DPM-Solver++ on the reverse SDE, single step (Lu et al. 2022, k-diffusion)",
             .default_steps = 30,
             .evaluations = 2,
             .random = true,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 3,
    .habits = {.grid = SUMI__GRID_FINE, .spacing = SUMI_SPACING_LINSPACE, .preferred = "karras"},
    .step = step,
};
