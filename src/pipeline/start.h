/* What a job begins with: its picture, mask and depth as latents, and noise. */
#ifndef SUMI_SRC_PIPELINE_START_H
#define SUMI_SRC_PIPELINE_START_H

#include "pipeline/engine.h"
#include "pipeline/noise.h"

typedef struct sumi__start {
  sumi_session *session;
  const sumi_generation *how;            /* filled in */
  int64_t channels, height, width, size; /* of latents; values of a picture's */
  int64_t extra_channels;                /* that the U-Net sees beside them */
  bool only_noise;                       /* nothing of the picture is in the state at first */
  float *mean, *logvar;                  /* (size): of the picture, or NULL */
  float *hole_mean, *hole_logvar;        /* (size): of the picture with a hole, for models that see it */
  float *mask, *depth;                   /* (height, width): or NULL */
  /* Of one batch, (count, ...). */
  int64_t count;
  sumi__noise source;
  float *x;           /* the state */
  float *noise;       /* the unit noise in it */
  float *known;       /* the picture's latents */
  float *mask_values; /* 1 where latents are made, 0 where they are known */
  float *extra;       /* (count, extra_channels, height, width): beside the latents */
  float *draw;
} sumi__start;

/* Takes the sizes from the job; `how` must outlive *out. Free with sumi__start_free, also after a failure, and a zeroed
 * one. Errors: NO_MEMORY. */
sumi_status sumi__start_make(sumi_session *session, const sumi_generation *how, sumi__start *out);
/* The pictures that the job has, as latents. Errors: INVALID (depth that is no number), NO_MEMORY. */
sumi_status sumi__start_encode(sumi__start *s);
void sumi__start_free(sumi__start *s);

/* The batch of `count` pictures from the job's `first` on: what noise it draws. Errors: NO_MEMORY. */
sumi_status sumi__start_batch(sumi__start *s, int64_t first, int64_t count);
/* Its state at a level sigma, and what is beside it. `scale` is that of the unit noise that is a start by itself. */
void sumi__start_draw(sumi__start *s, double sigma, double scale);
/* The next draw of the batch's noise, (count, size). */
void sumi__start_noise(sumi__start *s, float *out);

#endif
