/* Between pictures and latents. */
#include "pipeline/engine.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

enum { MOST_PIXELS = 16384 }; /* of a side */

void sumi__to_channels_last(const float *from, int64_t n, int64_t channels, int64_t pixels, float *to) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t p = 0; p < pixels; p++) to[(i * pixels + p) * channels + c] = from[(i * channels + c) * pixels + p];
}

void sumi__to_channels_first(const float *from, int64_t n, int64_t channels, int64_t pixels, float *to) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t p = 0; p < pixels; p++) to[(i * channels + c) * pixels + p] = from[(i * pixels + p) * channels + c];
}

sumi_status sumi__tile_check(const sumi_session *s, int64_t tile) {
  sumi_status status = SUMI_OK;
  const int64_t factor = sumi__autoencoder_kl_factor(&s->engine->model->vae);
  SUMI_CHECK(s->ctx, tile == 0 || (tile >= 64 && tile <= MOST_PIXELS && tile % factor == 0), SUMI_INVALID,
             "tile is %lld, expected 0 or a multiple of %lld from 64 to %d", (long long)tile, (long long)factor,
             (int)MOST_PIXELS);
done:
  return status;
}

const sumi__vae_tiling *sumi__session_tiling(const sumi_session *s, int64_t tile, sumi__vae_tiling *out) {
  *out = sumi__vae_tiling_defaults(&s->engine->model->vae);
  out->tile = tile / sumi__autoencoder_kl_factor(&s->engine->model->vae);
  return tile ? out : NULL;
}

static sumi_status check_sides(const sumi_session *s, int64_t n, int64_t height, int64_t width, int64_t multiple,
                               int64_t most) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(s->ctx, n >= 1 && n <= 65536, SUMI_INVALID, "the number of pictures is %lld, expected 1 to 65536",
             (long long)n);
  SUMI_CHECK(s->ctx, height >= multiple && height <= most && height % multiple == 0, SUMI_INVALID,
             "the height is %lld, expected a multiple of %lld up to %lld", (long long)height, (long long)multiple,
             (long long)most);
  SUMI_CHECK(s->ctx, width >= multiple && width <= most && width % multiple == 0, SUMI_INVALID,
             "the width is %lld, expected a multiple of %lld up to %lld", (long long)width, (long long)multiple,
             (long long)most);
done:
  return status;
}

sumi_status sumi__session_posterior(sumi_session *s, const float *pictures, int64_t n, int64_t height, int64_t width,
                                    sumi_dtype compute, int64_t tile, float *mean, float *logvar) {
  sumi_status status = SUMI_OK;
  const sumi__autoencoder_kl_config *config = &s->engine->model->vae;
  const int64_t factor = sumi__autoencoder_kl_factor(config), channels = config->latent_channels;
  const int64_t pixels = height / factor * (width / factor), values = height * width * config->in_channels;
  sumi__vae_tiling tiling;
  sumi__vae_coder *coder;
  float *in = sumi__alloc_array(s->ctx, (size_t)values, sizeof *in);
  float *moments = sumi__alloc_array(s->ctx, (size_t)(2 * channels * pixels), sizeof *moments);
  float *planes = sumi__alloc_array(s->ctx, (size_t)(2 * channels * pixels), sizeof *planes);
  SUMI_TRY(in && moments && planes ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi__session_coder(s, SUMI__VAE_ENCODE, compute, &coder));
  for (int64_t i = 0; i < n; i++) {
    for (int64_t k = 0; k < values; k++) in[k] = 2.0f * pictures[i * values + k] - 1.0f;
    SUMI_TRY(sumi__vae_coder_run(coder, in, 1, height, width, sumi__session_tiling(s, tile, &tiling), NULL, moments));
    sumi__to_channels_first(moments, 1, 2 * channels, pixels, planes);
    memcpy(mean + i * channels * pixels, planes, (size_t)(channels * pixels) * sizeof *mean);
    memcpy(logvar + i * channels * pixels, planes + channels * pixels, (size_t)(channels * pixels) * sizeof *logvar);
  }
done:
  sumi__free(s->ctx, in);
  sumi__free(s->ctx, moments);
  sumi__free(s->ctx, planes);
  return status;
}

void sumi__posterior_draw(const sumi_session *s, const float *mean, const float *logvar, const float *noise,
                          int64_t count, float *out) {
  const sumi__autoencoder_kl_config *config = &s->engine->model->vae;
  const float scale = (float)config->scaling_factor, shift = (float)config->shift_factor;
  for (int64_t i = 0; i < count; i++) {
    const float x = noise ? mean[i] + expf(0.5f * logvar[i]) * noise[i] : mean[i];
    out[i] = (x - shift) * scale;
  }
}

/* Whether a job's callback asks for what the job does itself, in its way, while it has the memory for it. */
static bool is_planned(const sumi_session *s, int64_t height, int64_t width, const sumi_codec_options *o) {
  const sumi__work *job = &s->planned;
  return job->decodes && job->height == height && job->width == width &&
         job->compute == sumi__precision_dtype(s->ctx, o->precision) && (!o->tile || o->tile == job->tile) &&
         !s->text.program && (job->shows || !s->unet.program);
}

static sumi_status save_memory(sumi_session *s, sumi__vae_direction direction, int64_t height, int64_t width,
                               sumi_codec_options *o) {
  sumi__work work = {.encodes = direction == SUMI__VAE_ENCODE,
                     .decodes = direction == SUMI__VAE_DECODE,
                     .height = height,
                     .width = width,
                     .compute = sumi__precision_dtype(s->ctx, o->precision),
                     .tile = o->tile};
  work.held_bytes = (size_t)(height * width) * 3 * sizeof(float); /* the caller's picture */
  const sumi_status status = sumi__session_save_alone(s, &work, false);
  o->tile = work.tile;
  return status;
}

sumi_status sumi_session_encode(sumi_session *s, const float *pictures, int64_t n, int64_t height, int64_t width,
                                const sumi_codec_options *options, float *latents, float *logvar) {
  sumi_status status = SUMI_OK;
  sumi_codec_options o = options ? *options : (sumi_codec_options){0};
  const sumi__autoencoder_kl_config *config = &s->engine->model->vae;
  const int64_t factor = sumi__autoencoder_kl_factor(config);
  float *noise = NULL, *spread = NULL;
  sumi_session *aside = NULL;
  SUMI_TRY(check_sides(s, n, height, width, factor, MOST_PIXELS));
  SUMI_TRY(sumi__tile_check(s, o.tile));
  SUMI_TRY(sumi__session_aside(s, &aside));
  if (aside) {
    status = sumi_session_encode(aside, pictures, n, height, width, options, latents, logvar);
    goto done;
  }
  SUMI_TRY(save_memory(s, SUMI__VAE_ENCODE, height, width, &o));
  const int64_t count = n * config->latent_channels * (height / factor) * (width / factor);
  spread = sumi__alloc_array(s->ctx, (size_t)count, sizeof *spread);
  SUMI_TRY(spread ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi__session_posterior(s, pictures, n, height, width, sumi__precision_dtype(s->ctx, o.precision), o.tile,
                                   latents, spread));
  if (o.sample) {
    sumi__rng rng;
    noise = sumi__alloc_array(s->ctx, (size_t)count, sizeof *noise);
    SUMI_TRY(noise ? SUMI_OK : SUMI_NO_MEMORY);
    sumi__rng_seed(&rng, o.seed);
    sumi__rng_normal(&rng, noise, (size_t)count);
  }
  sumi__posterior_draw(s, latents, spread, noise, count, latents);
  if (logvar) memcpy(logvar, spread, (size_t)count * sizeof *logvar);
done:
  sumi_session_free(aside);
  sumi__free(s->ctx, noise);
  sumi__free(s->ctx, spread);
  return status;
}

/* From -1 to 1 to a picture's 0 to 1. NaN stays. */
static float to_picture(float x) {
  x = 0.5f * x + 0.5f;
  return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
}

sumi_status sumi_session_decode(sumi_session *s, const float *latents, int64_t n, int64_t height, int64_t width,
                                const sumi_codec_options *options, float *pictures) {
  sumi_status status = SUMI_OK;
  sumi_codec_options o = options ? *options : (sumi_codec_options){0};
  const sumi__autoencoder_kl_config *config = &s->engine->model->vae;
  const int64_t factor = sumi__autoencoder_kl_factor(config), channels = config->latent_channels;
  const int64_t pixels = height * width, values = pixels * factor * factor * config->out_channels;
  const float scale = (float)config->scaling_factor, shift = (float)config->shift_factor;
  sumi__vae_tiling tiling;
  sumi__vae_coder *coder;
  sumi_session *aside = NULL;
  float *in = NULL;
  SUMI_TRY(check_sides(s, n, height, width, 1, MOST_PIXELS / factor));
  SUMI_TRY(sumi__tile_check(s, o.tile));
  const bool planned = s->at_work && s->max_memory && is_planned(s, height * factor, width * factor, &o);
  if (planned)
    o.tile = s->planned.tile;
  else
    SUMI_TRY(sumi__session_aside(s, &aside));
  if (aside) {
    status = sumi_session_decode(aside, latents, n, height, width, options, pictures);
    goto done;
  }
  SUMI_TRY(save_memory(s, SUMI__VAE_DECODE, height * factor, width * factor, &o));
  in = sumi__alloc_array(s->ctx, (size_t)(channels * pixels), sizeof *in);
  SUMI_TRY(in ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi__session_coder(s, SUMI__VAE_DECODE, sumi__precision_dtype(s->ctx, o.precision), &coder));
  for (int64_t i = 0; i < n; i++) {
    sumi__to_channels_last(latents + i * channels * pixels, 1, channels, pixels, in);
    for (int64_t k = 0; k < channels * pixels; k++) in[k] = in[k] / scale + shift;
    float *out = pictures + i * values;
    SUMI_TRY(sumi__vae_coder_run(coder, in, 1, height, width, sumi__session_tiling(s, o.tile, &tiling), NULL, out));
    for (int64_t k = 0; k < values; k++) out[k] = to_picture(out[k]);
  }
done:
  sumi_session_free(aside);
  sumi__free(s->ctx, in);
  return status;
}

void sumi_latent_preview(const float *latents, int64_t channels, int64_t pixels, float *picture) {
  static const float factors[4][3] = {{0.3512f, 0.2297f, 0.3227f},
                                      {0.3250f, 0.4974f, 0.2350f},
                                      {-0.2829f, 0.1762f, 0.2721f},
                                      {-0.2120f, -0.2616f, -0.7177f}};
  for (int64_t p = 0; p < pixels; p++)
    for (int k = 0; k < 3; k++) {
      float x = 0.0f;
      for (int64_t c = 0; c < channels && c < 4; c++) x += factors[c][k] * latents[c * pixels + p];
      picture[3 * p + k] = to_picture(x);
    }
}
