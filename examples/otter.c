/* otter MODEL: a picture from words, with a Stable Diffusion checkpoint (one file or a diffusers folder). */
#include <sumi/sumi.h>

#include <stdio.h>

static float picture[512 * 512 * 3];
static uint8_t pixels[512 * 512 * 3];

int main(int argc, char **argv) {
  sumi_context *ctx = NULL;
  sumi_engine *engine = NULL;
  sumi_session *session = NULL;
  const sumi_generation job = {.prompt = "a watercolor picture of an otter", .width = 512, .height = 512, .seed = 42};
  const sumi_image image = {.width = 512, .height = 512, .channels = 3, .pixels = pixels};

  sumi_status status = sumi_context_create(NULL, &ctx);
  if (status == SUMI_OK) status = sumi_engine_open(ctx, argc > 1 ? argv[1] : "model", NULL, &engine);
  if (status == SUMI_OK) status = sumi_session_create(engine, ctx, &session);
  if (status == SUMI_OK) status = sumi_session_generate(session, &job, picture, NULL);
  sumi_pixels_from_floats(picture, sizeof pixels, pixels);
  if (status == SUMI_OK) status = sumi_png_write(ctx, "otter.png", &image, NULL, 0);
  if (status != SUMI_OK) fprintf(stderr, "%s\n", ctx ? sumi_context_error(ctx) : sumi_status_text(status));

  sumi_session_free(session);
  sumi_engine_close(engine);
  sumi_context_free(ctx);
  return (int)status;
}
