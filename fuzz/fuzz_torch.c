/* The reader of PyTorch's files: what it accepts lies within the file or in its own copies. */
#include "fuzz.h"

#include "io/torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  sumi__torch_file file;
  const sumi_status status = sumi__torch_open(ctx, "fuzz.ckpt", data, bytes, false, &file);
  if (status == SUMI_OK) {
    for (size_t i = 0; i < file.count; i++) {
      const sumi__torch_tensor *t = &file.tensors[i];
      fuzz_require(sumi__torch_find(&file, t->name) == t, "a tensor is found by its name");
      if (t->view.dtype != SUMI_DTYPE_COUNT)
        fuzz_touch(t->view.data, (size_t)sumi_shape_count(&t->view.shape) * sumi_dtype_bytes(t->view.dtype));
    }
    sumi__torch_free(&file);
  }
  return fuzz_end(ctx, &live, status);
}
