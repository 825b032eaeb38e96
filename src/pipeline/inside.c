/* Single evaluations of a model's parts, for looking inside. */
#include "pipeline/engine.h"

#include "base/random.h"
#include "diffusion/ddpm.h"

#include <math.h>
#include <string.h>

/* What one evaluation may be of: more than any picture here needs, and few enough for every product of sizes. */
enum { MOST_ROWS = 64, MOST_SIDE = 4096, MOST_TOKENS = 1 << 16 };
#define MOST_VALUES ((int64_t)1 << 36)

sumi_status sumi_session_embed(sumi_session *s, const int32_t *ids, int clip_skip, sumi_precision precision,
                               const sumi_text_embeddings *out) {
  sumi_status status = SUMI_OK;
  const float *levels[3];
  sumi_session *aside = NULL;
  float *const to[3] = {out->token, out->position, out->output};
  const size_t bytes = (size_t)(SUMI_CHUNK_TOKENS * s->engine->model->text.hidden_size) * sizeof(float);
  const sumi_dtype compute = sumi__precision_dtype(s->ctx, precision);
  SUMI_TRY(sumi__session_aside(s, &aside));
  if (aside) {
    status = sumi_session_embed(aside, ids, clip_skip, precision, out);
    goto done;
  }
  sumi__work work = {.text_rows = 1, .clip_skip = clip_skip ? clip_skip : 1, .compute = compute};
  SUMI_TRY(sumi__session_save_alone(s, &work, sumi__text_is_prepared(&s->text, 1, work.clip_skip, compute)));
  SUMI_TRY(sumi__text_run(&s->text, ids, 1, work.clip_skip, compute, &levels[0], &levels[1], &levels[2]));
  for (int i = 0; i < 3; i++)
    if (to[i]) memcpy(to[i], levels[i], bytes);
done:
  sumi_session_free(aside);
  return status;
}

sumi_status sumi_session_unet(sumi_session *s, const float *latents, int64_t n, int64_t height, int64_t width,
                              const double *timesteps, const float *context, int64_t tokens, sumi_precision precision,
                              float *out) {
  sumi_status status = SUMI_OK;
  const sumi__unet2d_config *config = &s->engine->model->unet;
  const int64_t pixels = height * width, in = config->in_channels, results = config->out_channels;
  void *kv = NULL;
  SUMI_TRY(sumi__session_idle(s));
  SUMI_CHECK(s->ctx, n >= 1 && n <= MOST_ROWS, SUMI_INVALID, "the U-Net's input has %lld latents, expected 1 to %d",
             (long long)n, (int)MOST_ROWS);
  SUMI_CHECK(s->ctx, height >= 1 && height <= MOST_SIDE && width >= 1 && width <= MOST_SIDE, SUMI_INVALID,
             "the U-Net's latents are %lld x %lld, expected sides of 1 to %d", (long long)height, (long long)width,
             (int)MOST_SIDE);
  SUMI_CHECK(s->ctx, tokens >= 1 && tokens <= MOST_TOKENS, SUMI_INVALID,
             "the U-Net's context has %lld tokens, expected 1 to %d", (long long)tokens, (int)MOST_TOKENS);
  const sumi__unet_shape shape = {n, height, width, tokens, sumi__precision_dtype(s->ctx, precision)};
  sumi__work work = {.unet = shape, .contexts = 1, .compute = shape.compute};
  SUMI_TRY(sumi__session_save_alone(s, &work, sumi__unet_is_prepared(&s->unet, &shape)));
  SUMI_TRY(sumi__unet_prepare(&s->unet, &shape));
  kv = sumi__alloc(s->ctx, sumi__unet_context_bytes(&s->unet));
  SUMI_TRY(kv ? SUMI_OK : SUMI_NO_MEMORY);
  for (int64_t i = 0; i < n; i++) {
    SUMI_TRY(sumi__unet_read_context(&s->unet, context + i * tokens * config->cross_attention_dim, kv));
    sumi__unet_set_context(&s->unet, i, kv);
    sumi__to_channels_last(latents + i * in * pixels, 1, in, pixels, sumi__unet_sample_row(&s->unet, i));
    sumi__unet_timesteps(&s->unet)[i] = (float)timesteps[i];
  }
  SUMI_TRY(sumi__unet_run(&s->unet));
  for (int64_t i = 0; i < n; i++)
    sumi__to_channels_first(sumi__unet_output_row(&s->unet, i), 1, results, pixels, out + i * results * pixels);
done:
  sumi__free(s->ctx, kv);
  return status;
}

sumi_status sumi_session_diffuse(sumi_session *s, const float *latents, int64_t count, double timestep, uint64_t seed,
                                 float *out) {
  sumi_status status = SUMI_OK;
  sumi__ddpm ddpm = {0};
  sumi__rng rng;
  float *noise = NULL;
  SUMI_CHECK(s->ctx, count >= 1 && count <= MOST_VALUES, SUMI_INVALID, "%lld values are given, expected 1 to %lld",
             (long long)count, (long long)MOST_VALUES);
  SUMI_TRY(sumi__ddpm_make(s->ctx, &s->engine->model->schedule.betas, &ddpm));
  SUMI_CHECK(s->ctx, timestep >= 0.0 && timestep <= ddpm.count - 1, SUMI_INVALID,
             "the timestep is %g, expected 0 to %d", timestep, ddpm.count - 1);
  noise = sumi__alloc_array(s->ctx, (size_t)count, sizeof *noise);
  SUMI_TRY(noise ? SUMI_OK : SUMI_NO_MEMORY);
  const double sigma = sumi__ddpm_sigma(&ddpm, timestep), scale = 1.0 / sqrt(1.0 + sigma * sigma);
  sumi__rng_seed(&rng, seed);
  sumi__rng_normal(&rng, noise, (size_t)count);
  for (int64_t i = 0; i < count; i++) out[i] = (float)(scale * (double)latents[i] + scale * sigma * (double)noise[i]);
done:
  sumi__free(s->ctx, noise);
  sumi__ddpm_free(s->ctx, &ddpm);
  return status;
}
