/* Ancestral sampling of a DDPM (J. Ho, A. Jain and P. Abbeel 2020, algorithm 2), with the posterior's variance,
 * beta-tilde, for the steps that are really taken (diffusers' DDPMScheduler, variance_type fixed_small). On the
 * unscaled state this is the ancestral Euler step with eta = 1. The predicted picture is not clipped, which is for
 * pixels alone. */
#include "diffusion/sampler.h"

static sumi_status step(sumi__sampling *s) { return sumi__ancestral_euler_step(s, 1.0); }

static const char *const aliases[] = {"DDPM", NULL};

const sumi__sampler sumi__sampler_ddpm = {
    .info = {.name = "ddpm",
             .title = "ancestral sampling, the posterior's variance (Ho et al. 2020)",
             .default_steps = 100,
             .evaluations = 1,
             .random = true,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .habits = {.grid = SUMI__GRID_TABLE, .spacing = SUMI_SPACING_LEADING, .scaled = true},
    .step = step,
};
