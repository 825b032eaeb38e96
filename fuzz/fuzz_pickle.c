/* The machine that reads pickles: what it makes is whole, within its limits, and lies in the arena. */
#include "fuzz.h"

#include "io/pickle.h"

static void touch(const sumi__pickle_value *v, int depth, size_t *left) {
  if (!v || *left == 0 || depth > 8) return;
  --*left;
  switch (v->kind) {
  case SUMI__PICKLE_TEXT:
  case SUMI__PICKLE_GLOBAL: fuzz_touch(v->text, v->text_bytes + 1); break;
  case SUMI__PICKLE_STORAGE: fuzz_touch(v->storage->key, strlen(v->storage->key)); break;
  case SUMI__PICKLE_TENSOR:
    fuzz_require(v->tensor->shape.rank >= 0 && v->tensor->shape.rank <= SUMI_MAX_RANK, "a tensor has a rank");
    for (int i = 0; i < v->tensor->shape.rank; i++)
      fuzz_require(v->tensor->shape.dims[i] >= 0 && v->tensor->strides[i] >= 0, "sizes are not negative");
    break;
  case SUMI__PICKLE_LIST:
  case SUMI__PICKLE_DICT:
    for (size_t i = 0; i < v->count; i++) touch(v->items[i], depth + 1, left);
    break;
  default: break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live, used = 0, left = 10000;
  sumi_context *ctx = fuzz_begin(&live);
  sumi__arena arena;
  const sumi__pickle_value *v = NULL;
  const sumi__pickle_storage *named = NULL;
  sumi__arena_init(&arena, ctx);
  const sumi_status status = sumi__pickle_parse(ctx, "fuzz.pkl", data, bytes, &arena, &used, &named, &v);
  if (status == SUMI_OK) {
    fuzz_require(v != NULL && used <= bytes, "a pickle has a value and an end");
    touch(v, 0, &left);
    for (; named; named = named->before) fuzz_touch(named->key, strlen(named->key));
    (void)sumi__pickle_find(v, "state_dict");
  }
  sumi__arena_free(&arena);
  return fuzz_end(ctx, &live, status);
}
