#include "io/jpeg.h"

#include "io/exif.h"
#include "io/png.h"
#include "io/text.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* MAX_EXPANSION: a block of 8 x 8 samples takes a bit at least, a pixel is 3 bytes, and colours may be stored at a
 * quarter of the width and half of the height. MAX_SCANS: each scan of a progressive file goes over the whole picture;
 * real ones have about ten. */
enum { MAX_SIDE = 65500, MAX_EXPANSION = 2048, MAX_SCANS = 100, SINK_BYTES = 1 << 14 };
enum { APP1 = JPEG_APP0 + 1, PREFIX = 6, MAX_EXIF = 65533 - PREFIX };

/* What libjpeg's callbacks need. Its errors leave by longjmp, so whatever must survive one lives here. */
typedef struct job {
  struct jpeg_error_mgr errors; /* first: libjpeg hands it to the callbacks */
  sumi_context *ctx;
  const char *name;
  jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  bool starved; /* memory ran out; the context has the error */
  struct jpeg_source_mgr source;
  struct jpeg_destination_mgr sink;
  struct jpeg_progress_mgr progress;
  uint8_t *out, *exif; /* writing */
  size_t capacity, exif_bytes;
} job;

static void on_error(j_common_ptr jpeg) {
  job *j = (job *)jpeg->err;
  jpeg->err->format_message(jpeg, j->message);
  longjmp(j->escape, 1);
}

static void stop(job *j, const char *message) {
  snprintf(j->message, sizeof j->message, "%s", message);
  longjmp(j->escape, 1);
}

/* A warning that means wrong pixels is an error; others (surplus bytes, odd versions) are not. */
static void on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
  case JWRN_ADOBE_XFORM:
  case JWRN_EXTRANEOUS_DATA:
  case JWRN_JFIF_MAJOR:
  case JWRN_NOT_SEQUENTIAL:
  case JWRN_TOO_MUCH_DATA: break;
  default: on_error(jpeg);
  }
}

static void set_errors(job *j) {
  jpeg_std_error(&j->errors);
  j->errors.error_exit = on_error;
  j->errors.emit_message = on_message;
}

static sumi_status explain(job *j, sumi_status code, const char *what) {
  char shown[SUMI__QUOTE_MAX];
  if (j->starved) return sumi__fail_in(j->ctx, SUMI_NO_MEMORY, "%s", j->name);
  if (j->errors.msg_code == JERR_OUT_OF_MEMORY) return sumi__fail(j->ctx, SUMI_NO_MEMORY, "%s: out of memory", j->name);
  return sumi__fail(j->ctx, code, "%s: %s: %s", j->name, what, sumi__quote(shown, j->message));
}

/* ---- Writing ------------------------------------------------------------------------------------------------------
 */

static void on_begin(j_compress_ptr jpeg) { (void)jpeg; }

/* libjpeg calls this when the room is used up: all of `capacity` is written. */
static boolean on_full(j_compress_ptr jpeg) {
  job *j = jpeg->client_data;
  const size_t written = j->capacity;
  if (sumi__grow(j->ctx, (void **)&j->out, &j->capacity, written + SINK_BYTES, 1) != SUMI_OK) {
    j->starved = true;
    longjmp(j->escape, 1);
  }
  j->sink.next_output_byte = j->out + written;
  j->sink.free_in_buffer = j->capacity - written;
  return TRUE;
}

static void on_end(j_compress_ptr jpeg) { (void)jpeg; }

/* Everything here may leave by longjmp to the caller's setjmp. */
static void write_picture(struct jpeg_compress_struct *jpeg, job *j, const sumi_image *image, int quality) {
  jpeg_create_compress(jpeg);
  jpeg->client_data = j;
  jpeg->dest = &j->sink;
  on_full(jpeg);
  jpeg->image_width = (JDIMENSION)image->width;
  jpeg->image_height = (JDIMENSION)image->height;
  jpeg->input_components = image->channels;
  jpeg->in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(jpeg);
  jpeg_set_quality(jpeg, quality, TRUE);
  jpeg->optimize_coding = TRUE;
  if (j->exif) jpeg->write_JFIF_header = FALSE; /* EXIF wants to be the first segment */
  jpeg_start_compress(jpeg, TRUE);
  if (j->exif) jpeg_write_marker(jpeg, APP1, j->exif, (unsigned)j->exif_bytes);
  const size_t row_bytes = (size_t)image->width * (size_t)image->channels;
  while (jpeg->next_scanline < jpeg->image_height) {
    JSAMPROW row = image->pixels + jpeg->next_scanline * row_bytes;
    jpeg_write_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_compress(jpeg);
}

static sumi_status encode(job *j, const sumi_image *image, int quality) {
  struct jpeg_compress_struct jpeg = {.err = &j->errors};
  volatile sumi_status status = SUMI_OK; /* set after setjmp, read after longjmp */
  set_errors(j);
  j->sink = (struct jpeg_destination_mgr){
      .init_destination = on_begin, .empty_output_buffer = on_full, .term_destination = on_end};
  if (setjmp(j->escape) == 0)
    write_picture(&jpeg, j, image, quality);
  else
    status = explain(j, SUMI_FAILED, "cannot be encoded");
  jpeg_destroy_compress(&jpeg);
  return status;
}

static sumi_status prepare_exif(job *j, const char *comment) {
  uint8_t *block = NULL;
  size_t bytes = 0;
  sumi_status status = sumi__exif_encode(j->ctx, j->name, comment, &block, &bytes);
  if (status == SUMI_OK && bytes > MAX_EXIF)
    status = sumi__fail(j->ctx, SUMI_INVALID,
                        "%s: the text takes %zu bytes, of which JPEG holds %d; PNG and WebP hold longer ones", j->name,
                        bytes, (int)MAX_EXIF);
  j->exif = status == SUMI_OK ? sumi__alloc(j->ctx, bytes + PREFIX) : NULL;
  if (status == SUMI_OK && !j->exif) status = SUMI_NO_MEMORY;
  if (status == SUMI_OK) {
    memcpy(j->exif, "Exif\0", PREFIX);
    memcpy(j->exif + PREFIX, block, bytes);
    j->exif_bytes = bytes + PREFIX;
  }
  sumi__free(j->ctx, block);
  return status;
}

sumi_status sumi__jpeg_encode(sumi_context *ctx, const char *name, const sumi_image *image, int quality,
                              const char *comment, uint8_t **out, size_t *out_bytes) {
  sumi_status status = SUMI_OK;
  job j = {.ctx = ctx, .name = name};
  *out = NULL;
  *out_bytes = 0;
  SUMI_TRY(sumi__image_check(ctx, name, image->width, image->height, image->channels));
  SUMI_CHECK(ctx, image->width <= MAX_SIDE && image->height <= MAX_SIDE, SUMI_INVALID,
             "%s: %lld x %lld pixels, each side of a JPEG must be 1 to %d", name, (long long)image->width,
             (long long)image->height, (int)MAX_SIDE);
  SUMI_CHECK(ctx, image->channels != 4, SUMI_INVALID,
             "%s: a JPEG has no transparency; expected grey or RGB, or a PNG or WebP to write", name);
  if (comment) SUMI_TRY(prepare_exif(&j, comment));
  SUMI_TRY(encode(&j, image, quality));
  *out_bytes = j.capacity - j.sink.free_in_buffer;
  *out = j.out;
  j.out = NULL;
done:
  sumi__free(ctx, j.out);
  sumi__free(ctx, j.exif);
  return status;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------
 */

bool sumi__is_jpeg(const void *data, size_t bytes) { return bytes >= 3 && !memcmp(data, "\xff\xd8\xff", 3); }

bool sumi__jpeg_exif(const void *data, size_t bytes, const uint8_t **block, size_t *block_bytes) {
  const uint8_t *p = data;
  if (!sumi__is_jpeg(data, bytes)) return false;
  for (size_t at = 2; at + 4 <= bytes && p[at] == 0xff;) {
    const uint8_t marker = p[at + 1];
    const size_t length = (size_t)p[at + 2] << 8 | p[at + 3];
    if (marker == 0xff) { /* a fill byte */
      at++;
      continue;
    }
    if (marker == 0xda || marker == 0xd9 || length < 2 || length > bytes - at - 2) return false;
    if (marker == APP1 && length >= 2 + PREFIX && !memcmp(p + at + 4, "Exif\0", PREFIX)) {
      *block = p + at + 4 + PREFIX;
      *block_bytes = length - 2 - PREFIX;
      return true;
    }
    at += 2 + length;
  }
  return false;
}

static void on_source(j_decompress_ptr jpeg) { (void)jpeg; }

static boolean on_empty(j_decompress_ptr jpeg) {
  stop(jpeg->client_data, "is truncated");
  return FALSE;
}

static void on_skip(j_decompress_ptr jpeg, long bytes) {
  if (bytes <= 0) return;
  if ((size_t)bytes > jpeg->src->bytes_in_buffer) stop(jpeg->client_data, "is truncated");
  jpeg->src->next_input_byte += bytes;
  jpeg->src->bytes_in_buffer -= (size_t)bytes;
}

static void on_progress(j_common_ptr jpeg) {
  const j_decompress_ptr reader = (j_decompress_ptr)jpeg;
  if (reader->input_scan_number > MAX_SCANS) stop(jpeg->client_data, "has too many scans");
}

/* Runs before anything is allocated for pixels. */
static sumi_status check_header(const job *j, const struct jpeg_decompress_struct *jpeg, size_t file_bytes,
                                int64_t max_pixels) {
  const int64_t width = jpeg->image_width, height = jpeg->image_height;
  if (width * height > max_pixels)
    return sumi__fail(j->ctx, SUMI_FORMAT, "%s: has %lld x %lld pixels, at most %lld pixels were expected", j->name,
                      (long long)width, (long long)height, (long long)max_pixels);
  if (width * height * jpeg->num_components / MAX_EXPANSION > (int64_t)file_bytes)
    return sumi__fail(j->ctx, SUMI_FORMAT, "%s: claims %lld x %lld pixels, more than its %zu bytes can hold", j->name,
                      (long long)width, (long long)height, file_bytes);
  if (jpeg->arith_code)
    return sumi__fail(j->ctx, SUMI_UNSUPPORTED, "%s: arithmetic coding; expected a JPEG with Huffman codes", j->name);
  const J_COLOR_SPACE space = jpeg->jpeg_color_space;
  if (space != JCS_GRAYSCALE && space != JCS_YCbCr && space != JCS_RGB)
    return sumi__fail(j->ctx, SUMI_UNSUPPORTED, "%s: a JPEG of %d inks; expected grey, YCbCr or RGB", j->name,
                      jpeg->num_components);
  return SUMI_OK;
}

/* Each step may leave by longjmp to the caller's setjmp; what was allocated is in *out by then. */
static sumi_status read_picture(struct jpeg_decompress_struct *jpeg, job *j, size_t file_bytes, int64_t max_pixels,
                                sumi_image *out) {
  jpeg_create_decompress(jpeg);
  jpeg->client_data = j;
  jpeg->src = &j->source;
  jpeg->progress = &j->progress;
  jpeg_read_header(jpeg, TRUE);
  const sumi_status status = check_header(j, jpeg, file_bytes, max_pixels);
  if (status != SUMI_OK) return status;
  jpeg->out_color_space = jpeg->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(jpeg);
  out->width = jpeg->output_width;
  out->height = jpeg->output_height;
  out->channels = jpeg->output_components;
  const size_t row_bytes = (size_t)out->width * (size_t)out->channels;
  out->pixels = sumi__alloc_zero(j->ctx, row_bytes * (size_t)out->height);
  if (!out->pixels) j->starved = true;
  if (j->starved) longjmp(j->escape, 1);
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW row = out->pixels + jpeg->output_scanline * row_bytes;
    jpeg_read_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_decompress(jpeg);
  return SUMI_OK;
}

sumi_status sumi__jpeg_decode(sumi_context *ctx, const char *name, const void *data, size_t bytes, int64_t max_pixels,
                              sumi_image *out) {
  *out = (sumi_image){0};
  if (!sumi__is_jpeg(data, bytes)) return sumi__fail(ctx, SUMI_FORMAT, "%s: is not a JPEG", name);
  job j = {.ctx = ctx, .name = name, .progress.progress_monitor = on_progress};
  struct jpeg_decompress_struct jpeg = {.err = &j.errors};
  volatile sumi_status status = SUMI_OK; /* set after setjmp, read after longjmp */
  set_errors(&j);
  j.source = (struct jpeg_source_mgr){.next_input_byte = data,
                                      .bytes_in_buffer = bytes,
                                      .init_source = on_source,
                                      .fill_input_buffer = on_empty,
                                      .skip_input_data = on_skip,
                                      .resync_to_restart = jpeg_resync_to_restart,
                                      .term_source = on_source};
  if (setjmp(j.escape) == 0)
    status = read_picture(&jpeg, &j, bytes, max_pixels, out);
  else
    status = explain(&j, SUMI_FORMAT, "is a damaged JPEG");
  jpeg_destroy_decompress(&jpeg);
  if (status != SUMI_OK) sumi_image_free(ctx, out);
  return status;
}
