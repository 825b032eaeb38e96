#include "models/clip_text.h"

#include <string.h>

/* A row of the table, which may lie in a file, unaligned and of another type. */
static void read_row(const sumi__weight *table, int64_t row, float *out) {
  enum { BLOCK = 256 };
  float aligned[BLOCK];
  const int64_t width = table->shape.dims[1];
  if (!table->lent) {
    memcpy(out, (const float *)table->data + row * width, (size_t)width * sizeof *out);
    return;
  }
  const size_t bytes = sumi_dtype_bytes(table->lent_dtype);
  const char *from = (const char *)table->lent + (size_t)(row * width) * bytes;
  for (int64_t at = 0; at < width; at += BLOCK) {
    const int64_t n = sumi__min_i64(BLOCK, width - at);
    memcpy(aligned, from + (size_t)at * bytes, (size_t)n * bytes);
    sumi__to_f32(out + at, aligned, table->lent_dtype, n);
  }
}

sumi_status sumi__clip_text_lookup(sumi_context *ctx, const sumi__nn *nn, const sumi__clip_text_config *config,
                                   const int32_t *ids, int64_t count, float *out) {
  sumi_status status = SUMI_OK;
  const sumi__nn name = sumi__nn_scope(nn, "text_model.embeddings.token_embedding.weight");
  const int64_t i = sumi_weights_find(nn->weights, name.prefix);
  SUMI_CHECK(ctx, i >= 0, SUMI_NOT_FOUND, "CLIP text: the weights have no parameter '%s'", name.prefix);
  const sumi__weight *table = sumi__weights_at(nn->weights, (size_t)i);
  const sumi_shape expected = SUMI_SHAPE(config->vocab_size, config->hidden_size);
  SUMI_CHECK(ctx, sumi_shape_equal(&table->shape, &expected), SUMI_MISMATCH, "CLIP text: '%s' is %s, expected %s",
             name.prefix, SUMI__SHAPE_STR(&table->shape), SUMI__SHAPE_STR(&expected));
  for (int64_t k = 0; k < count; k++) {
    SUMI_CHECK(ctx, ids[k] >= 0 && ids[k] < config->vocab_size, SUMI_INVALID,
               "CLIP text: token %lld has the id %d, expected 0 to %lld", (long long)k, (int)ids[k],
               (long long)config->vocab_size - 1);
    read_row(table, ids[k], out + k * config->hidden_size);
  }
done:
  return status;
}
