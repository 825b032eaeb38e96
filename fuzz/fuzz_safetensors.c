/* The safetensors reader: what it accepts lies within the file, covers it once, and converts. */
#include "fuzz.h"

#include "io/safetensors.h"

static void use_tensor(const sumi_safetensors *file, const sumi_safetensors_tensor *t, sumi_context *ctx) {
  fuzz_require(sumi_safetensors_find(file, t->name) == t, "a tensor is found by its name");
  fuzz_touch(t->data, t->bytes);
  int64_t count = 1;
  for (int i = 0; i < t->rank; i++) count *= t->dims[i];
  fuzz_require(count == t->count, "the count is the product of the dimensions");
  sumi_statistics statistics;
  if (sumi_safetensors_statistics(file, t, &statistics) == SUMI_OK)
    fuzz_require(statistics.nonfinite <= t->count, "statistics count each element once");
  float *values = sumi__alloc(ctx, (size_t)t->count * sizeof *values);
  if (values && sumi__safetensors_read_f32(file, t, values) == SUMI_OK)
    fuzz_touch(values, (size_t)t->count * sizeof *values);
  sumi__free(ctx, values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live, covered = 0;
  sumi_context *ctx = fuzz_begin(&live);
  sumi_safetensors *file = NULL;
  const sumi_status status = sumi__safetensors_parse(ctx, "fuzz.safetensors", data, bytes, &file);
  if (status == SUMI_OK) {
    for (size_t i = 0; i < sumi_safetensors_count(file); i++) {
      use_tensor(file, sumi_safetensors_tensor_at(file, i), ctx);
      covered += sumi_safetensors_tensor_at(file, i)->bytes;
    }
    fuzz_require(covered < bytes, "tensors lie within the file");
    const char *key, *value;
    for (size_t i = 0; sumi_safetensors_metadata_at(file, i, &key, &value); i++)
      fuzz_require(sumi_safetensors_metadata(file, key) != NULL, "metadata is found by its key");
  }
  sumi_safetensors_close(file);
  return fuzz_end(ctx, &live, status);
}
