#include "io/png.h"

#include "io/file.h"
#include "io/png_chunk.h"
#include "io/text.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SIDE = 65535, MAX_PIXELS = 1 << 26, MAX_FILE_BYTES = 1 << 30 };

/* Deflate expands to at most 1032 times its size (https://zlib.net/zlib_tech.html). */
enum { MAX_EXPANSION = 1032 };

/* What libpng's callbacks need. Its errors leave by longjmp, so whatever must survive one lives here. */
typedef struct job {
  sumi_context *ctx;
  const char *name;
  jmp_buf escape;
  char message[160];
  bool starved;      /* memory ran out; the context has the error */
  const uint8_t *in; /* reading */
  size_t left;
  uint8_t *out; /* writing */
  size_t bytes, capacity;
  png_bytep *rows;
  png_text *texts;
  char *latin1;
} job;

static void on_error(png_structp png, png_const_charp message) {
  job *j = png_get_error_ptr(png);
  snprintf(j->message, sizeof j->message, "%s", message);
  longjmp(j->escape, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static png_voidp on_allocate(png_structp png, png_alloc_size_t bytes) {
  job *j = png_get_mem_ptr(png);
  void *memory = sumi__alloc(j->ctx, bytes);
  j->starved = j->starved || !memory;
  return memory;
}

static void on_free(png_structp png, png_voidp memory) { sumi__free(((job *)png_get_mem_ptr(png))->ctx, memory); }

static void on_read(png_structp png, png_bytep to, size_t bytes) {
  job *j = png_get_io_ptr(png);
  if (bytes > j->left) png_error(png, "is truncated");
  memcpy(to, j->in, bytes);
  j->in += bytes;
  j->left -= bytes;
}

static void on_write(png_structp png, png_bytep from, size_t bytes) {
  job *j = png_get_io_ptr(png);
  if (sumi__grow(j->ctx, (void **)&j->out, &j->capacity, j->bytes + bytes, 1) != SUMI_OK) j->starved = true;
  if (j->starved) png_error(png, "out of memory"); /* also a text that libpng left out for lack of memory */
  memcpy(j->out + j->bytes, from, bytes);
  j->bytes += bytes;
}

static void on_flush(png_structp png) { (void)png; }

static void free_job(job *j) {
  sumi__free(j->ctx, j->out);
  sumi__free(j->ctx, j->rows);
  sumi__free(j->ctx, j->texts);
  sumi__free(j->ctx, j->latin1);
}

sumi_status sumi__image_check(sumi_context *ctx, const char *what, int64_t width, int64_t height, int channels) {
  if (width < 1 || width > MAX_SIDE || height < 1 || height > MAX_SIDE)
    return sumi__fail(ctx, SUMI_INVALID, "%s: %lld x %lld pixels, each side must be 1 to %d", what, (long long)width,
                      (long long)height, (int)MAX_SIDE);
  if (channels != 1 && channels != 3 && channels != 4)
    return sumi__fail(ctx, SUMI_INVALID, "%s: %d channels, expected 1, 3 or 4", what, channels);
  return SUMI_OK;
}

static sumi_status point_to_rows(job *j, uint8_t *pixels, size_t row_bytes, size_t height) {
  j->rows = sumi__alloc_array(j->ctx, height, sizeof *j->rows);
  if (!j->rows) return SUMI_NO_MEMORY;
  for (size_t y = 0; y < height; y++) j->rows[y] = pixels + y * row_bytes;
  return SUMI_OK;
}

/* ---- Writing -------------------------------------------------------------------------------------------------- */

static bool is_keyword(const char *key) {
  const size_t n = strlen(key);
  if (n < 1 || n > 79 || key[0] == ' ' || key[n - 1] == ' ' || strstr(key, "  ")) return false;
  for (size_t i = 0; i < n; i++)
    if (key[i] < 0x20 || key[i] > 0x7e) return false;
  return true;
}

/* Writes UTF-8 as Latin-1 with a final zero and moves *to behind it; false, and nothing written, if it has characters
 * that Latin-1 lacks. A control character other than a newline is not Latin-1 text to PNG either. */
static bool to_latin1(const char *text, char **to) {
  char *out = *to;
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    unsigned c = *p;
    if (c == 0xc2 || c == 0xc3)
      c = (c & 3u) << 6 | (*++p & 0x3fu);
    else if (c >= 0x80)
      return false;
    if ((c < 0x20 && c != '\n') || (c >= 0x7f && c < 0xa0)) return false;
    *out++ = (char)c;
  }
  *out++ = 0;
  *to = out;
  return true;
}

/* tEXt where Latin-1 suffices, which every reader knows, else iTXt. */
static sumi_status prepare_texts(job *j, const sumi_png_text *texts, size_t count) {
  char shown[SUMI__QUOTE_MAX];
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    if (!is_keyword(texts[i].key))
      return sumi__fail(j->ctx, SUMI_INVALID, "%s: %s cannot be the keyword of a text in a PNG", j->name,
                        sumi__quote(shown, texts[i].key));
    if (!sumi__is_utf8(texts[i].text, strlen(texts[i].text)))
      return sumi__fail(j->ctx, SUMI_INVALID, "%s: the text %s is not UTF-8", j->name,
                        sumi__quote(shown, texts[i].key));
    bytes += strlen(texts[i].text) + 1;
  }
  j->texts = sumi__alloc_array(j->ctx, count, sizeof *j->texts);
  j->latin1 = sumi__alloc(j->ctx, bytes);
  if (!j->texts || !j->latin1) return SUMI_NO_MEMORY;
  char *to = j->latin1;
  for (size_t i = 0; i < count; i++) {
    char *converted = to;
    const bool fits = to_latin1(texts[i].text, &to);
    j->texts[i].compression = fits ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    j->texts[i].key = (char *)(uintptr_t)texts[i].key; /* libpng's interface lacks a const; it copies them */
    j->texts[i].text = fits ? converted : (char *)(uintptr_t)texts[i].text;
  }
  return SUMI_OK;
}

/* Everything between here and the end may leave by longjmp to the caller's setjmp. */
static void write_picture(png_structp png, png_infop info, const sumi_image *image, job *j, int text_count) {
  const int type = image->channels == 1   ? PNG_COLOR_TYPE_GRAY
                   : image->channels == 3 ? PNG_COLOR_TYPE_RGB
                                          : PNG_COLOR_TYPE_RGB_ALPHA;
  png_set_write_fn(png, j, on_write, on_flush);
  png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8, type, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (text_count) png_set_text(png, info, j->texts, text_count);
  png_write_info(png, info);
  png_write_image(png, j->rows);
  png_write_end(png, NULL);
}

static sumi_status encode(job *j, const sumi_image *image, int text_count) {
  png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j, on_allocate, on_free);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  volatile sumi_status status = SUMI_OK; /* set after setjmp, read after longjmp */
  if (!info) {
    status = SUMI_NO_MEMORY;
  } else if (setjmp(j->escape) == 0) {
    write_picture(png, info, image, j, text_count);
  } else if (j->starved) {
    status = SUMI_NO_MEMORY;
  } else {
    status = sumi__fail(j->ctx, SUMI_FAILED, "%s: cannot be encoded: %s", j->name, j->message);
  }
  if (status == SUMI_NO_MEMORY) sumi__fail_in(j->ctx, status, "%s", j->name);
  png_destroy_write_struct(&png, &info);
  return status;
}

static sumi_status encode_named(sumi_context *ctx, const char *name, const sumi_image *image,
                                const sumi_png_text *texts, size_t text_count, uint8_t **out, size_t *out_bytes) {
  job j = {.ctx = ctx, .name = name};
  *out = NULL;
  *out_bytes = 0;
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi__image_check(ctx, name, image->width, image->height, image->channels));
  SUMI_CHECK(ctx, text_count <= 1000, SUMI_INVALID, "%s: %zu texts, at most 1000 were expected", name, text_count);
  SUMI_TRY(prepare_texts(&j, texts, text_count));
  SUMI_TRY(point_to_rows(&j, image->pixels, (size_t)image->width * (size_t)image->channels, (size_t)image->height));
  SUMI_TRY(encode(&j, image, (int)text_count));
  *out = j.out;
  *out_bytes = j.bytes;
  j.out = NULL;
done:
  free_job(&j);
  return status;
}

sumi_status sumi__png_encode(sumi_context *ctx, const sumi_image *image, const sumi_png_text *texts, size_t text_count,
                             uint8_t **out, size_t *out_bytes) {
  return encode_named(ctx, "picture", image, texts, text_count, out, out_bytes);
}

sumi_status sumi_png_write(sumi_context *ctx, const char *path, const sumi_image *image, const sumi_png_text *texts,
                           size_t text_count) {
  uint8_t *data = NULL;
  size_t bytes = 0;
  sumi_status status = encode_named(ctx, path, image, texts, text_count, &data, &bytes);
  if (status == SUMI_OK) status = sumi__file_write(ctx, path, data, bytes);
  sumi__free(ctx, data);
  return status;
}

/* ---- Reading -------------------------------------------------------------------------------------------------- */

/* Of all optional chunks only tRNS changes the pixels that we promise. What is not parsed cannot be attacked. */
static void ignore_other_chunks(png_structp png) {
  static const png_byte ignored[] = "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0"
                                    "sRGB\0tEXt\0tIME\0zTXt";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, ignored, (int)(sizeof ignored / 5));
}

/* Asks libpng for 8-bit grey, RGB or RGBA. */
static void ask_for_8_bits(png_structp png, png_infop info) {
  const int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
  if (depth == 16) png_set_scale_16(png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  const bool transparent = png_get_valid(png, info, PNG_INFO_tRNS) != 0;
  if (transparent) png_set_tRNS_to_alpha(png);
  if (type == PNG_COLOR_TYPE_GRAY_ALPHA || (type == PNG_COLOR_TYPE_GRAY && transparent)) png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

/* Refuses sizes that are too large, or larger than the file can possibly expand to; runs before any pixel is
 * allocated. */
static sumi_status check_size(const job *j, png_structp png, png_infop info, size_t file_bytes, int64_t max_pixels) {
  const int64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > max_pixels)
    return sumi__fail(j->ctx, SUMI_FORMAT, "%s: has %lld x %lld pixels, at most %lld pixels were expected", j->name,
                      (long long)width, (long long)height, (long long)max_pixels);
  const size_t raw = png_get_rowbytes(png, info) * (size_t)height;
  if (raw / MAX_EXPANSION > file_bytes)
    return sumi__fail(j->ctx, SUMI_FORMAT, "%s: claims %lld x %lld pixels, more than its %zu bytes can hold", j->name,
                      (long long)width, (long long)height, file_bytes);
  return SUMI_OK;
}

/* Each step may leave by longjmp to the caller's setjmp; what was allocated is in the job and in *out by then. */
static sumi_status read_picture(png_structp png, png_infop info, job *j, int64_t max_pixels, sumi_image *out) {
  const size_t file_bytes = j->left;
  png_set_read_fn(png, j, on_read);
  png_set_user_limits(png, MAX_SIDE, MAX_SIDE);
  ignore_other_chunks(png);
  png_read_info(png, info);
  sumi_status status = check_size(j, png, info, file_bytes, max_pixels);
  if (status != SUMI_OK) return status;
  ask_for_8_bits(png, info);
  out->width = png_get_image_width(png, info);
  out->height = png_get_image_height(png, info);
  out->channels = png_get_channels(png, info);
  const size_t row_bytes = png_get_rowbytes(png, info);
  if (row_bytes != (size_t)out->width * (size_t)out->channels) png_error(png, "has an unknown kind of pixels");
  out->pixels = sumi__alloc_zero(j->ctx, row_bytes * (size_t)out->height);
  if (!out->pixels) return SUMI_NO_MEMORY;
  status = point_to_rows(j, out->pixels, row_bytes, (size_t)out->height);
  if (status != SUMI_OK) return status;
  png_read_image(png, j->rows);
  png_read_end(png, NULL);
  return SUMI_OK;
}

sumi_status sumi__png_decode(sumi_context *ctx, const char *name, const void *data, size_t bytes, int64_t max_pixels,
                             sumi_image *out) {
  *out = (sumi_image){0};
  if (!sumi__is_png(data, bytes)) return sumi__fail(ctx, SUMI_FORMAT, "%s: is not a PNG", name);
  job j = {.ctx = ctx, .name = name, .in = data, .left = bytes};
  png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning, &j, on_allocate, on_free);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  volatile sumi_status status = SUMI_OK; /* set after setjmp, read after longjmp */
  if (!info) {
    status = SUMI_NO_MEMORY;
  } else if (setjmp(j.escape) == 0) {
    status = read_picture(png, info, &j, max_pixels, out);
  } else if (j.starved) {
    status = SUMI_NO_MEMORY;
  } else {
    char shown[SUMI__QUOTE_MAX];
    status = sumi__fail(ctx, SUMI_FORMAT, "%s: is a damaged PNG: %s", name, sumi__quote(shown, j.message));
  }
  if (status == SUMI_NO_MEMORY) sumi__fail_in(ctx, status, "%s", name);
  png_destroy_read_struct(&png, &info, NULL);
  free_job(&j);
  if (status != SUMI_OK) sumi_image_free(ctx, out);
  return status;
}

sumi_status sumi_png_read(sumi_context *ctx, const char *path, sumi_image *out) {
  uint8_t *data = NULL;
  size_t bytes = 0;
  *out = (sumi_image){0};
  sumi_status status = sumi__file_read(ctx, path, MAX_FILE_BYTES, &data, &bytes);
  if (status == SUMI_OK) status = sumi__png_decode(ctx, path, data, bytes, MAX_PIXELS, out);
  sumi__free(ctx, data);
  return status;
}

void sumi_image_free(sumi_context *ctx, sumi_image *image) {
  sumi__free(ctx, image->pixels);
  *image = (sumi_image){0};
}

void sumi_pixels_from_floats(const float *values, size_t count, uint8_t *pixels) {
  for (size_t i = 0; i < count; i++) {
    const float x = values[i];
    pixels[i] = !(x > 0.0f) ? 0 : x >= 1.0f ? 255 : (uint8_t)(x * 255.0f + 0.5f);
  }
}
