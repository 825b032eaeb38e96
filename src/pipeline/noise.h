/* Where a batch of pictures takes its noise from. */
#ifndef SUMI_SRC_PIPELINE_NOISE_H
#define SUMI_SRC_PIPELINE_NOISE_H

#include "base/base.h"
#include "base/random.h"
#include "sumi/pipeline.h"

typedef struct sumi__noise {
  sumi_noise kind;
  int64_t count, size; /* pictures, values of each */
  sumi__rng *rngs;     /* one, or one for each picture */
  uint64_t *seeds;     /* PHILOX */
  uint32_t offset;     /* PHILOX: draws so far */
} sumi__noise;

/* For the pictures [first, first + count) of a job. Free with sumi__noise_free. Errors: NO_MEMORY. */
sumi_status sumi__noise_make(sumi_context *ctx, sumi_noise kind, uint64_t seed, int64_t first, int64_t count,
                             int64_t size, sumi__noise *out);
void sumi__noise_free(sumi_context *ctx, sumi__noise *noise);

/* Standard normal, (count, size): the next draw of each picture. */
void sumi__noise_draw(sumi__noise *noise, float *out);

#endif
