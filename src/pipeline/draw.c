/* A job whose picture goes straight into a file. */
#include "pipeline/engine.h"
#include "sumi/io.h"

#include <inttypes.h>

static sumi_status write(sumi_session *s, const sumi_generation *h, const float *picture, const char *path) {
  sumi_status status = SUMI_OK;
  const size_t bytes = (size_t)(h->width * h->height) * 3;
  char *note = NULL;
  uint8_t *pixels = sumi__alloc(s->ctx, bytes);
  if (!pixels) return SUMI_NO_MEMORY;
  sumi_pixels_from_floats(picture, bytes, pixels);
  SUMI_TRY(sumi_session_note(s, h, 0, &note));
  const sumi_image image = {.width = h->width, .height = h->height, .channels = 3, .pixels = pixels};
  const sumi_png_text text = {"parameters", note};
  SUMI_TRY(sumi_image_write(s->ctx, path, &image, &(sumi_image_write_options){.texts = &text, .text_count = 1}));
done:
  sumi_text_free(s->ctx, note);
  sumi__free(s->ctx, pixels);
  return status;
}

sumi_status sumi_session_draw(sumi_session *session, const sumi_generation *job, const char *path) {
  sumi_status status = SUMI_OK;
  const sumi_generation h = sumi__generation_filled(session->engine, job);
  float *picture = NULL;
  SUMI_CHECK(session->ctx, h.count == 1, SUMI_INVALID, "%s: one picture goes into one file, the job makes %" PRId64,
             path, h.count);
  SUMI_TRY(sumi__generation_check(session, &h));
  picture = sumi__alloc_array(session->ctx, (size_t)(h.width * h.height), 3 * sizeof *picture);
  SUMI_TRY(picture ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi_session_generate(session, &h, picture, NULL));
  SUMI_TRY(write(session, &h, picture, path));
done:
  sumi__free(session->ctx, picture);
  return status;
}
