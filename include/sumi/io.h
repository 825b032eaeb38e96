/* sumi/io.h: the files that sumi shares with the world: safetensors, pictures (PNG, JPEG, WebP), animated PNG.
 *
 *   sumi_safetensors *file = NULL;
 *   if (sumi_safetensors_open(ctx, "model.safetensors", &file) != SUMI_OK) return 1;
 *   for (size_t i = 0; i < sumi_safetensors_count(file); i++) puts(sumi_safetensors_tensor_at(file, i)->name);
 *   sumi_safetensors_close(file);
 *
 * Whatever is read is checked before it is believed: a malformed file gives SUMI_FORMAT and one line that names the
 * file, the place and what was expected. Whatever is written appears whole or not at all: on any failure the file
 * that was there before stays as it was. Paths are UTF-8, as the operating system takes them.
 * What a context made is used by one thread at a time, like the context. */
#ifndef SUMI_IO_H
#define SUMI_IO_H

#include "sumi/base.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- safetensors --------------------------------------------------------------------------------------------- */

/* A safetensors file, mapped into memory and checked in full when it is opened
 * (format: https://github.com/huggingface/safetensors, "Format"). Immutable. */
typedef struct sumi_safetensors sumi_safetensors;

/* One tensor of a file. All pointers are lent by the file and valid until it is closed. */
typedef struct sumi_safetensors_tensor {
  const char *name;
  const char *dtype;   /* as the format spells it: "F32", "BF16", "I64", ... */
  int rank;            /* 0 for a scalar */
  const int64_t *dims; /* outermost first, each 0 or more; `rank` of them */
  int64_t count;       /* elements: the product of dims */
  const void *data;    /* little-endian, row-major; not necessarily aligned to the element */
  size_t bytes;        /* length of data */
} sumi_safetensors_tensor;

/* Opens a file. The mapping follows the file, so it must not be truncated while it is open (files that sumi writes
 * are replaced, never truncated). Free with sumi_safetensors_close.
 * Errors: NOT_FOUND, IO (cannot be read), FORMAT (malformed: the line says where), NO_MEMORY. */
SUMI_API sumi_status sumi_safetensors_open(sumi_context *ctx, const char *path, sumi_safetensors **out);
/* NULL is allowed. */
SUMI_API void sumi_safetensors_close(sumi_safetensors *file);

SUMI_API size_t sumi_safetensors_count(const sumi_safetensors *file);
/* The i-th tensor in the order of the data, i below the count; NULL beyond it. */
SUMI_API const sumi_safetensors_tensor *sumi_safetensors_tensor_at(const sumi_safetensors *file, size_t i);
/* The tensor of that name, or NULL. Takes O(log count). */
SUMI_API const sumi_safetensors_tensor *sumi_safetensors_find(const sumi_safetensors *file, const char *name);

/* The file's `__metadata__`: pairs of strings, in the file's order. */
SUMI_API size_t sumi_safetensors_metadata_count(const sumi_safetensors *file);
/* Lends the i-th pair, i below the count. Returns false beyond it. */
SUMI_API bool sumi_safetensors_metadata_at(const sumi_safetensors *file, size_t i, const char **key,
                                           const char **value);
/* The value of a key, lent, or NULL. */
SUMI_API const char *sumi_safetensors_metadata(const sumi_safetensors *file, const char *key);

typedef struct sumi_statistics {
  double min, max, mean, std; /* of the finite elements (std: of the population); all 0 when there are none */
  int64_t nonfinite;          /* NaN and infinite elements */
} sumi_statistics;

/* Reads through a tensor of the file once. Errors: UNSUPPORTED (complex and sub-byte types). */
SUMI_API sumi_status sumi_safetensors_statistics(const sumi_safetensors *file, const sumi_safetensors_tensor *tensor,
                                                 sumi_statistics *out);

/* ---- Tensors of any file ------------------------------------------------------------------------------------- */

/* A safetensors file, an archive or stream of torch.save (.pt, .pth, .ckpt, .bin), or a file NAME.index.json that names
 * several of these: told apart by content. Nothing in a file is executed. Immutable. */
typedef struct sumi_tensor_file sumi_tensor_file;

/* Maps the file and checks all that it says of its tensors. Close with sumi_tensor_file_close.
 * Errors: NOT_FOUND or IO (cannot be read), FORMAT (none of these kinds, or damaged), UNSUPPORTED (compressed, or of
 * big-endian numbers), NO_MEMORY. */
SUMI_API sumi_status sumi_tensor_file_open(sumi_context *ctx, const char *path, sumi_tensor_file **out);
/* NULL is allowed. */
SUMI_API void sumi_tensor_file_close(sumi_tensor_file *file);
/* "safetensors", "PyTorch" or "sharded"; static. */
SUMI_API const char *sumi_tensor_file_kind(const sumi_tensor_file *file);
SUMI_API size_t sumi_tensor_file_count(const sumi_tensor_file *file);
/* The i-th tensor, lent; NULL from the count on. What lies in dictionaries and lists of a PyTorch file has its keys,
 * joined by dots, for a name; its numbers are tensors without dimensions. Types are spelled as safetensors spells them;
 * of one that is not known here ("unknown") there is neither count nor data. */
SUMI_API const sumi_safetensors_tensor *sumi_tensor_file_at(const sumi_tensor_file *file, size_t i);
/* A safetensors file's pairs, as sumi_safetensors_metadata_at; others have none. */
SUMI_API bool sumi_tensor_file_metadata_at(const sumi_tensor_file *file, size_t i, const char **key,
                                           const char **value);
/* As sumi_safetensors_statistics. */
SUMI_API sumi_status sumi_tensor_file_statistics(const sumi_tensor_file *file, const sumi_safetensors_tensor *tensor,
                                                 sumi_statistics *out);

/* ---- Writing tensors ------------------------------------------------------------------------------------------ */

/* An array to write: f32, row-major. */
typedef struct sumi_array {
  const char *name; /* UTF-8, unique in the file */
  int rank;         /* 0 to 6 */
  const int64_t *dims;
  const float *data;
} sumi_array;

/* Writes a file of f32 tensors, whole or not at all. Errors: INVALID (a name twice, a shape), IO, NO_MEMORY. */
SUMI_API sumi_status sumi_safetensors_write_f32(sumi_context *ctx, const char *path, const sumi_array *arrays,
                                                size_t count);

/* ---- Pictures ------------------------------------------------------------------------------------------------ */

/* 8-bit samples, rows from top to bottom without gaps: height * width * channels bytes. */
typedef struct sumi_image {
  int64_t width, height; /* 1 to 65535 */
  int channels;          /* 1 grey, 3 RGB, 4 RGBA (alpha not premultiplied) */
  uint8_t *pixels;
} sumi_image;

/* Samples as floats in [0, 1] (clamped; NaN is 0), rounded to bytes. Thread-safe. */
SUMI_API void sumi_pixels_from_floats(const float *values, size_t count, uint8_t *pixels);

/* A note inside a picture, such as the prompt under the keyword "parameters". */
typedef struct sumi_png_text {
  const char *key;  /* 1 to 79 characters of printable ASCII, no space at either end or doubled */
  const char *text; /* UTF-8; stored as Latin-1 where that suffices */
} sumi_png_text;

/* Writes a PNG with `text_count` notes (texts may be NULL when it is 0).
 * Errors: INVALID (size, channels, a key, text that is not UTF-8), IO, NO_MEMORY. */
SUMI_API sumi_status sumi_png_write(sumi_context *ctx, const char *path, const sumi_image *image,
                                    const sumi_png_text *texts, size_t text_count);

/* Reads a PNG of any kind as 8 bits per sample: palettes become RGB, 16-bit samples are scaled, transparency becomes
 * an alpha channel (grey with alpha becomes RGBA). The pixels are the caller's: free with sumi_image_free.
 * Pictures above 2^26 pixels are refused. Errors: NOT_FOUND, IO, FORMAT, NO_MEMORY. On failure *out is all zero. */
SUMI_API sumi_status sumi_png_read(sumi_context *ctx, const char *path, sumi_image *out);
/* Frees the pixels that a reader gave and zeroes the struct. */
SUMI_API void sumi_image_free(sumi_context *ctx, sumi_image *image);

/* The text of a PNG under a key, UTF-8 and NUL-terminated; free with sumi_text_free. Only the chunks before and after
 * the pixels are read. Errors: NOT_FOUND (no such file or key), IO, FORMAT, NO_MEMORY. */
SUMI_API sumi_status sumi_png_read_text(sumi_context *ctx, const char *path, const char *key, char **out);
SUMI_API void sumi_text_free(sumi_context *ctx, char *text);

/* ---- Pictures of any kind ---- */

typedef enum sumi_image_kind { SUMI_IMAGE_UNKNOWN, SUMI_IMAGE_PNG, SUMI_IMAGE_JPEG, SUMI_IMAGE_WEBP } sumi_image_kind;

/* What kind of picture a file is, told by its first bytes, not by its name. Errors: NOT_FOUND, IO. */
SUMI_API sumi_status sumi_image_detect(sumi_context *ctx, const char *path, sumi_image_kind *out);

/* Reads a PNG, JPEG or WebP, told apart by content, as 8 bits per sample; PNGs as sumi_png_read does. A picture whose
 * EXIF data say that it lies on its side is turned upright. The pixels are the caller's: free with sumi_image_free.
 * Errors: NOT_FOUND, IO, FORMAT (none of the three; damaged, truncated; above 2^26 pixels), UNSUPPORTED (CMYK or
 * arithmetic coding in a JPEG, an animated WebP), NO_MEMORY. On failure *out is all zero. */
SUMI_API sumi_status sumi_image_read(sumi_context *ctx, const char *path, sumi_image *out);

/* The text of a picture under a key, UTF-8 and NUL-terminated; free with sumi_text_free. Of JPEG and WebP the key
 * "parameters" alone: EXIF's UserComment. Errors: NOT_FOUND (no such file or key), IO, FORMAT,
 * NO_MEMORY. */
SUMI_API sumi_status sumi_image_read_text(sumi_context *ctx, const char *path, const char *key, char **out);

typedef struct sumi_image_write_options {
  int quality;                /* of JPEG and lossy WebP: 1 to 100; 0 means 90 */
  bool lossless;              /* WebP alone: every pixel as it is, also those that are transparent */
  const sumi_png_text *texts; /* notes; JPEG and WebP carry one, under the key "parameters" */
  size_t text_count;
} sumi_image_write_options;

/* Writes the kind of picture that the path's extension names: .png, .jpg, .jpeg, .webp, of any case. NULL for options
 * means all zero. JPEG has no transparency; WebP has no grey and stores RGB.
 * Errors: INVALID (another extension; an option; a size: JPEG holds sides up to 65500, WebP up to 16383; 4 channels for
 * JPEG; a text that the kind cannot carry), IO, NO_MEMORY. */
SUMI_API sumi_status sumi_image_write(sumi_context *ctx, const char *path, const sumi_image *image,
                                      const sumi_image_write_options *options);

/* A picture of another size, by Lanczos' filter with three lobes, bit for bit as Pillow's Image.resize: 8-bit results
 * of the horizontal pass, then the vertical one, colours weighted with their alpha. width and height are 1 to 65535, at
 * most 2^26 pixels in all. The result is the caller's: free with sumi_image_free. `out` is not `image`. Errors:
 * INVALID, NO_MEMORY; then *out is all zero. */
SUMI_API sumi_status sumi_image_resize(sumi_context *ctx, const sumi_image *image, int64_t width, int64_t height,
                                       sumi_image *out);

/* An animated PNG (APNG 1.0; other viewers show its first frame), written frame by frame, of which only one is held
 * in memory. */
typedef struct sumi_animation sumi_animation;

typedef struct sumi_animation_options {
  int64_t width, height; /* 1 to 65535 */
  int channels;          /* 1, 3 or 4, as in sumi_image */
  int delay_ms;          /* for each frame that does not say otherwise; 1 to 65535 */
  int loops;             /* how often it plays; 0 means for ever */
} sumi_animation_options;

/* Starts a file, which appears at `path` when the animation is finished. Errors: INVALID, IO, NO_MEMORY. */
SUMI_API sumi_status sumi_animation_create(sumi_context *ctx, const char *path, const sumi_animation_options *options,
                                           sumi_animation **out);
/* Adds a frame of the animation's size, height * width * channels bytes, shown for delay_ms (0: the animation's own
 * delay). Errors: INVALID, IO, NO_MEMORY; after one the animation can only be freed. */
SUMI_API sumi_status sumi_animation_add(sumi_animation *animation, const uint8_t *pixels, int delay_ms);
/* Completes the file; at least one frame must be there. Call sumi_animation_free afterwards in any case. */
SUMI_API sumi_status sumi_animation_finish(sumi_animation *animation);
/* Frees it; what has not been finished is discarded, and the old file, if any, stays. NULL is allowed. */
SUMI_API void sumi_animation_free(sumi_animation *animation);

#ifdef __cplusplus
}
#endif
#endif
