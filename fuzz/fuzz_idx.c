/* The IDX reader, plain and through gzip. */
#include "fuzz.h"

#include "io/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  sumi__idx idx;
  const sumi_status status = sumi__idx_parse(ctx, "fuzz.idx", data, bytes, 1 << 20, &idx);
  if (status == SUMI_OK) {
    fuzz_require(idx.rank >= 1 && idx.rank <= SUMI_MAX_RANK, "the rank is the engine's");
    int64_t count = 1;
    for (int i = 0; i < idx.rank; i++) count *= idx.dims[i];
    fuzz_require(count == idx.count, "the count is the product of the dimensions");
    fuzz_touch(idx.data, idx.bytes);
  }
  sumi__idx_free(ctx, &idx);
  return fuzz_end(ctx, &live, status);
}
