/* The only door to libjpeg. JPEG in memory; the files are in sumi/io.h. */
#ifndef SUMI_SRC_IO_JPEG_H
#define SUMI_SRC_IO_JPEG_H

#include "base/base.h"
#include "sumi/io.h"

/* True if the bytes begin like a JPEG. */
bool sumi__is_jpeg(const void *data, size_t bytes);

/* Encodes grey or RGB with a comment (NULL: none) as EXIF; quality is 1 to 100. The bytes are the caller's: free with
 * sumi__free. Errors as sumi_image_write. */
sumi_status sumi__jpeg_encode(sumi_context *ctx, const char *name, const sumi_image *image, int quality,
                              const char *comment, uint8_t **out, size_t *out_bytes);

/* Decodes as sumi_image_read does, but turns nothing; `name` stands for the path in errors, max_pixels bounds
 * width * height. */
sumi_status sumi__jpeg_decode(sumi_context *ctx, const char *name, const void *data, size_t bytes, int64_t max_pixels,
                              sumi_image *out);

/* The EXIF block, lent by the data; false if there is none. Only the segments before the pixels are read. */
bool sumi__jpeg_exif(const void *data, size_t bytes, const uint8_t **block, size_t *block_bytes);

#endif
