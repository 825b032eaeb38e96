/* DPM-Solver++(2M) for the reverse SDE (C. Lu et al. 2022, the SDE variant; k-diffusion's sample_dpmpp_2m_sde;
 * diffusers' DPMSolverMultistepScheduler with sde-dpmsolver++): in l = -log sigma the linear part is solved exactly,
 * with the noise of the step, and the predicted picture is extrapolated from two steps, by the midpoint's or Heun's
 * weights.
 *
 * Noise is drawn in each step, as in diffusers; k-diffusion and A1111 take it from torchsde's Brownian tree. */
#include "diffusion/sampler.h"

#include <math.h>

static sumi_status take(sumi__sampling *s, bool heun) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  const int64_t n = s->count * s->size;
  if (s->next.sigma == 0.0) {
    sumi__euler_step(s->x, s->x, s->x0, s->now.sigma, 0.0, n);
    return SUMI_OK;
  }
  const double h = log(s->now.sigma / s->next.sigma), eta = sumi__eta(s, 1.0), all = h + eta * h;
  double before = 0.0; /* the weight of the past prediction, and less of the present one */
  const bool second = s->past_count > 0 && !sumi__lower_order(s, 1);
  if (second) {
    const double ratio = log(s->past[0].level.sigma / s->now.sigma) / h;
    before = (heun ? -(expm1(-all) / all + 1.0) : 0.5 * expm1(-all)) / ratio;
  }
  const double w[2] = {-expm1(-all) - before, before};
  sumi__multistep(s, exp(-all), s->x0, w, second ? 2 : 1);
  sumi__sde_noise(s, eta * h, s->scratch[0]);
  return SUMI_OK;
}

static sumi_status step(sumi__sampling *s) { return take(s, false); }
static sumi_status step_heun(sumi__sampling *s) { return take(s, true); }

static const char *const aliases[] = {"DPM++ 2M SDE", NULL};

const sumi__sampler sumi__sampler_dpmpp_2m_sde = {
    .info = {.name = "dpmpp-2m-sde",
             .title = "DPM-Solver++(2M) on the reverse SDE (Lu et al. 2022)",
             .default_steps = 30,
             .evaluations = 1,
             .random = true,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .history = 1,
    .habits = {.grid = SUMI__GRID_SOLVER,
               .spacing = SUMI_SPACING_LINSPACE,
               .scaled = true,
               .rounds_karras = true,
               .preferred = "exponential"},
    .step = step,
};

static const char *const aliases_heun[] = {"DPM++ 2M SDE Heun", NULL};

const sumi__sampler sumi__sampler_dpmpp_2m_sde_heun = {
    .info = {.name = "dpmpp-2m-sde-heun",
             .title = "the same with Heun's weights",
             .default_steps = 30,
             .evaluations = 1,
             .random = true,
             .digits = true,
             .latent = true,
             .aliases = aliases_heun},
    .scratch = 1,
    .history = 1,
    .habits = {.grid = SUMI__GRID_SOLVER,
               .spacing = SUMI_SPACING_LINSPACE,
               .scaled = true,
               .rounds_karras = true,
               .preferred = "exponential"},
    .step = step_heun,
};
