/* DPM-Solver++(2M) (C. Lu et al., "DPM-Solver++", 2022, algorithm 2): the probability-flow ODE in l = -log sigma,
 * where its linear part is solved exactly and the predicted picture is extrapolated from two steps. A few tens of
 * steps give what hundreds of the others do. diffusers' DPMSolverMultistepScheduler, k-diffusion's sample_dpmpp_2m. */
#include "diffusion/sampler.h"

#include <math.h>

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  const double h = log(s->now.sigma / s->next.sigma); /* infinite where the next level is noiseless: x0 remains */
  double before = 0.0; /* the weight of the past prediction, and less of the present one */
  const bool second = s->past_count > 0 && isfinite(h) && !sumi__lower_order(s, 1);
  if (second) before = 0.5 * expm1(-h) * h / log(s->past[0].level.sigma / s->now.sigma);
  const double w[2] = {-expm1(-h) - before, before};
  sumi__multistep(s, s->next.sigma / s->now.sigma, s->x0, w, second ? 2 : 1);
  return SUMI_OK;
}

static const char *const aliases[] = {"DPM++ 2M", "DPMSolverMultistep", NULL};

const sumi__sampler sumi__sampler_dpmpp_2m = {
    .info = {.name = "dpmpp-2m",
             .title = "DPM-Solver++(2M) on the probability-flow ODE (Lu et al. 2022)",
             .default_steps = 30,
             .evaluations = 1,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .history = 1,
    .habits = {.grid = SUMI__GRID_SOLVER,
               .spacing = SUMI_SPACING_LINSPACE,
               .scaled = true,
               .rounds_karras = true,
               .preferred = "karras"},
    .step = step,
};
