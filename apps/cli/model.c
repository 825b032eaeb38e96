/* Checkpoints for the commands that work with Stable Diffusion, and the pictures that these make. */
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
