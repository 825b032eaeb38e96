/* The only door to libpng. PNG in memory; the files are in sumi/io.h. */
#ifndef SUMI_SRC_IO_PNG_H
#define SUMI_SRC_IO_PNG_H

#include "base/base.h"
#include "sumi/io.h"

/* INVALID unless width, height and channels are what sumi_image allows; `what` names the caller's object. */
sumi_status sumi__image_check(sumi_context *ctx, const char *what, int64_t width, int64_t height, int channels);

/* Encodes; the bytes are the caller's, free with sumi__free. Errors as sumi_png_write. */
sumi_status sumi__png_encode(sumi_context *ctx, const sumi_image *image, const sumi_png_text *texts, size_t text_count,
                             uint8_t **out, size_t *out_bytes);

/* Decodes as sumi_png_read does; `name` stands for the path in errors, max_pixels bounds width * height. */
sumi_status sumi__png_decode(sumi_context *ctx, const char *name, const void *data, size_t bytes, int64_t max_pixels,
                             sumi_image *out);

/* All texts of a PNG, as UTF-8. One block of memory: free with sumi__free. */
sumi_status sumi__png_decode_texts(sumi_context *ctx, const char *name, const void *data, size_t bytes,
                                   sumi_png_text **out, size_t *out_count);

#endif
