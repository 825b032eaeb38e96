/* Draws a seven with the shipped model. Build it with CMakeLists.txt beside it, and run it where models/ is. */
#include <sumi/sumi.h>

#include <stdio.h>

int main(void) {
  sumi_context *ctx = NULL;
  sumi_digits *model = NULL;
  const int64_t digit = 7;
  const sumi_sample_options options = {.count = 1, .labels = &digit, .seed = 2};
  float grey[28 * 28] = {0};
  uint8_t pixels[28 * 28];
  const sumi_image image = {.width = 28, .height = 28, .channels = 1, .pixels = pixels};

  sumi_status status = sumi_context_create(NULL, &ctx);
  if (status == SUMI_OK) status = sumi_digits_open(ctx, "models/digits", &model);
  if (status == SUMI_OK) status = sumi_digits_sample(model, &options, grey);
  for (int i = 0; i < 28 * 28; i++) pixels[i] = (uint8_t)(255 * (grey[i] < 0 ? 0 : grey[i] > 1 ? 1 : grey[i]));
  if (status == SUMI_OK) status = sumi_png_write(ctx, "seven.png", &image, NULL, 0);
  if (status == SUMI_OK) puts("seven.png");
  if (status != SUMI_OK) fprintf(stderr, "%s\n", ctx ? sumi_context_error(ctx) : sumi_status_text(status));

  sumi_digits_close(model);
  sumi_context_free(ctx);
  return (int)status;
}
