/* The U-Net as a sampler's network: all halves of guidance in one batch. */
#ifndef SUMI_SRC_PIPELINE_DENOISE_H
#define SUMI_SRC_PIPELINE_DENOISE_H

#include "diffusion/guidance.h"
#include "diffusion/sampler.h"
#include "pipeline/conditions.h"
#include "pipeline/start.h"

typedef struct sumi__denoise {
  sumi_session *session;
  const sumi__conditions *conditions;
  int64_t count, height, width; /* pictures; of latents */
  int64_t channels, size;       /* of latents; values of a picture's */
  int parts;                    /* texts that guide */
  bool none;                    /* whether the prediction without words matters */
  bool edits;                   /* whether there is one without words but with the picture, which `none` lacks then */
  double scale, picture_scale;  /* how strongly words guide, and the picture where it edits */
  sumi__guidance guidance;
  double *weights;    /* (parts + edits) */
  const float **with; /* (parts + edits): their predictions in `planes` */
  const void **kv;    /* what the rows of each group have now: (parts + edits + none) */
  const float *extra; /* (count, extra_channels, height, width): what the U-Net sees beside the latents */
  int64_t extra_channels;
  float *planes; /* (parts + edits + none, size): a picture's predictions, channels first */
} sumi__denoise;

/* The rows of the U-Net's batch for `count` pictures. Errors: NO_MEMORY. */
sumi_status sumi__denoise_rows(sumi_session *session, const sumi__conditions *conditions, const sumi_generation *job,
                               int64_t count, int64_t *rows);

/* Prepares the U-Net and the conditions' keys and values. Free with sumi__denoise_free, also after a failure. */
sumi_status sumi__denoise_make(sumi_session *session, sumi__conditions *conditions, const sumi_generation *job,
                               int64_t count, const sumi__start *start, sumi__denoise *out);
void sumi__denoise_free(sumi__denoise *d);

/* Before an evaluation in a step: what the rows are conditioned on. */
void sumi__denoise_at_step(sumi__denoise *d, int step);

/* A sumi__model_fn; user is a sumi__denoise. */
sumi_status sumi__denoise_model(void *user, int64_t count, int64_t size, const float *x,
                                const sumi__noise_level *levels, float *out);

#endif
