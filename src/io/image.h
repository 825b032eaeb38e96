/* Pictures of any kind in memory; the files are in sumi/io.h. */
#ifndef SUMI_SRC_IO_IMAGE_H
#define SUMI_SRC_IO_IMAGE_H

#include "base/base.h"
#include "sumi/io.h"

/* Decodes as sumi_image_read does; `name` stands for the path in errors, max_pixels bounds width * height. */
sumi_status sumi__image_decode(sumi_context *ctx, const char *name, const void *data, size_t bytes, int64_t max_pixels,
                               sumi_image *out);

/* The EXIF comment of a JPEG or WebP as sumi_image_read_text gives it. */
sumi_status sumi__image_decode_comment(sumi_context *ctx, const char *name, const void *data, size_t bytes, char **out);

#endif
