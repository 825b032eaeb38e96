#include "pipeline/start.h"

#include "diffusion/schedule.h"
#include "pipeline/depth.h"

#include <string.h>

/* ---- A job ---- */

/* With a mask, and for models that see the picture anyway, strength 1 begins with noise alone. */
static bool begins_with_noise(const sumi_session *s, const sumi_generation *h) {
  const bool seen = sumi__engine_beside(s->engine) == SUMI_BESIDE_PICTURE;
  return !h->init || ((h->mask || seen) && sumi__generation_strength(h) == 1.0);
}

sumi_status sumi__start_make(sumi_session *session, const sumi_generation *h, sumi__start *s) {
  const sumi__model *model = session->engine->model;
  const int64_t factor = sumi__autoencoder_kl_factor(&model->vae);
  *s = (sumi__start){.session = session,
                     .how = h,
                     .channels = model->vae.latent_channels,
                     .height = h->height / factor,
                     .width = h->width / factor,
                     .only_noise = begins_with_noise(session, h)};
  s->size = s->channels * s->height * s->width;
  s->extra_channels = model->unet.in_channels - s->channels;
  const size_t count = (size_t)h->batch, values = (size_t)s->size * sizeof(float);
  const size_t extra = (size_t)(s->extra_channels * s->height * s->width) * sizeof(float);
  float **const buffers[] = {&s->x, &s->noise, &s->known, &s->mask_values, &s->draw};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
    if (!(*buffers[i] = sumi__alloc_array(session->ctx, count, values))) return SUMI_NO_MEMORY;
  if (extra && !(s->extra = sumi__alloc_array(session->ctx, count, extra))) return SUMI_NO_MEMORY;
  return SUMI_OK;
}

void sumi__start_free(sumi__start *s) {
  if (!s->session) return;
  sumi_context *ctx = s->session->ctx;
  float *const memory[] = {s->mean, s->logvar, s->hole_mean, s->hole_logvar, s->mask,  s->depth,
                           s->x,    s->noise,  s->known,     s->mask_values, s->extra, s->draw};
  for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) sumi__free(ctx, memory[i]);
  sumi__noise_free(ctx, &s->source);
  *s = (sumi__start){0};
}

/* ---- Its pictures ---- */

static sumi_status posterior(sumi__start *s, const float *picture, float **mean, float **logvar) {
  sumi_session *session = s->session;
  const sumi_generation *h = s->how;
  *mean = sumi__alloc_array(session->ctx, (size_t)s->size, sizeof **mean);
  *logvar = sumi__alloc_array(session->ctx, (size_t)s->size, sizeof **logvar);
  if (!*mean || !*logvar) return SUMI_NO_MEMORY;
  return sumi__session_posterior(session, picture, 1, h->height, h->width,
                                 sumi__precision_dtype(session->ctx, h->precision), h->tile, *mean, *logvar);
}

/* The picture without the part that is to be made, grey there. */
static sumi_status posterior_of_hole(sumi__start *s) {
  const sumi_generation *h = s->how;
  const int64_t pixels = h->height * h->width;
  float *hole = sumi__alloc_array(s->session->ctx, (size_t)pixels, 3 * sizeof *hole);
  if (!hole) return SUMI_NO_MEMORY;
  for (int64_t p = 0; p < pixels; p++)
    for (int c = 0; c < 3; c++) hole[3 * p + c] = h->mask[p] < 0.5f ? h->init[3 * p + c] : 0.5f;
  const sumi_status status = posterior(s, hole, &s->hole_mean, &s->hole_logvar);
  sumi__free(s->session->ctx, hole);
  return status;
}

/* The mask on latents: the pixel at the upper left of each, rounded (torch's nearest interpolation). */
static sumi_status shrink_mask(sumi__start *s) {
  const sumi_generation *h = s->how;
  const int64_t factor = h->height / s->height;
  s->mask = sumi__alloc_array(s->session->ctx, (size_t)(s->height * s->width), sizeof *s->mask);
  if (!s->mask) return SUMI_NO_MEMORY;
  for (int64_t y = 0; y < s->height; y++)
    for (int64_t x = 0; x < s->width; x++)
      s->mask[y * s->width + x] = h->mask[y * factor * h->width + x * factor] >= 0.5f ? 1.0f : 0.0f;
  return SUMI_OK;
}

static sumi_status shrink_depth(sumi__start *s) {
  const sumi_generation *h = s->how;
  s->depth = sumi__alloc_array(s->session->ctx, (size_t)(s->height * s->width), sizeof *s->depth);
  if (!s->depth) return SUMI_NO_MEMORY;
  return sumi__depth_shrink(s->session->ctx, h->depth, h->height, h->width, s->height, s->width, s->depth);
}

sumi_status sumi__start_encode(sumi__start *s) {
  sumi_status status = SUMI_OK;
  if (s->how->init) SUMI_TRY(posterior(s, s->how->init, &s->mean, &s->logvar));
  if (s->how->mask) SUMI_TRY(shrink_mask(s));
  if (s->how->depth) SUMI_TRY(shrink_depth(s));
  if (sumi__engine_beside(s->session->engine) == SUMI_BESIDE_HOLE) SUMI_TRY(posterior_of_hole(s));
done:
  return status;
}

/* ---- A batch ---- */

sumi_status sumi__start_batch(sumi__start *s, int64_t first, int64_t count) {
  sumi_context *ctx = s->session->ctx;
  s->count = count;
  sumi__noise_free(ctx, &s->source);
  return sumi__noise_make(ctx, s->how->noise, s->how->seed, first, count, s->size, &s->source);
}

void sumi__start_noise(sumi__start *s, float *out) { sumi__noise_draw(&s->source, out); }

/* A draw from a posterior for each picture of the batch. */
static void draw_latents(sumi__start *s, const float *mean, const float *logvar, float *out) {
  sumi__noise_draw(&s->source, s->draw);
  for (int64_t i = 0; i < s->count; i++)
    sumi__posterior_draw(s->session, mean, logvar, s->draw + i * s->size, s->size, out + i * s->size);
}

/* Planes (height, width) into each picture's extra channels, from channel `at` on; the next picture's planes are
 * `stride` values further on. */
static void put_beside(sumi__start *s, int64_t at, const float *planes, int64_t channels, int64_t stride) {
  const int64_t pixels = s->height * s->width;
  for (int64_t i = 0; i < s->count; i++)
    memcpy(s->extra + (i * s->extra_channels + at) * pixels, planes + i * stride,
           (size_t)(channels * pixels) * sizeof *planes);
}

/* What the U-Net sees beside the latents. */
static void draw_beside(sumi__start *s) {
  switch (sumi__engine_beside(s->session->engine)) {
  case SUMI_BESIDE_NOTHING:
  case SUMI_BESIDE_UNKNOWN: break; /* no job has it */
  case SUMI_BESIDE_DEPTH: put_beside(s, 0, s->depth, 1, 0); break;
  case SUMI_BESIDE_PICTURE: put_beside(s, 0, s->mean, s->channels, 0); break; /* its mean, not scaled */
  case SUMI_BESIDE_HOLE:
    draw_latents(s, s->hole_mean, s->hole_logvar, s->draw);
    put_beside(s, 0, s->mask, 1, 0);
    put_beside(s, 1, s->draw, s->channels, s->size);
    break;
  }
}

/* Draws come in diffusers' order: the picture's latents, where they are needed, the noise, and with a mask the latents
 * of the picture with a hole, also for models that do not see it. */
void sumi__start_draw(sumi__start *s, double sigma, double scale) {
  const int64_t values = s->count * s->size, pixels = s->height * s->width;
  const bool sees_hole = sumi__engine_beside(s->session->engine) == SUMI_BESIDE_HOLE;
  if (!s->only_noise || (s->mask && !sees_hole)) draw_latents(s, s->mean, s->logvar, s->known);
  sumi__noise_draw(&s->source, s->noise);
  if (s->only_noise)
    for (int64_t i = 0; i < values; i++) s->x[i] = (float)(scale * (double)s->noise[i]);
  else
    sumi__add_noise(sigma, values, s->known, s->noise, s->x);
  for (int64_t i = 0; s->mask && i < s->count * s->channels; i++)
    memcpy(s->mask_values + i * pixels, s->mask, (size_t)pixels * sizeof *s->mask);
  if (s->mask && !sees_hole) sumi__noise_draw(&s->source, s->draw);
  draw_beside(s);
}
