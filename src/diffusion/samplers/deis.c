/* DEIS (Q. Zhang and Y. Chen, "Fast sampling of diffusion models with exponential integrator", ICLR 2023), the variant
 * tAB in log sigma: the polynomial in log sigma through the last predictions of the noise is integrated over sigma
 * (diffusers' DEISMultistepScheduler, logrho). Order 2 by default. diffusers stops it at the first timestep's noise. */
#include "diffusion/sampler.h"

#include <math.h>

enum { MOST = 3 };

/* The integral of ((l - c) (l - d)) / ((b - c) (b - d)) dsigma up to sigma = e^l; without d, of (l - c) / (b - c). */
static double linear(double sigma, double b, double c) {
  return sigma > 0.0 ? sigma * (log(sigma) - c - 1.0) / (b - c) : 0.0;
}
static double quadratic(double sigma, double b, double c, double d) {
  if (sigma <= 0.0) return 0.0;
  const double l = log(sigma);
  return sigma * (c * (d - l + 1.0) - d * l + d + l * l - 2.0 * l + 2.0) / ((b - c) * (b - d));
}

static void weigh(const double *sigma, int order, double from, double to, double *w) {
  double l[MOST];
  for (int j = 0; j < order; j++) l[j] = log(sigma[j]);
  w[0] = to - from;
  for (int j = 0; order == 2 && j < 2; j++) w[j] = linear(to, l[j], l[1 - j]) - linear(from, l[j], l[1 - j]);
  for (int j = 0; order == 3 && j < 3; j++) {
    const double c = l[(j + 1) % 3], d = l[(j + 2) % 3];
    w[j] = quadratic(to, l[j], c, d) - quadratic(from, l[j], c, d);
  }
}

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  float *noise = s->scratch[0];
  sumi__slope(s, s->x, s->now.sigma, noise);
  const int wanted = sumi__order(s, 2, MOST);
  int order = wanted < s->past_count + 1 ? wanted : s->past_count + 1;
  if (sumi__lower_order(s, 1)) order = 1;
  if (sumi__lower_order(s, 2) && order > 2) order = 2;
  double sigmas[MOST] = {s->now.sigma}, w[MOST];
  for (int j = 1; j < order; j++) sigmas[j] = s->past[j - 1].level.sigma;
  weigh(sigmas, order, s->now.sigma, s->next.sigma, w);
  sumi__multistep(s, 1.0, noise, w, order);
  s->memory = noise;
  return SUMI_OK;
}

static const char *const aliases[] = {"DEIS", "DEISMultistep", NULL};

const sumi__sampler sumi__sampler_deis = {
    .info = {.name = "deis",
             .title = "DEIS, an exponential integrator in log sigma (Zhang and Chen 2023)",
             .default_steps = 20,
             .evaluations = 1,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .history = 2,
    .habits = {.grid = SUMI__GRID_SOLVER,
               .spacing = SUMI_SPACING_LINSPACE,
               .scaled = true,
               .rounds_karras = true,
               .ends_at_min = true},
    .step = step,
};
