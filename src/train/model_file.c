#include "train/model_file.h"

#include "io/file.h"
#include "io/safetensors.h"

#include <stdio.h>

static sumi_status produce(void *user, size_t i, void *out) {
  const sumi__weight *w = sumi__weights_at(user, i);
  sumi__weight_to_file_order(w, out, w->data);
  return SUMI_OK;
}

sumi_status sumi__model_file_save(sumi_context *ctx, sumi_weights *weights, const char *folder, const char *part) {
  sumi_status status = SUMI_OK;
  char path[4096];
  const size_t n = sumi_weights_count(weights);
  sumi__safetensors_entry *entries = sumi__alloc_array(ctx, n, sizeof *entries);
  if (!entries) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < n; i++) {
    const sumi__weight *w = sumi__weights_at(weights, i);
    entries[i] = (sumi__safetensors_entry){.name = w->name, .dtype = SUMI_F32, .shape = sumi__weight_file_shape(w)};
  }
  snprintf(path, sizeof path, "%s/%s", folder, part);
  SUMI_TRY(sumi__make_directories(ctx, path));
  snprintf(path, sizeof path, "%s/%s/diffusion_pytorch_model.safetensors", folder, part);
  SUMI_TRY(sumi__safetensors_write(ctx, path, entries, n, NULL, 0, produce, weights));
done:
  sumi__free(ctx, entries);
  return status;
}

sumi_status sumi__model_file_open(sumi_context *ctx, const char *folder, const char *part, sumi_safetensors **out) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s/diffusion_pytorch_model.safetensors", folder, part);
  return sumi_safetensors_open(ctx, path, out);
}
