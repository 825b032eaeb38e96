/* Pictures of any kind: told apart by content when they are read, by the path's extension when they are written. */
#include "io/image.h"

#include "io/exif.h"
#include "io/file.h"
#include "io/jpeg.h"
#include "io/png.h"
#include "io/png_chunk.h"
#include "io/webp.h"

#include <string.h>
#include <strings.h>

enum { MAX_PIXELS = 1 << 26, MAX_FILE_BYTES = 1 << 30, DEFAULT_QUALITY = 90 };

static sumi_image_kind kind_of(const void *data, size_t bytes) {
  if (sumi__is_png(data, bytes)) return SUMI_IMAGE_PNG;
  if (sumi__is_jpeg(data, bytes)) return SUMI_IMAGE_JPEG;
  return sumi__is_webp(data, bytes) ? SUMI_IMAGE_WEBP : SUMI_IMAGE_UNKNOWN;
}

sumi_status sumi_image_detect(sumi_context *ctx, const char *path, sumi_image_kind *out) {
  sumi__mapping map = {0};
  *out = SUMI_IMAGE_UNKNOWN;
  const sumi_status status = sumi__file_map(ctx, path, &map);
  if (status == SUMI_OK) *out = kind_of(map.data, map.bytes);
  sumi__file_unmap(&map);
  return status;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------
 */

static bool find_exif(const void *data, size_t bytes, const uint8_t **block, size_t *block_bytes) {
  return sumi__jpeg_exif(data, bytes, block, block_bytes) || sumi__webp_exif(data, bytes, block, block_bytes);
}

/* Orientation 1 to 8 as three steps: rows and columns change places, then columns, rows run backwards. */
static sumi_status turn(sumi_context *ctx, sumi_image *image, int orientation) {
  const bool transpose = orientation >= 5;
  const bool mirror = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool flip = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const int64_t width = transpose ? image->height : image->width, height = transpose ? image->width : image->height;
  const size_t channels = (size_t)image->channels;
  if (orientation == 1) return SUMI_OK;
  uint8_t *pixels = sumi__alloc(ctx, (size_t)width * (size_t)height * channels), *to = pixels;
  if (!pixels) return SUMI_NO_MEMORY;
  for (int64_t y = 0; y < height; y++)
    for (int64_t x = 0; x < width; x++, to += channels) {
      const int64_t u = mirror ? width - 1 - x : x, v = flip ? height - 1 - y : y;
      const int64_t from = transpose ? u * image->width + v : v * image->width + u;
      memcpy(to, image->pixels + (size_t)from * channels, channels);
    }
  sumi__free(ctx, image->pixels);
  *image = (sumi_image){width, height, image->channels, pixels};
  return SUMI_OK;
}

sumi_status sumi__image_decode(sumi_context *ctx, const char *name, const void *data, size_t bytes, int64_t max_pixels,
                               sumi_image *out) {
  const uint8_t *block;
  size_t block_bytes;
  sumi_status status;
  *out = (sumi_image){0};
  switch (kind_of(data, bytes)) {
  case SUMI_IMAGE_PNG: return sumi__png_decode(ctx, name, data, bytes, max_pixels, out);
  case SUMI_IMAGE_JPEG: status = sumi__jpeg_decode(ctx, name, data, bytes, max_pixels, out); break;
  case SUMI_IMAGE_WEBP: status = sumi__webp_decode(ctx, name, data, bytes, max_pixels, out); break;
  default: return sumi__fail(ctx, SUMI_FORMAT, "%s: is no picture that sumi reads; expected a PNG, JPEG or WebP", name);
  }
  if (status == SUMI_OK && find_exif(data, bytes, &block, &block_bytes)) {
    status = turn(ctx, out, sumi__exif_orientation(block, block_bytes));
    if (status != SUMI_OK) sumi__fail_in(ctx, status, "%s", name);
  }
  if (status != SUMI_OK) sumi_image_free(ctx, out);
  return status;
}

sumi_status sumi_image_read(sumi_context *ctx, const char *path, sumi_image *out) {
  uint8_t *data = NULL;
  size_t bytes = 0;
  *out = (sumi_image){0};
  sumi_status status = sumi__file_read(ctx, path, MAX_FILE_BYTES, &data, &bytes);
  if (status == SUMI_OK) status = sumi__image_decode(ctx, path, data, bytes, MAX_PIXELS, out);
  sumi__free(ctx, data);
  return status;
}

sumi_status sumi__image_decode_comment(sumi_context *ctx, const char *name, const void *data, size_t bytes,
                                       char **out) {
  const uint8_t *block;
  size_t block_bytes;
  *out = NULL;
  if (find_exif(data, bytes, &block, &block_bytes)) return sumi__exif_comment(ctx, name, block, block_bytes, out);
  return sumi__fail(ctx, SUMI_NOT_FOUND, "%s: has no text under the key `parameters`", name);
}

sumi_status sumi_image_read_text(sumi_context *ctx, const char *path, const char *key, char **out) {
  sumi_status status = SUMI_OK;
  sumi__mapping map = {0};
  *out = NULL;
  SUMI_TRY(sumi__file_map(ctx, path, &map));
  const sumi_image_kind kind = kind_of(map.data, map.bytes);
  SUMI_CHECK(ctx, kind != SUMI_IMAGE_UNKNOWN, SUMI_FORMAT,
             "%s: is no picture that sumi reads; expected a PNG, JPEG or WebP", path);
  if (kind == SUMI_IMAGE_PNG) {
    status = sumi_png_read_text(ctx, path, key, out);
    goto done;
  }
  SUMI_CHECK(ctx, !strcmp(key, "parameters"), SUMI_NOT_FOUND, "%s: JPEG and WebP have a text under `parameters` alone",
             path);
  SUMI_TRY(sumi__image_decode_comment(ctx, path, map.data, map.bytes, out));
done:
  sumi__file_unmap(&map);
  return status;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------
 */

static sumi_image_kind kind_of_name(const char *path) {
  const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
  if (!dot) return SUMI_IMAGE_UNKNOWN;
  if (!strcasecmp(dot, ".png")) return SUMI_IMAGE_PNG;
  if (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg")) return SUMI_IMAGE_JPEG;
  return strcasecmp(dot, ".webp") ? SUMI_IMAGE_UNKNOWN : SUMI_IMAGE_WEBP;
}

sumi_status sumi_image_write(sumi_context *ctx, const char *path, const sumi_image *image,
                             const sumi_image_write_options *options) {
  sumi_status status = SUMI_OK;
  const sumi_image_write_options o = options ? *options : (sumi_image_write_options){0};
  const int quality = o.quality ? o.quality : DEFAULT_QUALITY;
  const sumi_image_kind kind = kind_of_name(path);
  const char *comment = NULL;
  uint8_t *data = NULL;
  size_t bytes = 0;
  SUMI_CHECK(ctx, kind != SUMI_IMAGE_UNKNOWN, SUMI_INVALID,
             "%s: the name tells the kind of picture; expected one that ends in .png, .jpg, .jpeg or .webp", path);
  SUMI_CHECK(ctx, quality >= 1 && quality <= 100, SUMI_INVALID, "%s: a quality of %d, expected 1 to 100", path,
             quality);
  SUMI_CHECK(ctx, !o.lossless || kind != SUMI_IMAGE_JPEG, SUMI_INVALID,
             "%s: a JPEG cannot be lossless; PNG and WebP can", path);
  if (kind == SUMI_IMAGE_PNG) return sumi_png_write(ctx, path, image, o.texts, o.text_count);
  SUMI_TRY(sumi__exif_only_text(ctx, path, o.texts, o.text_count, &comment));
  if (kind == SUMI_IMAGE_JPEG)
    SUMI_TRY(sumi__jpeg_encode(ctx, path, image, quality, comment, &data, &bytes));
  else
    SUMI_TRY(sumi__webp_encode(ctx, path, image, quality, o.lossless, comment, &data, &bytes));
  SUMI_TRY(sumi__file_write(ctx, path, data, bytes));
done:
  sumi__free(ctx, data);
  return status;
}
