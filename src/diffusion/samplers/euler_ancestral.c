/* Ancestral sampling with Euler's method: a step of the ODE to below the next level, then fresh noise up to it
 * (k-diffusion's sample_euler_ancestral; diffusers' EulerAncestralDiscreteScheduler). With eta = 1 it is exactly the
 * posterior of the diffusion. */
#include "diffusion/sampler.h"

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
