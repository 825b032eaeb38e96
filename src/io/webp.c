#include "io/webp.h"

#include "io/exif.h"
#include "io/png.h"

#include <string.h>

#include <webp/decode.h>
#include <webp/encode.h>
#include <webp/mux.h>

bool sumi__is_webp(const void *data, size_t bytes) {
  return bytes >= 12 && !memcmp(data, "RIFF", 4) && !memcmp((const char *)data + 8, "WEBP", 4);
}

/* ---- Writing ------------------------------------------------------------------------------------------------------
 */

/* What libwebp's callback fills. */
typedef struct sink {
  sumi_context *ctx;
  uint8_t *data;
  size_t bytes, capacity;
  bool starved; /* libwebp does not always say that its writer failed */
} sink;

static int on_write(const uint8_t *data, size_t bytes, const WebPPicture *picture) {
  sink *s = picture->custom_ptr;
  s->starved = s->starved || sumi__grow(s->ctx, (void **)&s->data, &s->capacity, s->bytes + bytes, 1) != SUMI_OK;
  if (s->starved) return 0;
  memcpy(s->data + s->bytes, data, bytes);
  s->bytes += bytes;
  return 1;
}

/* Grey as RGB, which is all that WebP has; *out is NULL where nothing is to do. */
static sumi_status spread_grey(sumi_context *ctx, const sumi_image *image, uint8_t **out) {
  const size_t pixels = (size_t)image->width * (size_t)image->height;
  *out = NULL;
  if (image->channels != 1) return SUMI_OK;
  *out = sumi__alloc(ctx, 3 * pixels);
  if (!*out) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < 3 * pixels; i++) (*out)[i] = image->pixels[i / 3];
  return SUMI_OK;
}

static sumi_status encode(sink *s, const char *name, const sumi_image *image, const uint8_t *pixels, int quality,
                          bool lossless) {
  WebPConfig config;
  WebPPicture picture;
  sumi_status status = SUMI_OK;
  SUMI_CHECK(s->ctx, WebPConfigInit(&config) && WebPPictureInit(&picture), SUMI_FAILED,
             "%s: libwebp is of another version than its header", name);
  if (lossless) WebPConfigLosslessPreset(&config, 6);
  config.exact = lossless; /* also the colours of what is transparent */
  if (!lossless) config.quality = (float)quality;
  picture.use_argb = lossless;
  picture.width = (int)image->width;
  picture.height = (int)image->height;
  picture.writer = on_write;
  picture.custom_ptr = s;
  const int stride = picture.width * (image->channels == 4 ? 4 : 3);
  const bool imported = image->channels == 4 ? WebPPictureImportRGBA(&picture, pixels, stride)
                                             : WebPPictureImportRGB(&picture, pixels, stride);
  if (!imported || !WebPEncode(&config, &picture)) {
    const WebPEncodingError error = picture.error_code;
    if (s->starved) /* the context knows which allocation failed */
      status = sumi__fail_in(s->ctx, SUMI_NO_MEMORY, "%s", name);
    else if (error == VP8_ENC_ERROR_OUT_OF_MEMORY || error == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY)
      status = sumi__fail(s->ctx, SUMI_NO_MEMORY, "%s: out of memory", name);
    else
      status = sumi__fail(s->ctx, SUMI_FAILED, "%s: cannot be encoded: libwebp's error %d", name, (int)error);
  }
  WebPPictureFree(&picture);
done:
  return status;
}

/* Puts an EXIF chunk behind the picture; the sink's bytes become the whole. */
static sumi_status add_exif(sink *s, const char *name, const uint8_t *exif, size_t exif_bytes) {
  const WebPData picture = {s->data, s->bytes}, block = {exif, exif_bytes};
  WebPData whole = {0};
  WebPMux *mux = WebPMuxNew();
  sumi_status status = SUMI_OK;
  const bool good = mux && WebPMuxSetImage(mux, &picture, 0) == WEBP_MUX_OK &&
                    WebPMuxSetChunk(mux, "EXIF", &block, 0) == WEBP_MUX_OK &&
                    WebPMuxAssemble(mux, &whole) == WEBP_MUX_OK;
  SUMI_CHECK(s->ctx, good, SUMI_NO_MEMORY, "%s: out of memory", name); /* the only way that our own input can fail */
  SUMI_TRY(sumi__grow(s->ctx, (void **)&s->data, &s->capacity, whole.size, 1));
  memcpy(s->data, whole.bytes, whole.size);
  s->bytes = whole.size;
done:
  WebPDataClear(&whole);
  WebPMuxDelete(mux);
  return status;
}

sumi_status sumi__webp_encode(sumi_context *ctx, const char *name, const sumi_image *image, int quality, bool lossless,
                              const char *comment, uint8_t **out, size_t *out_bytes) {
  sumi_status status = SUMI_OK;
  sink s = {.ctx = ctx};
  uint8_t *spread = NULL, *exif = NULL;
  size_t exif_bytes = 0;
  *out = NULL;
  *out_bytes = 0;
  SUMI_TRY(sumi__image_check(ctx, name, image->width, image->height, image->channels));
  SUMI_CHECK(ctx, image->width <= WEBP_MAX_DIMENSION && image->height <= WEBP_MAX_DIMENSION, SUMI_INVALID,
             "%s: %lld x %lld pixels, each side of a WebP must be 1 to %d", name, (long long)image->width,
             (long long)image->height, WEBP_MAX_DIMENSION);
  if (comment) SUMI_TRY(sumi__exif_encode(ctx, name, comment, &exif, &exif_bytes));
  SUMI_TRY(spread_grey(ctx, image, &spread));
  SUMI_TRY(encode(&s, name, image, spread ? spread : image->pixels, quality, lossless));
  if (exif) SUMI_TRY(add_exif(&s, name, exif, exif_bytes));
  *out = s.data;
  *out_bytes = s.bytes;
  s.data = NULL;
done:
  sumi__free(ctx, s.data);
  sumi__free(ctx, spread);
  sumi__free(ctx, exif);
  return status;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------
 */

static const char *meaning(VP8StatusCode code) {
  switch (code) {
  case VP8_STATUS_NOT_ENOUGH_DATA: return "is truncated";
  case VP8_STATUS_UNSUPPORTED_FEATURE: return "has a feature that libwebp does not know";
  default: return "is a damaged WebP";
  }
}

sumi_status sumi__webp_decode(sumi_context *ctx, const char *name, const void *data, size_t bytes, int64_t max_pixels,
                              sumi_image *out) {
  sumi_status status = SUMI_OK;
  WebPDecoderConfig config;
  *out = (sumi_image){0};
  SUMI_CHECK(ctx, sumi__is_webp(data, bytes), SUMI_FORMAT, "%s: is not a WebP", name);
  SUMI_CHECK(ctx, WebPInitDecoderConfig(&config), SUMI_FAILED, "%s: libwebp is of another version than its header",
             name);
  VP8StatusCode code = WebPGetFeatures(data, bytes, &config.input);
  SUMI_CHECK(ctx, code == VP8_STATUS_OK, SUMI_FORMAT, "%s: %s", name, meaning(code));
  const int64_t width = config.input.width, height = config.input.height;
  SUMI_CHECK(ctx, !config.input.has_animation, SUMI_UNSUPPORTED, "%s: is animated; expected a single picture", name);
  /* Of one colour, a picture of any size takes a few bytes: this bound is all that can be said before decoding. */
  SUMI_CHECK(ctx, width > 0 && height > 0 && width * height <= max_pixels, SUMI_FORMAT,
             "%s: has %lld x %lld pixels, at most %lld pixels were expected", name, (long long)width, (long long)height,
             (long long)max_pixels);
  *out = (sumi_image){width, height, config.input.has_alpha ? 4 : 3, NULL};
  const size_t row_bytes = (size_t)width * (size_t)out->channels;
  out->pixels = sumi__alloc(ctx, row_bytes * (size_t)height);
  if (!out->pixels) status = sumi__fail_in(ctx, SUMI_NO_MEMORY, "%s", name);
  if (status != SUMI_OK) goto done;
  config.output.colorspace = out->channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = (WebPRGBABuffer){out->pixels, (int)row_bytes, row_bytes * (size_t)height};
  code = WebPDecode(data, bytes, &config);
  SUMI_CHECK(ctx, code != VP8_STATUS_OUT_OF_MEMORY, SUMI_NO_MEMORY, "%s: out of memory", name);
  SUMI_CHECK(ctx, code == VP8_STATUS_OK, SUMI_FORMAT, "%s: %s", name, meaning(code));
done:
  if (status != SUMI_OK) sumi_image_free(ctx, out);
  return status;
}

/* A walk over RIFF's chunks (WebP container specification), each of four letters, a length and an even number of
 * bytes. */
bool sumi__webp_exif(const void *data, size_t bytes, const uint8_t **block, size_t *block_bytes) {
  const uint8_t *p = data;
  if (!sumi__is_webp(data, bytes)) return false;
  for (size_t at = 12; bytes - at >= 8;) {
    const size_t length = p[at + 4] | (size_t)p[at + 5] << 8 | (size_t)p[at + 6] << 16 | (size_t)p[at + 7] << 24;
    if (length > bytes - at - 8) return false;
    if (!memcmp(p + at, "EXIF", 4)) {
      *block = p + at + 8;
      *block_bytes = length;
      return true;
    }
    at += 8 + length + (length & 1);
    if (at > bytes) return false;
  }
  return false;
}
