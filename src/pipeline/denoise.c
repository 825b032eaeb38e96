#include "pipeline/denoise.h"

#include <string.h>

/* Rows lie in groups of `count` pictures: without words first, where that matters, then a group for each text. */
static int groups_of(const sumi__denoise *d) { return d->parts + (d->none ? 1 : 0); }

static sumi_status read_weights(sumi__denoise *d) {
  const sumi_prompt_stage *stage = sumi__conditions_stage(d->conditions, 0);
  d->parts = (int)stage->part_count;
  d->weights = sumi__alloc_array(d->session->ctx, stage->part_count, sizeof *d->weights);
  if (!d->weights) return SUMI_NO_MEMORY;
  for (int i = 0; i < d->parts; i++) d->weights[i] = (double)stage->parts[i].weight;
  return SUMI_OK;
}

sumi_status sumi__denoise_make(sumi_session *s, sumi__conditions *conditions, const sumi_generation *job, int64_t count,
                               int64_t height, int64_t width, sumi__denoise *d) {
  sumi_status status = SUMI_OK;
  const sumi__model *model = s->engine->model;
  const sumi_dtype compute = sumi__precision_dtype(s->ctx, job->precision);
  *d = (sumi__denoise){.session = s,
                       .conditions = conditions,
                       .count = count,
                       .height = height,
                       .width = width,
                       .channels = model->vae.latent_channels,
                       .size = model->vae.latent_channels * height * width};
  SUMI_TRY(read_weights(d));
  d->guidance = (sumi__guidance){
      .scale = job->guidance, .rescale = job->guidance_rescale, .conditions = d->parts, .weights = d->weights};
  d->none = sumi__guidance_needs_none(&d->guidance);
  const sumi__unet_shape shape = {count * groups_of(d), height, width, conditions->tokens, compute};
  SUMI_TRY(sumi__unet_prepare(&s->unet, &shape));
  SUMI_TRY(sumi__conditions_read(conditions));
  d->kv = sumi__alloc_array(s->ctx, (size_t)groups_of(d), sizeof *d->kv);
  d->planes = sumi__alloc_array(s->ctx, (size_t)(groups_of(d) * d->size), sizeof *d->planes);
  d->with = sumi__alloc_array(s->ctx, (size_t)d->parts, sizeof *d->with);
  SUMI_TRY(d->kv && d->planes && d->with ? SUMI_OK : SUMI_NO_MEMORY);
  for (int k = 0; k < d->parts; k++) d->with[k] = d->planes + (k + (d->none ? 1 : 0)) * d->size;
done:
  return status;
}

void sumi__denoise_free(sumi__denoise *d) {
  if (!d->session) return;
  sumi_context *ctx = d->session->ctx;
  sumi__free(ctx, d->weights);
  sumi__free(ctx, d->kv);
  sumi__free(ctx, d->planes);
  sumi__free(ctx, d->with);
  *d = (sumi__denoise){0};
}

void sumi__denoise_at_step(sumi__denoise *d, int step) {
  const sumi_prompt_stage *stage = sumi__conditions_stage(d->conditions, step);
  for (int i = 0; i < d->parts; i++) d->weights[i] = (double)stage->parts[i].weight;
  for (int group = 0; group < groups_of(d); group++) {
    const int part = d->none ? group - 1 : group;
    const void *kv = part < 0 ? sumi__conditions_none(d->conditions, step)
                              : sumi__conditions_part(d->conditions, step, (size_t)part);
    if (d->kv[group] == kv) continue;
    d->kv[group] = kv;
    for (int64_t i = 0; i < d->count; i++) sumi__unet_set_context(&d->session->unet, group * d->count + i, kv);
  }
}

/* Latents and what stands behind them, channels last, into every group's row of picture i. */
static void fill_rows(sumi__denoise *d, int64_t i, const float *x, double t) {
  const int64_t pixels = d->height * d->width, all = d->channels + d->extra_channels;
  sumi__unet_runner *unet = &d->session->unet;
  float *first = sumi__unet_sample_row(unet, i);
  for (int64_t c = 0; c < all; c++) {
    const float *plane =
        c < d->channels ? x + c * pixels : d->extra + (i * d->extra_channels + c - d->channels) * pixels;
    for (int64_t p = 0; p < pixels; p++) first[p * all + c] = plane[p];
  }
  for (int group = 0; group < groups_of(d); group++) {
    float *row = sumi__unet_sample_row(unet, group * d->count + i);
    if (group) memcpy(row, first, (size_t)(all * pixels) * sizeof *row);
    sumi__unet_timesteps(unet)[group * d->count + i] = (float)t;
  }
}

sumi_status sumi__denoise_model(void *user, int64_t count, int64_t size, const float *x,
                                const sumi__noise_level *levels, float *out) {
  sumi__denoise *d = user;
  const int64_t pixels = d->height * d->width;
  for (int64_t i = 0; i < count; i++) fill_rows(d, i, x + i * size, levels[i].t);
  const sumi_status status = sumi__unet_run(&d->session->unet);
  if (status != SUMI_OK) return status;
  for (int64_t i = 0; i < count; i++) {
    for (int group = 0; group < groups_of(d); group++)
      sumi__to_channels_first(sumi__unet_output_row(&d->session->unet, group * d->count + i), 1, d->channels, pixels,
                              d->planes + group * size);
    sumi__guide(&d->guidance, size, d->none ? d->planes : NULL, d->with, out + i * size);
  }
  return SUMI_OK;
}
