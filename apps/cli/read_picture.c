/* Pictures, masks and depths that a job begins with: read, put on a background where they are transparent, resized. */
#include "generate.h"

#include <stdlib.h>
#include <string.h>

enum { BLACK = 0, WHITE = 255, HALF = 128 };

/* ---- Transparency ---- */

static bool is_transparent(const sumi_image *image) {
  if (image->channels != 4) return false;
  for (int64_t p = 0; p < image->width * image->height; p++)
    if (image->pixels[4 * p + 3] < 255) return true;
  return false;
}

/* RGBA becomes RGB, in place: what shows through is of the background's grey. */
static void put_on(sumi_image *image, int background) {
  if (image->channels != 4) return;
  for (int64_t p = 0; p < image->width * image->height; p++) {
    const uint8_t *from = image->pixels + 4 * p;
    for (int k = 0; k < 3; k++)
      image->pixels[3 * p + k] = (uint8_t)((from[k] * from[3] + background * (255 - from[3]) + 127) / 255);
  }
  image->channels = 3;
}

/* ---- Sides ---- */

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

/* ---- Masks ---- */

/* Whether a mask says by its transparency alone what is meant: what is opaque in it is there, and nowhere bright. */
static bool is_dark_on_nothing(const sumi_image *mask) {
  bool opaque = false;
  for (int64_t p = 0; p < mask->width * mask->height; p++) {
    const uint8_t *at = mask->pixels + 4 * p;
    const int alpha = at[3];
    if ((at[0] + at[1] + at[2]) * alpha >= 3 * HALF * 255) return false;
    opaque = opaque || alpha >= HALF;
  }
  return opaque;
}

/* What is transparent is black; of a mask that would be black throughout by that, what is opaque becomes white. */
static void read_transparency(const cli *c, const char *path, sumi_image *mask) {
  if (!is_dark_on_nothing(mask)) {
    cli_note(c, "%s: what is transparent counts as black, so it stays", path);
    return;
  }
  cli_note(c, "%s: it is dark wherever it is opaque, so what is opaque is made anew", path);
  for (int64_t p = 0; p < mask->width * mask->height; p++) memset(mask->pixels + 4 * p, WHITE, 3);
}

/* ---- Reading ---- */

/* Resizes and gives the image's samples in [0, 1]: three channels of each pixel, or their mean. Frees the image. */
static sumi_status finish(const cli *c, const char *path, sumi_image *image, int channels, int64_t *width,
                          int64_t *height, float **out) {
  sumi_status status = resize(c, path, image, *width, *height);
  if (status != SUMI_OK) goto done;
  const int64_t pixels = image->width * image->height;
  *width = image->width;
  *height = image->height;
  *out = malloc((size_t)(pixels * channels) * sizeof **out);
  if (!*out) status = cli_fail(c, SUMI_NO_MEMORY, "out of memory");
  for (int64_t p = 0; *out && p < pixels; p++) {
    const uint8_t *from = image->pixels + p * image->channels;
    const bool grey = image->channels == 1;
    const float rgb[3] = {from[0], from[grey ? 0 : 1], from[grey ? 0 : 2]};
    if (channels == 1)
      (*out)[p] = (rgb[0] + rgb[1] + rgb[2]) / (3.0f * 255.0f);
    else
      for (int k = 0; k < 3; k++) (*out)[3 * p + k] = rgb[k] / 255.0f;
  }
done:
  sumi_image_free(c->context, image);
  return status;
}

sumi_status cli_read_rgb(const cli *c, const char *path, int64_t *width, int64_t *height, float **out) {
  sumi_image image;
  *out = NULL;
  const sumi_status status = cli_report(c, sumi_image_read(c->context, path, &image));
  if (status != SUMI_OK) return status;
  if (is_transparent(&image)) cli_note(c, "%s: what is transparent becomes white", path);
  put_on(&image, WHITE);
  return finish(c, path, &image, 3, width, height, out);
}

sumi_status cli_read_grey(const cli *c, const char *path, bool is_mask, int64_t *width, int64_t *height, float **out) {
  sumi_image image;
  *out = NULL;
  const sumi_status status = cli_report(c, sumi_image_read(c->context, path, &image));
  if (status != SUMI_OK) return status;
  if (is_mask && is_transparent(&image)) read_transparency(c, path, &image);
  put_on(&image, BLACK);
  return finish(c, path, &image, 1, width, height, out);
}
