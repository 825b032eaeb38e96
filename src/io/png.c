/* The only door to libpng. libpng reports errors by a jump: each use of it is one `body` that `guarded` runs, with all
 * of its state in a png_job, so that nothing is lost or left over when it jumps. */
#include "io/png.h"

#include "io/file.h"
#include "io/gzip.h"
#include "io/text.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

enum {
  SIDE_MAX = 65535,
  PIXELS_MAX = 1 << 28,
  TEXT_CHUNKS_MAX = 256,
  CHUNK_BYTES_MAX = 16 << 20, /* of a text or profile, expanded */
  FILE_BYTES_MAX = 1 << 30
};

typedef struct png_job {
  sumi_context *ctx;
  const char *name; /* of the file, for errors */
  jmp_buf env;
  png_structp png;
  png_infop info;
  sumi_status status;
  /* reading */
  const uint8_t *data;
  size_t bytes, position;
  int64_t max_pixels;
  sumi_image *image;
  png_bytep *rows;
  /* writing */
  const sumi_image *source;
  png_text *texts;
  size_t text_count;
  uint8_t *out;
  size_t out_bytes, out_capacity;
} png_job;

static void on_error(png_structp png, png_const_charp message) {
  png_job *job = png_get_error_ptr(png);
  char quoted[SUMI__QUOTE_MAX];
  if (job->status == SUMI_OK)
    job->status =
        sumi__fail(job->ctx, SUMI_FORMAT, "%s: not a readable PNG: %s", job->name, sumi__quote(quoted, message));
  longjmp(job->env, 1);
}

static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static png_voidp png_allocate(png_structp png, png_alloc_size_t bytes) {
  return sumi__alloc(((png_job *)png_get_mem_ptr(png))->ctx, bytes);
}

static void png_release(png_structp png, png_voidp memory) {
  sumi__free(((png_job *)png_get_mem_ptr(png))->ctx, memory);
}

/* Ends the body with a failure that is not libpng's. */
static void stop(png_job *job, sumi_status status) {
  job->status = status;
  longjmp(job->env, 1);
}

static void guarded(png_job *job, void (*body)(png_job *)) {
  if (setjmp(job->env) == 0) body(job);
}

/* ---- Checks shared with animations ---- */

sumi_status sumi__image_check(sumi_context *ctx, const char *what, int64_t width, int64_t height, int channels) {
  if (width < 1 || width > SIDE_MAX || height < 1 || height > SIDE_MAX)
    return sumi__fail(ctx, SUMI_INVALID, "%s: its size is %lldx%lld, expected sides of 1 to %d", what, (long long)width,
                      (long long)height, (int)SIDE_MAX);
  if (channels != 1 && channels != 3 && channels != 4)
    return sumi__fail(ctx, SUMI_INVALID, "%s: it has %d channels, expected 1, 3 or 4", what, channels);
  return SUMI_OK;
}

void sumi_image_free(sumi_context *ctx, sumi_image *image) {
  if (!image) return;
  sumi__free(ctx, image->pixels);
  *image = (sumi_image){0};
}

void sumi_text_free(sumi_context *ctx, char *text) { sumi__free(ctx, text); }

/* ---- Writing ---- */

static void on_write(png_structp png, png_bytep data, size_t bytes) {
  png_job *job = png_get_io_ptr(png);
  const sumi_status status =
      sumi__grow(job->ctx, (void **)&job->out, &job->out_capacity, job->out_bytes + bytes, sizeof *job->out);
  if (status != SUMI_OK) stop(job, status);
  memcpy(job->out + job->out_bytes, data, bytes);
  job->out_bytes += bytes;
}

static void on_flush(png_structp png) { (void)png; }

static void write_body(png_job *job) {
  const sumi_image *image = job->source;
  const int type = image->channels == 1   ? PNG_COLOR_TYPE_GRAY
                   : image->channels == 3 ? PNG_COLOR_TYPE_RGB
                                          : PNG_COLOR_TYPE_RGB_ALPHA;
  png_set_write_fn(job->png, job, on_write, on_flush);
  png_set_IHDR(job->png, job->info, (png_uint_32)image->width, (png_uint_32)image->height, 8, type, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (job->text_count) png_set_text(job->png, job->info, job->texts, (int)job->text_count);
  png_write_info(job->png, job->info);
  const size_t row = (size_t)(image->width * image->channels);
  for (int64_t y = 0; y < image->height; y++) png_write_row(job->png, image->pixels + (size_t)y * row);
  png_write_end(job->png, NULL);
}

static bool key_is_valid(const char *key) {
  const size_t n = strlen(key);
  if (n < 1 || n > 79 || key[0] == ' ' || key[n - 1] == ' ') return false;
  for (size_t i = 0; i < n; i++)
    if (key[i] < 32 || key[i] > 126 || (key[i] == ' ' && key[i + 1] == ' ')) return false;
  return true;
}

/* Rewrites UTF-8 as Latin-1 in place; false (and nothing changed) if a character is not in it. */
static bool to_latin1(char *text) {
  for (const unsigned char *s = (const unsigned char *)text; *s; s++)
    if (*s > 0xc3) return false; /* a lead byte beyond U+00FF */
  unsigned char *to = (unsigned char *)text;
  for (const unsigned char *s = to; *s; s++) {
    if (*s < 0x80)
      *to++ = *s;
    else {
      *to++ = (unsigned char)((s[0] & 3) << 6 | (s[1] & 0x3f));
      s++;
    }
  }
  *to = 0;
  return true;
}

static sumi_status make_texts(png_job *job, const sumi_png_text *texts, size_t count, sumi__arena *arena) {
  sumi_status status = SUMI_OK;
  char quoted[SUMI__QUOTE_MAX];
  SUMI_CHECK(job->ctx, count <= TEXT_CHUNKS_MAX, SUMI_INVALID, "PNG: %zu texts, expected at most %d", count,
             (int)TEXT_CHUNKS_MAX);
  job->texts = sumi__arena_alloc(arena, count * sizeof *job->texts);
  if (!job->texts) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < count; i++) {
    SUMI_CHECK(job->ctx, key_is_valid(texts[i].key), SUMI_INVALID,
               "PNG: the text's key %s is not 1 to 79 characters of printable ASCII",
               sumi__quote(quoted, texts[i].key));
    SUMI_CHECK(job->ctx, sumi__is_utf8(texts[i].text, strlen(texts[i].text)), SUMI_INVALID,
               "PNG: the text under %s is not UTF-8", sumi__quote(quoted, texts[i].key));
    char *text = sumi__arena_strdup(arena, texts[i].text);
    char *key = sumi__arena_strdup(arena, texts[i].key);
    if (!text || !key) return SUMI_NO_MEMORY;
    const bool latin1 = to_latin1(text);
    job->texts[i] = (png_text){.compression = latin1 ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
                               .key = key,
                               .text = text,
                               .text_length = latin1 ? strlen(text) : 0,
                               .itxt_length = latin1 ? 0 : strlen(text)};
  }
  job->text_count = count;
done:
  return status;
}

sumi_status sumi__png_encode(sumi_context *ctx, const sumi_image *image, const sumi_png_text *texts, size_t text_count,
                             uint8_t **out, size_t *out_bytes) {
  png_job job = {.ctx = ctx, .name = "PNG", .source = image};
  sumi__arena arena;
  *out = NULL;
  *out_bytes = 0;
  sumi_status status = sumi__image_check(ctx, "PNG", image->width, image->height, image->channels);
  if (status != SUMI_OK) return status;
  sumi__arena_init(&arena, ctx);
  job.status = make_texts(&job, texts, text_count, &arena);
  if (job.status == SUMI_OK) {
    job.png =
        png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, &job, png_allocate, png_release);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (job.info)
      guarded(&job, write_body);
    else
      job.status = sumi__fail(ctx, SUMI_NO_MEMORY, "out of memory while writing a PNG");
    png_destroy_write_struct(&job.png, &job.info);
  }
  sumi__arena_free(&arena);
  if (job.status != SUMI_OK) {
    sumi__free(ctx, job.out);
    return job.status;
  }
  *out = job.out;
  *out_bytes = job.out_bytes;
  return SUMI_OK;
}

sumi_status sumi_png_write(sumi_context *ctx, const char *path, const sumi_image *image, const sumi_png_text *texts,
                           size_t text_count) {
  uint8_t *data = NULL;
  size_t bytes = 0;
  sumi_status status = sumi__png_encode(ctx, image, texts, text_count, &data, &bytes);
  if (status != SUMI_OK) return sumi__fail_in(ctx, status, "%s", path);
  status = sumi__file_write(ctx, path, data, bytes);
  sumi__free(ctx, data);
  return status;
}

/* ---- Reading ---- */

static void on_read(png_structp png, png_bytep data, size_t bytes) {
  png_job *job = png_get_io_ptr(png);
  if (bytes > job->bytes - job->position) png_error(png, "the file ends too early");
  memcpy(data, job->data + job->position, bytes);
  job->position += bytes;
}

static void read_header(png_job *job) {
  png_set_read_fn(job->png, job, on_read);
  png_set_user_limits(job->png, SIDE_MAX, SIDE_MAX);
  png_set_chunk_cache_max(job->png, TEXT_CHUNKS_MAX);
  png_set_chunk_malloc_max(job->png, CHUNK_BYTES_MAX);
  png_set_benign_errors(job->png, 1);
  png_read_info(job->png, job->info);
}

/* Memory follows the header's size only if the file is large enough to hold so much: deflate shrinks by at most 1032.
 */
static void check_size(png_job *job, int64_t width, int64_t height) {
  const size_t raw = png_get_rowbytes(job->png, job->info) * (size_t)height;
  if (width * height > job->max_pixels)
    stop(job, sumi__fail(job->ctx, SUMI_FORMAT, "%s: %lldx%lld pixels, expected at most %lld in all", job->name,
                         (long long)width, (long long)height, (long long)job->max_pixels));
  if (raw / 1040 > job->bytes)
    stop(job, sumi__fail(job->ctx, SUMI_FORMAT, "%s: %zu bytes cannot hold the %lldx%lld pixels of its header",
                         job->name, job->bytes, (long long)width, (long long)height));
}

static void read_pixels_body(png_job *job) {
  read_header(job);
  const int64_t width = png_get_image_width(job->png, job->info), height = png_get_image_height(job->png, job->info);
  check_size(job, width, height);
  png_set_expand(job->png);
  png_set_scale_16(job->png);
  if ((png_get_color_type(job->png, job->info) & PNG_COLOR_MASK_COLOR) == 0 &&
      ((png_get_color_type(job->png, job->info) & PNG_COLOR_MASK_ALPHA) ||
       png_get_valid(job->png, job->info, PNG_INFO_tRNS)))
    png_set_gray_to_rgb(job->png);
  png_set_interlace_handling(job->png);
  png_read_update_info(job->png, job->info);
  job->image->width = width;
  job->image->height = height;
  job->image->channels = png_get_channels(job->png, job->info);
  const size_t row = png_get_rowbytes(job->png, job->info);
  if (row != (size_t)width * (size_t)job->image->channels) png_error(job->png, "its rows have an unexpected size");
  job->image->pixels = sumi__alloc(job->ctx, row * (size_t)height);
  job->rows = sumi__alloc_array(job->ctx, (size_t)height, sizeof *job->rows);
  if (!job->image->pixels || !job->rows) stop(job, SUMI_NO_MEMORY);
  for (int64_t y = 0; y < height; y++) job->rows[y] = job->image->pixels + (size_t)y * row;
  png_read_image(job->png, job->rows);
  png_read_end(job->png, NULL);
}

static bool has_signature(png_job *job) {
  if (job->bytes >= 8 && png_sig_cmp(job->data, 0, 8) == 0) return true;
  job->status = sumi__fail(job->ctx, SUMI_FORMAT, "%s: not a PNG: it does not begin with PNG's signature", job->name);
  return false;
}

/* Opens the job's data for reading, runs the body; the caller destroys what is left in the job. */
static void read_png(png_job *job, void (*body)(png_job *)) {
  if (!has_signature(job)) return;
  job->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, job, on_error, on_warning, job, png_allocate, png_release);
  job->info = job->png ? png_create_info_struct(job->png) : NULL;
  if (job->info)
    guarded(job, body);
  else
    job->status = sumi__fail(job->ctx, SUMI_NO_MEMORY, "out of memory while reading %s", job->name);
}

sumi_status sumi__png_decode(sumi_context *ctx, const char *name, const void *data, size_t bytes, int64_t max_pixels,
                             sumi_image *out) {
  png_job job = {.ctx = ctx, .name = name, .data = data, .bytes = bytes, .max_pixels = max_pixels, .image = out};
  *out = (sumi_image){0};
  read_png(&job, read_pixels_body);
  png_destroy_read_struct(&job.png, &job.info, NULL);
  sumi__free(ctx, job.rows);
  if (job.status != SUMI_OK) sumi_image_free(ctx, out);
  return job.status;
}

sumi_status sumi_png_read(sumi_context *ctx, const char *path, sumi_image *out) {
  uint8_t *data = NULL;
  size_t bytes = 0;
  *out = (sumi_image){0};
  sumi_status status = sumi__file_read(ctx, path, FILE_BYTES_MAX, &data, &bytes);
  if (status == SUMI_OK) status = sumi__png_decode(ctx, path, data, bytes, PIXELS_MAX, out);
  sumi__free(ctx, data);
  return status;
}

/* ---- Texts ---- */

static size_t text_bytes(const png_text *t) { return t->compression < 1 ? t->text_length : t->itxt_length; }

/* UTF-8 into `out`, at most two bytes for each of the source, and a zero byte. Returns what it wrote, zero included. */
static size_t text_to_utf8(const png_text *t, char *out) {
  const bool international = t->compression >= 1;
  const size_t n = text_bytes(t);
  const bool keep = international && sumi__is_utf8(t->text, n);
  char *to = out;
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)t->text[i];
    if (c < 0x80 || keep)
      *to++ = (char)c;
    else if (international)
      *to++ = '?'; /* broken UTF-8 */
    else {
      *to++ = (char)(0xc0 | c >> 6);
      *to++ = (char)(0x80 | (c & 0x3f));
    }
  }
  *to++ = 0;
  return (size_t)(to - out);
}

enum { SIGNATURE_BYTES = 8, CHUNK_OVERHEAD = 12 };

static uint32_t get_u32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static size_t append_chunk(uint8_t *out, size_t at, const char *type, const uint8_t *data, uint32_t bytes) {
  for (int i = 0; i < 4; i++) out[at + (size_t)i] = (uint8_t)(bytes >> (24 - 8 * i));
  memcpy(out + at + 4, type, 4);
  if (bytes) memcpy(out + at + 8, data, bytes);
  const uint32_t crc = sumi__crc32(0, out + at + 4, bytes + 4);
  for (int i = 0; i < 4; i++) out[at + 8 + bytes + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
  return at + CHUNK_OVERHEAD + bytes;
}

/* The texts of a picture without its pixels: a PNG of one pixel that holds the text chunks of the job's, up to where
 * the pixels would begin. (libpng cannot skip pixels to the texts behind them.) */
static sumi_status extract_texts(png_job *job, uint8_t **out, size_t *out_bytes) {
  static const uint8_t one_pixel[13] = {0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0};
  static const char *const kinds[] = {"tEXt", "zTXt", "iTXt"};
  uint8_t *png = sumi__alloc(job->ctx, job->bytes + 64);
  if (!png) return SUMI_NO_MEMORY;
  memcpy(png, job->data, SIGNATURE_BYTES);
  size_t n = append_chunk(png, SIGNATURE_BYTES, "IHDR", one_pixel, sizeof one_pixel);
  bool ended = false;
  for (size_t at = SIGNATURE_BYTES; !ended;) {
    const uint8_t *chunk = job->data + at;
    const size_t left = job->bytes - at;
    const uint32_t length = left >= CHUNK_OVERHEAD ? get_u32(chunk) : UINT32_MAX;
    if (left < CHUNK_OVERHEAD || length > left - CHUNK_OVERHEAD) {
      sumi__free(job->ctx, png);
      return sumi__fail(job->ctx, SUMI_FORMAT, "%s: not a readable PNG: a chunk at byte %zu goes beyond its end",
                        job->name, at);
    }
    for (int k = 0; k < 3; k++)
      if (memcmp(chunk + 4, kinds[k], 4) == 0) n = append_chunk(png, n, kinds[k], chunk + 8, length);
    ended = memcmp(chunk + 4, "IEND", 4) == 0;
    at += CHUNK_OVERHEAD + length;
  }
  *out_bytes = append_chunk(png, n, "IDAT", NULL, 0);
  *out = png;
  return SUMI_OK;
}

/* The job's texts as one block of memory. */
static sumi_status collect_texts(png_job *job, sumi_png_text **out, size_t *out_count) {
  png_text *texts = NULL;
  int count = 0;
  png_get_text(job->png, job->info, &texts, &count);
  size_t room = (size_t)count * sizeof **out;
  for (int i = 0; i < count; i++) room += strlen(texts[i].key) + 1 + 2 * text_bytes(&texts[i]) + 1;
  *out = sumi__alloc(job->ctx, room);
  if (!*out) return SUMI_NO_MEMORY;
  char *at = (char *)(*out + count);
  for (int i = 0; i < count; i++) {
    (*out)[i].key = strcpy(at, texts[i].key);
    at += strlen(at) + 1;
    (*out)[i].text = at;
    at += text_to_utf8(&texts[i], at);
  }
  *out_count = (size_t)count;
  return SUMI_OK;
}

sumi_status sumi__png_decode_texts(sumi_context *ctx, const char *name, const void *data, size_t bytes,
                                   sumi_png_text **out, size_t *out_count) {
  png_job job = {.ctx = ctx, .name = name, .data = data, .bytes = bytes};
  uint8_t *without_pixels = NULL;
  *out = NULL;
  *out_count = 0;
  if (has_signature(&job)) job.status = extract_texts(&job, &without_pixels, &job.bytes);
  if (job.status == SUMI_OK) {
    job.data = without_pixels;
    read_png(&job, read_header);
  }
  if (job.status == SUMI_OK) job.status = collect_texts(&job, out, out_count);
  png_destroy_read_struct(&job.png, &job.info, NULL);
  sumi__free(ctx, without_pixels);
  return job.status;
}

sumi_status sumi_png_read_text(sumi_context *ctx, const char *path, const char *key, char **out) {
  sumi_status status = SUMI_OK;
  uint8_t *data = NULL;
  sumi_png_text *texts = NULL;
  size_t bytes = 0, count = 0;
  char quoted[SUMI__QUOTE_MAX];
  *out = NULL;
  SUMI_TRY(sumi__file_read(ctx, path, FILE_BYTES_MAX, &data, &bytes));
  SUMI_TRY(sumi__png_decode_texts(ctx, path, data, bytes, &texts, &count));
  for (size_t i = 0; i < count && !*out; i++) {
    if (strcmp(texts[i].key, key) != 0) continue;
    *out = sumi__strdup(ctx, texts[i].text);
    if (!*out) status = SUMI_NO_MEMORY;
  }
  if (status == SUMI_OK && !*out)
    status = sumi__fail(ctx, SUMI_NOT_FOUND, "%s: it has no text under the key %s", path, sumi__quote(quoted, key));
done:
  sumi__free(ctx, texts);
  sumi__free(ctx, data);
  return status;
}
