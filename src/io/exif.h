/* The one text that JPEG and WebP carry: EXIF's UserComment, where AUTOMATIC1111 and others keep the `parameters` of a
 * picture; and which way up the picture is. A block here is EXIF's TIFF part, without the "Exif\0\0" before it in JPEG.
 * Format: Exif 2.32 (CIPA DC-008), sections 4.5 and 4.6; TIFF 6.0, section 2. */
#ifndef SUMI_SRC_IO_EXIF_H
#define SUMI_SRC_IO_EXIF_H

#include "base/base.h"
#include "sumi/io.h"

/* A block with nothing but the comment, UTF-16 and big-endian as piexif writes it. The bytes are the caller's: free
 * with sumi__free. Errors: INVALID (not UTF-8, longer than 8 MB), NO_MEMORY; `name` stands for the path. */
sumi_status sumi__exif_encode(sumi_context *ctx, const char *name, const char *text, uint8_t **out, size_t *out_bytes);

/* The comment of a block as UTF-8: free with sumi__free. NOT_FOUND if it has none or an empty one.
 * Errors: FORMAT (an offset or count that leads outside), NOT_FOUND, NO_MEMORY. */
sumi_status sumi__exif_comment(sumi_context *ctx, const char *name, const uint8_t *block, size_t bytes, char **out);

/* EXIF's Orientation, 1 to 8: which of the picture's corners the first row and column are. 1 where the block does not
 * say or is damaged. */
int sumi__exif_orientation(const uint8_t *block, size_t bytes);

/* The texts that a picture is to carry, as JPEG and WebP can: at most one, under the key "parameters"; *out is that
 * text or NULL, lent. Errors: INVALID. */
sumi_status sumi__exif_only_text(sumi_context *ctx, const char *name, const sumi_png_text *texts, size_t count,
                                 const char **out);

#endif
