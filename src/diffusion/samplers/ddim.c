/* Denoising diffusion implicit models (J. Song, C. Meng and S. Ermon 2020, equations 12 and 16; diffusers'
 * DDIMScheduler). On the unscaled state equation 12 is the ancestral Euler step, eta and all; what sets it apart is
 * which timesteps it stops at. */
#include "diffusion/sampler.h"

static sumi_status step(sumi__sampling *s) { return sumi__ancestral_euler_step(s, sumi__eta(s, 0.0)); }

static const char *const aliases[] = {"DDIM", NULL};

const sumi__sampler sumi__sampler_ddim = {
    .info = {.name = "ddim",
             .title = "implicit models, deterministic unless there is eta (Song et al. 2020)",
             .default_steps = 50,
             .evaluations = 1,
             .random = true,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .habits = {.grid = SUMI__GRID_STRIDE, .spacing = SUMI_SPACING_LEADING, .scaled = true, .ends_at_min = true},
    .step = step,
};
