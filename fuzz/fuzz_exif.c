/* EXIF blocks by themselves. A comment that was read can be written and read again. */
#include "fuzz.h"

#include "io/exif.h"
#include "io/text.h"

static void write_and_read(sumi_context *ctx, const char *text) {
  uint8_t *block = NULL;
  size_t bytes = 0;
  char *again = NULL;
  fuzz_require(sumi__is_utf8(text, strlen(text)), "comments are UTF-8");
  fuzz_require(sumi__exif_encode(ctx, "again", text, &block, &bytes) == SUMI_OK, "what was read can be written");
  fuzz_require(sumi__exif_comment(ctx, "again", block, bytes, &again) == SUMI_OK, "what was written can be read");
  sumi__free(ctx, block);
  sumi__free(ctx, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  char *text = NULL;
  const sumi_status status = sumi__exif_comment(ctx, "fuzz", data, bytes, &text);
  if (status == SUMI_OK) write_and_read(ctx, text);
  sumi__free(ctx, text);
  const int orientation = sumi__exif_orientation(data, bytes);
  fuzz_require(orientation >= 1 && orientation <= 8, "there are eight orientations");
  return fuzz_end(ctx, &live, status);
}
