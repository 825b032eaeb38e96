/* The walk over PNG's chunks that collects texts. */
#include "mend_png.h"

#include "io/png.h"
#include "io/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live, count = 0;
  sumi_context *ctx = fuzz_begin(&live);
  sumi_png_text *texts = NULL;
  uint8_t *copy = mended_copy(data, bytes);
  const sumi_status status = sumi__png_decode_texts(ctx, "fuzz.png", copy, bytes, &texts, &count);
  for (size_t i = 0; i < count; i++) {
    fuzz_require(strlen(texts[i].key) < 80, "keywords are short");
    fuzz_require(sumi__is_utf8(texts[i].text, strlen(texts[i].text)), "texts are UTF-8");
  }
  sumi__free(ctx, texts);
  free(copy);
  return fuzz_end(ctx, &live, status);
}
