/* The PNG reader. What it accepts is written and read again, and must come back the same. */
#include "mend_png.h"

#include "io/png.h"

static void write_and_read(sumi_context *ctx, const sumi_image *image) {
  uint8_t *png = NULL;
  size_t bytes = 0;
  sumi_image again;
  fuzz_require(sumi__png_encode(ctx, image, NULL, 0, &png, &bytes) == SUMI_OK, "what was read can be written");
  fuzz_require(sumi__png_decode(ctx, "again", png, bytes, 1 << 20, &again) == SUMI_OK, "what was written can be read");
  fuzz_require(again.width == image->width && again.height == image->height && again.channels == image->channels,
               "the size comes back");
  fuzz_require(!memcmp(again.pixels, image->pixels, (size_t)(image->width * image->height * image->channels)),
               "the pixels come back");
  sumi_image_free(ctx, &again);
  sumi__free(ctx, png);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  sumi_image image;
  uint8_t *copy = mended_copy(data, bytes);
  const sumi_status status = sumi__png_decode(ctx, "fuzz.png", copy, bytes, 1 << 18, &image);
  if (status == SUMI_OK) write_and_read(ctx, &image);
  sumi_image_free(ctx, &image);
  free(copy);
  return fuzz_end(ctx, &live, status);
}
