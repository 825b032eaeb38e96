#include "models/weights_file.h"

#include "io/text.h"

static sumi_status produce(void *user, size_t i, void *out) {
  const sumi__weight *w = sumi__weights_at(user, i);
  sumi__weight_to_file_order(w, out, w->data);
  return SUMI_OK;
}

sumi_status sumi__weights_save(sumi_context *ctx, const char *path, sumi_weights *weights,
                               const sumi__safetensors_pair *pairs, size_t pair_count) {
  const size_t count = sumi_weights_count(weights);
  sumi__safetensors_entry *entries = sumi__alloc_array(ctx, count, sizeof *entries);
  if (!entries) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < count; i++) {
    const sumi__weight *w = sumi__weights_at(weights, i);
    entries[i] = (sumi__safetensors_entry){w->name, w->dtype, sumi__weight_file_shape(w), NULL};
  }
  const sumi_status status = sumi__safetensors_write(ctx, path, entries, count, pairs, pair_count, produce, weights);
  sumi__free(ctx, entries);
  return status;
}

sumi_status sumi__weights_load(sumi_context *ctx, const char *path, sumi__build_fn build, void *user,
                               sumi_weights **out) {
  sumi_status status = SUMI_OK;
  sumi_safetensors *file = NULL;
  sumi_graph *g = NULL;
  sumi_weights *weights = NULL;
  *out = NULL;
  SUMI_TRY(sumi_safetensors_open(ctx, path, &file));
  SUMI_TRY(sumi_graph_create(ctx, &g));
  SUMI_TRY(sumi_weights_create(ctx, &weights));
  sumi__nn nn = sumi__nn_root(g, weights);
  nn.source = sumi__safetensors_source(file);
  build(user, &nn);
  SUMI_TRY(sumi_graph_status(g));
  for (size_t i = 0; i < sumi_safetensors_count(file); i++) {
    const char *name = sumi_safetensors_tensor_at(file, i)->name;
    char shown[SUMI__QUOTE_MAX];
    SUMI_CHECK(ctx, sumi_weights_find(weights, name) >= 0, SUMI_MISMATCH,
               "%s: the tensor %s does not belong to the model that its config describes", path,
               sumi__quote(shown, name));
  }
  *out = weights;
  weights = NULL;
done:
  sumi_weights_free(weights);
  sumi_graph_free(g);
  sumi_safetensors_close(file);
  return status;
}

int64_t sumi__weights_trained(sumi_weights *weights) {
  int64_t total = 0;
  for (size_t i = 0; i < sumi_weights_count(weights); i++) {
    const sumi__weight *w = sumi__weights_at(weights, i);
    if (w->trainable) total += sumi_shape_count(&w->shape);
  }
  return total;
}
