/* The WebP reader, the walk to its EXIF block and the comment in that. */
#include "fuzz.h"

#include "io/image.h"
#include "io/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  sumi_image image;
  char *text = NULL;
  if (sumi__image_decode_comment(ctx, "fuzz.webp", data, bytes, &text) == SUMI_OK)
    fuzz_require(*text && sumi__is_utf8(text, strlen(text)), "comments are UTF-8");
  sumi__free(ctx, text);
  const sumi_status status = sumi__image_decode(ctx, "fuzz.webp", data, bytes, 1 << 18, &image);
  if (status == SUMI_OK) fuzz_touch(image.pixels, (size_t)(image.width * image.height * image.channels));
  sumi_image_free(ctx, &image);
  return fuzz_end(ctx, &live, status);
}
