/* Tiny Stable Diffusion models whose U-Net sees more than the latents: tests/golden/sd/sd1 with another first layer, of
 * tests/golden/sd/jobs.safetensors, written when they are needed. */
#ifndef SUMI_TESTS_TINY_SD_H
#define SUMI_TESTS_TINY_SD_H

#include "sumi/io.h"
#include "tensor/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tiny_sd_source {
  sumi_safetensors *unet, *jobs;
} tiny_sd_source;

/* Values of a tensor in f32, to be freed; the files have f16 and f32. */
static inline float *tiny_sd_values(const sumi_safetensors_tensor *t) {
  float *out = malloc((size_t)t->count * sizeof *out);
  for (int64_t i = 0; out && i < t->count; i++) {
    uint16_t half;
    if (strcmp(t->dtype, "F32") == 0) {
      memcpy(out + i, (const char *)t->data + 4 * i, sizeof *out);
      continue;
    }
    memcpy(&half, (const char *)t->data + 2 * i, sizeof half);
    out[i] = sumi__f16_to_f32(half);
  }
  return out;
}

static inline sumi_status tiny_sd_write_unet(sumi_context *ctx, const tiny_sd_source *from, int channels,
                                             const char *path) {
  char name[32];
  snprintf(name, sizeof name, "conv_in.%d", channels);
  const size_t count = sumi_safetensors_count(from->unet);
  sumi_array *arrays = calloc(count, sizeof *arrays);
  for (size_t i = 0; i < count; i++) {
    const sumi_safetensors_tensor *own = sumi_safetensors_tensor_at(from->unet, i), *t = own;
    if (strcmp(own->name, "conv_in.weight") == 0) t = sumi_safetensors_find(from->jobs, name);
    arrays[i] = (sumi_array){own->name, t->rank, t->dims, tiny_sd_values(t)};
  }
  const sumi_status status = sumi_safetensors_write_f32(ctx, path, arrays, count);
  for (size_t i = 0; i < count; i++) free((void *)(uintptr_t)arrays[i].data);
  free(arrays);
  return status;
}

/* Writes the model that sees so many channels (5, 8 or 9) into a folder that is not there yet. `golden` is
 * tests/golden/sd. False if anything fails. */
static inline bool tiny_sd(sumi_context *ctx, const char *golden, int channels, const char *folder) {
  char text[8192];
  tiny_sd_source from = {0};
  snprintf(text, sizeof text,
           "cp -r '%s/sd1' '%s' && chmod -R u+w '%s' && "
           "sed -i 's/\"in_channels\": 4/\"in_channels\": %d/' '%s/unet/config.json'",
           golden, folder, folder, channels, folder);
  bool good = system(text) == 0;
  snprintf(text, sizeof text, "%s/sd1/unet/diffusion_pytorch_model.safetensors", golden);
  good = good && sumi_safetensors_open(ctx, text, &from.unet) == SUMI_OK;
  snprintf(text, sizeof text, "%s/jobs.safetensors", golden);
  good = good && sumi_safetensors_open(ctx, text, &from.jobs) == SUMI_OK;
  snprintf(text, sizeof text, "%s/unet/diffusion_pytorch_model.safetensors", folder);
  good = good && tiny_sd_write_unet(ctx, &from, channels, text) == SUMI_OK;
  sumi_safetensors_close(from.unet);
  sumi_safetensors_close(from.jobs);
  return good;
}

#endif
