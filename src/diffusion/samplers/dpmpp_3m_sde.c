/* DPM-Solver++(3M) for the reverse SDE (k-diffusion's sample_dpmpp_3m_sde by K. Crowson, after C. Lu et al. 2022): the
 * predicted picture's first and second derivatives in l = -log sigma from three steps.
 *
 * diffusers has a third order for sde-dpmsolver++ too, whose second derivative has a weight that does not vanish with
 * the step; it is not followed (PITFALLS.md). Noise is drawn in each step; k-diffusion takes it from torchsde's tree.
 */
#include "diffusion/sampler.h"

#include <math.h>

/* Weights of the last three predictions, the latest first, for a step of length h and `all` = (1 + eta) h. */
static void weigh(const sumi__sampling *s, double h, double all, double w[3]) {
  const double phi2 = expm1(-all) / all + 1.0, phi3 = phi2 / all - 0.5;
  w[0] = -expm1(-all);
  if (s->past_count == 0) return;
  const double r0 = log(s->past[0].level.sigma / s->now.sigma) / h;
  if (s->past_count == 1) {
    w[0] += phi2 / r0;
    w[1] = -phi2 / r0;
    return;
  }
  /* first differences (m0 - m1) / r0 and (m1 - m2) / r1, of which come the derivatives at the present step */
  const double r1 = log(s->past[1].level.sigma / s->past[0].level.sigma) / h;
  const double near = phi2 + (phi2 * r0 - phi3) / (r0 + r1), far = -(phi2 * r0 - phi3) / (r0 + r1);
  w[0] += near / r0;
  w[1] = far / r1 - near / r0;
  w[2] = -far / r1;
}

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  const int64_t n = s->count * s->size;
  if (s->next.sigma == 0.0) {
    sumi__euler_step(s->x, s->x, s->x0, s->now.sigma, 0.0, n);
    return SUMI_OK;
  }
  const double h = log(s->now.sigma / s->next.sigma), eta = sumi__eta(s, 1.0), all = h + eta * h;
  double w[3] = {0.0, 0.0, 0.0};
  weigh(s, h, all, w);
  sumi__multistep(s, exp(-all), s->x0, w, s->past_count + 1);
  sumi__sde_noise(s, eta * h, s->scratch[0]);
  return SUMI_OK;
}

static const char *const aliases[] = {"DPM++ 3M SDE", NULL};

const sumi__sampler sumi__sampler_dpmpp_3m_sde = {
    .info = {.name = "dpmpp-3m-sde",
             .title = "DPM-Solver++(3M) on the reverse SDE (Lu et al. 2022, k-diffusion)",
             .default_steps = 30,
             .evaluations = 1,
             .random = true,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .history = 2,
    .habits = {.grid = SUMI__GRID_SOLVER,
               .spacing = SUMI_SPACING_LINSPACE,
               .scaled = true,
               .rounds_karras = true,
               .drops_last = true,
               .preferred = "exponential"},
    .step = step,
};
