/* Linear multistep (Adams-Bashforth with steps of their own lengths) on the probability-flow ODE: the polynomial in
 * sigma through the last slopes is integrated over the step (k-diffusion's sample_lms by K. Crowson; diffusers'
 * LMSDiscreteScheduler).  Order 4 by default.
 *
 * Where it begins in the middle (image to image), the order rises from 1 there, as in k-diffusion. diffusers takes the
 * order by the step's number in the whole schedule, and the weights of slopes that it does not have are lost. */
#include "diffusion/sampler.h"

#include <math.h>

enum { MOST = SUMI__SAMPLER_MAX_HISTORY + 1 };

/* The integral over [from, to] of the Lagrange polynomial that is 1 at nodes[j] and 0 at the others: by Gauss's rule of
 * three points, exact up to degree 5. */
static double integral(const double *nodes, int count, int j, double from, double to) {
  static const double points[3] = {-0.77459666924148337704, 0.0, 0.77459666924148337704};
  static const double weights[3] = {5.0 / 9.0, 8.0 / 9.0, 5.0 / 9.0};
  double sum = 0.0;
  for (int i = 0; i < 3; i++) {
    const double at = 0.5 * (from + to) + 0.5 * (to - from) * points[i];
    double value = weights[i];
    for (int k = 0; k < count; k++)
      if (k != j) value *= (at - nodes[k]) / (nodes[j] - nodes[k]);
    sum += value;
  }
  return 0.5 * (to - from) * sum;
}

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  float *slope = s->scratch[0];
  sumi__slope(s, s->x, s->now.sigma, slope);
  const int wanted = sumi__order(s, MOST, MOST), order = wanted < s->past_count + 1 ? wanted : s->past_count + 1;
  double sigmas[MOST] = {s->now.sigma}, w[MOST];
  for (int j = 1; j < order; j++) sigmas[j] = s->past[j - 1].level.sigma;
  for (int j = 0; j < order; j++) w[j] = integral(sigmas, order, j, s->now.sigma, s->next.sigma);
  sumi__multistep(s, 1.0, slope, w, order);
  s->memory = slope;
  return SUMI_OK;
}

static const char *const aliases[] = {"LMS", "LMSDiscrete", NULL};

const sumi__sampler sumi__sampler_lms = {
    .info = {.name = "lms",
             .title = "linear multistep of order 4 on the probability-flow ODE (k-diffusion)",
             .default_steps = 30,
             .evaluations = 1,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .history = 3,
    .habits = {.grid = SUMI__GRID_FINE, .spacing = SUMI_SPACING_LINSPACE},
    .step = step,
};
