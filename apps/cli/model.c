/* Checkpoints and pictures for the commands that work with Stable Diffusion. */
#include "generate.h"

#include <stdlib.h>
#include <string.h>

sumi_prediction cli_prediction(const char *name) {
  if (strcmp(name, "eps") == 0) return SUMI_PREDICTION_EPS;
  if (strcmp(name, "v") == 0) return SUMI_PREDICTION_V;
  return strcmp(name, "x0") == 0 ? SUMI_PREDICTION_X0 : SUMI_PREDICTION_AUTO;
}

sumi_family cli_family(const char *name) {
  if (strcmp(name, "sd1") == 0) return SUMI_FAMILY_SD1;
  return strcmp(name, "sd2") == 0 ? SUMI_FAMILY_SD2 : SUMI_FAMILY_AUTO;
}

sumi_precision cli_precision(const cli_model *model) {
  if (strcmp(model->precision, "f32") == 0) return SUMI_PRECISION_F32;
  return strcmp(model->precision, "bf16") == 0 ? SUMI_PRECISION_BF16 : SUMI_PRECISION_AUTO;
}

sumi_codec_options cli_codec(const cli_model *model) {
  return (sumi_codec_options){.precision = cli_precision(model), .tile = model->tile};
}

sumi_status cli_session_open(cli_session *s, const cli *c, const cli_model *model) {
  const sumi_engine_options options = {.prediction = cli_prediction(model->prediction),
                                       .config_folder = model->config,
                                       .family = cli_family(model->family),
                                       .vae = model->vae};
  const double begin = cli_seconds();
  *s = (cli_session){.c = c};
  if (!model->path) return cli_fail(c, SUMI_INVALID, "-m FILE_OR_FOLDER is missing: which checkpoint?");
  sumi_status status = cli_report(c, sumi_engine_open(c->context, model->path, &options, &s->engine));
  if (status != SUMI_OK) return status;
  s->info = sumi_engine_describe(s->engine);
  status = cli_report(c, sumi_session_create(s->engine, c->context, &s->session));
  if (status == SUMI_OK) sumi_session_limit(s->session, (size_t)model->max_memory);
  s->seconds = cli_seconds() - begin;
  return status;
}

void cli_session_close(cli_session *s) {
  sumi_session_free(s->session);
  sumi_engine_close(s->engine);
}

/* ---- Pictures ---- */

/* Of the sides of pictures that Stable Diffusion's autoencoder takes. */
enum { MULTIPLE = 8 };

static int64_t to_multiple(double side) {
  const int64_t near = (int64_t)(side / MULTIPLE + 0.5) * MULTIPLE;
  return near ? near : MULTIPLE;
}

/* The other side in proportion where one is given; where none is, what there is, cut to multiples. */
static void complete_size(const sumi_image *image, int64_t *width, int64_t *height) {
  const double ratio = (double)image->width / (double)image->height;
  if (!*width && !*height) {
    *width = image->width < MULTIPLE ? image->width : image->width / MULTIPLE * MULTIPLE;
    *height = image->height < MULTIPLE ? image->height : image->height / MULTIPLE * MULTIPLE;
  }
  if (!*width) *width = to_multiple((double)*height * ratio);
  if (!*height) *height = to_multiple((double)*width / ratio);
}

static sumi_status resize(const cli *c, const char *path, sumi_image *image, int64_t width, int64_t height) {
  sumi_image resized;
  const bool asked = width || height;
  complete_size(image, &width, &height);
  if (width == image->width && height == image->height) return SUMI_OK;
  if (!asked)
    cli_note(c, "%s: %lld x %lld is made %lld x %lld, multiples of %d", path, (long long)image->width,
             (long long)image->height, (long long)width, (long long)height, (int)MULTIPLE);
  const sumi_status status = cli_report(c, sumi_image_resize(c->context, image, width, height, &resized));
  if (status != SUMI_OK) return status;
  sumi_image_free(c->context, image);
  *image = resized;
  return SUMI_OK;
}

sumi_status cli_read_rgb(const cli *c, const char *path, int64_t *width, int64_t *height, float **out) {
  sumi_image image;
  *out = NULL;
  sumi_status status = cli_report(c, sumi_image_read(c->context, path, &image));
  if (status == SUMI_OK) status = resize(c, path, &image, *width, *height);
  if (status != SUMI_OK) goto done;
  const int64_t pixels = image.width * image.height;
  *width = image.width;
  *height = image.height;
  *out = malloc((size_t)pixels * 3 * sizeof **out);
  for (int64_t p = 0; *out && p < pixels; p++)
    for (int k = 0; k < 3; k++)
      (*out)[3 * p + k] = (float)image.pixels[p * image.channels + (image.channels == 1 ? 0 : k)] / 255.0f;
  if (!*out) status = cli_fail(c, SUMI_NO_MEMORY, "out of memory");
done:
  sumi_image_free(c->context, &image);
  return status;
}

sumi_status cli_write_rgb(const cli *c, const char *path, const float *picture, int64_t width, int64_t height,
                          const char *parameters, int quality) {
  const sumi_png_text note = {"parameters", parameters};
  const sumi_image_write_options options = {.quality = quality, .texts = &note, .text_count = parameters ? 1 : 0};
  sumi_image image = {.width = width, .height = height, .channels = 3};
  image.pixels = malloc((size_t)(width * height * 3));
  if (!image.pixels) return cli_fail(c, SUMI_NO_MEMORY, "out of memory");
  sumi_pixels_from_floats(picture, (size_t)(width * height * 3), image.pixels);
  const sumi_status status = cli_report(c, sumi_image_write(c->context, path, &image, &options));
  free(image.pixels);
  return status;
}
