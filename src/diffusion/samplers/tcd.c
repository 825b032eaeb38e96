/* Trajectory consistency distillation (J. Zheng et al. 2024, gamma-sampling; diffusers' TCDScheduler): for networks
 * that were distilled so. A DDIM step to timestep (1 - eta) t of the next t, then noise up to that. eta is 0.3. */
#include "diffusion/sampler.h"

#include <math.h>

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  const bool last = s->step + 1 == s->job->steps;
  const sumi__process *process = s->job->process;
  const double next = s->next.sigma;
  const double below =
      last ? next : process->level(process, floor((1.0 - fmin(sumi__eta(s, 0.3), 1.0)) * s->next.t)).sigma;
  sumi__euler_step(s->x, s->x, s->x0, s->now.sigma, below, s->count * s->size);
  sumi__ancestral_noise(s, sqrt(fmax(next * next - below * below, 0.0)), s->scratch[0]);
  return SUMI_OK;
}

static const char *const aliases[] = {"TCD", NULL};

const sumi__sampler sumi__sampler_tcd = {
    .info = {.name = "tcd",
             .title = "for trajectory consistency models (Zheng et al. 2024)",
             .default_steps = 8,
             .evaluations = 1,
             .random = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .habits = {.grid = SUMI__GRID_DISTILLED, .scaled = true, .ends_at_min = true},
    .step = step,
};
