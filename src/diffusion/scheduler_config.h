/* A diffusers folder's scheduler/scheduler_config.json: what a model was trained with, and the sampler that its makers
 * chose for it. */
#ifndef SUMI_SRC_DIFFUSION_SCHEDULER_CONFIG_H
#define SUMI_SRC_DIFFUSION_SCHEDULER_CONFIG_H

#include "diffusion/sampler.h"

typedef struct sumi__scheduler_config {
  const sumi__sampler *sampler; /* of `_class_name` and `algorithm_type` */
  sumi__prediction prediction;
  sumi_betas betas;
  sumi_spacing spacing;            /* DEFAULT: the file does not say */
  const char *schedule;            /* static; NULL: normal */
  sumi_final_level after_stride;   /* set_alpha_to_one, of DDIM and PNDM */
  sumi_final_level final;          /* final_sigmas_type, of the others */
  sumi_sampler_options parameters; /* solver_order */
} sumi__scheduler_config;

/* Reads a file. A key that is missing has its class's default in diffusers. As diffusers' pipelines for Stable
 * Diffusion do, steps_offset is taken for 1 and clip_sample for false, whatever the file says. Errors: IO, FORMAT (also
 * a class, a value or a pair of them that no sampler here has), NO_MEMORY. */
sumi_status sumi__scheduler_config_read(sumi_context *ctx, const char *path, sumi__scheduler_config *out);

/* What a model has whose file says nothing: Stable Diffusion's betas, PNDM, eps. */
sumi__scheduler_config sumi__scheduler_config_default(void);

/* The schedule of a sampler, that of the file or another, for this model: as diffusers' from_config does, the file's
 * explicit values hold for any sampler that has them. */
sumi_schedule_options sumi__scheduler_config_options(const sumi__scheduler_config *config,
                                                     const sumi__sampler *sampler);

#endif
