#include "pipeline/denoise.h"

#include <string.h>

/* Rows lie in groups of `count` pictures: without words first, where that matters; without words but with the picture,
 * where it is edited; then a group for each text. */
static int before_texts(const sumi__denoise *d) { return (d->none ? 1 : 0) + (d->edits ? 1 : 0); }
static int groups_of(const sumi__denoise *d) { return before_texts(d) + d->parts; }

/* The weights of a step's texts. InstructPix2Pix (T. Brooks, A. Holynski and A. Efros 2023, equation 3) is none +
 * i (picture - none) + s (text - picture), with a weight for each of several texts. */
static void weigh(sumi__denoise *d, int step) {
  const sumi_prompt_stage *stage = sumi__conditions_stage(d->conditions, step);
  double *of_text = d->weights + (d->edits ? 1 : 0), sum = 0.0;
  for (int i = 0; i < d->parts; i++) {
    of_text[i] = d->edits ? d->scale * (double)stage->parts[i].weight : (double)stage->parts[i].weight;
    sum += of_text[i];
  }
  if (d->edits) d->weights[0] = d->picture_scale - sum;
}

static sumi_status make_guidance(sumi__denoise *d, const sumi_generation *job) {
  d->parts = (int)sumi__conditions_stage(d->conditions, 0)->part_count;
  d->scale = job->guidance;
  d->picture_scale = sumi__generation_image_guidance(job);
  d->edits = sumi__engine_beside(d->session->engine) == SUMI_BESIDE_PICTURE && job->guidance != 1.0;
  const int conditions = d->parts + (d->edits ? 1 : 0);
  d->weights = sumi__alloc_array(d->session->ctx, (size_t)conditions, sizeof *d->weights);
  d->with = sumi__alloc_array(d->session->ctx, (size_t)conditions, sizeof *d->with);
  if (!d->weights || !d->with) return SUMI_NO_MEMORY;
  weigh(d, 0);
  d->guidance = (sumi__guidance){.scale = d->edits ? 1.0 : job->guidance,
                                 .rescale = job->guidance_rescale,
                                 .conditions = conditions,
                                 .weights = d->weights};
  d->none = sumi__guidance_needs_none(&d->guidance);
  return SUMI_OK;
}

sumi_status sumi__denoise_rows(sumi_session *s, const sumi__conditions *conditions, const sumi_generation *job,
                               int64_t count, int64_t *rows) {
  sumi__denoise d = {.session = s, .conditions = conditions};
  const sumi_status status = make_guidance(&d, job);
  *rows = count * groups_of(&d);
  sumi__denoise_free(&d);
  return status;
}

sumi_status sumi__denoise_make(sumi_session *s, sumi__conditions *conditions, const sumi_generation *job, int64_t count,
                               const sumi__start *start, sumi__denoise *d) {
  sumi_status status = SUMI_OK;
  const sumi_dtype compute = sumi__precision_dtype(s->ctx, job->precision);
  *d = (sumi__denoise){.session = s,
                       .conditions = conditions,
                       .count = count,
                       .height = start->height,
                       .width = start->width,
                       .channels = start->channels,
                       .size = start->size,
                       .extra = start->extra,
                       .extra_channels = start->extra_channels};
  SUMI_TRY(make_guidance(d, job));
  const sumi__unet_shape shape = {count * groups_of(d), d->height, d->width, conditions->tokens, compute};
  SUMI_TRY(sumi__unet_prepare(&s->unet, &shape));
  SUMI_TRY(sumi__conditions_read(conditions));
  d->kv = sumi__alloc_array(s->ctx, (size_t)groups_of(d), sizeof *d->kv);
  d->planes = sumi__alloc_array(s->ctx, (size_t)(groups_of(d) * d->size), sizeof *d->planes);
  SUMI_TRY(d->kv && d->planes ? SUMI_OK : SUMI_NO_MEMORY);
  for (int k = 0; k < d->guidance.conditions; k++) d->with[k] = d->planes + (k + (d->none ? 1 : 0)) * d->size;
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
  weigh(d, step);
  for (int group = 0; group < groups_of(d); group++) {
    const int part = group - before_texts(d);
    const void *kv = part < 0 ? sumi__conditions_none(d->conditions, step)
                              : sumi__conditions_part(d->conditions, step, (size_t)part);
    if (d->kv[group] == kv) continue;
    d->kv[group] = kv;
    for (int64_t i = 0; i < d->count; i++) sumi__unet_set_context(&d->session->unet, group * d->count + i, kv);
  }
}

/* Latents and what stands beside them, channels last, into every group's row of picture i. */
static void fill_rows(sumi__denoise *d, int64_t i, const float *x, double t) {
  const int64_t pixels = d->height * d->width, all = d->channels + d->extra_channels;
  sumi__unet_runner *unet = &d->session->unet;
  const int last = groups_of(d) - 1;
  float *full = sumi__unet_sample_row(unet, last * d->count + i);
  for (int64_t c = 0; c < all; c++) {
    const float *plane =
        c < d->channels ? x + c * pixels : d->extra + (i * d->extra_channels + c - d->channels) * pixels;
    for (int64_t p = 0; p < pixels; p++) full[p * all + c] = plane[p];
  }
  for (int group = 0; group <= last; group++) {
    float *row = sumi__unet_sample_row(unet, group * d->count + i);
    if (group < last) memcpy(row, full, (size_t)(all * pixels) * sizeof *row);
    sumi__unet_timesteps(unet)[group * d->count + i] = (float)t;
  }
  float *none = sumi__unet_sample_row(unet, i);
  for (int64_t p = 0; d->none && d->edits && p < pixels; p++)
    memset(none + p * all + d->channels, 0, (size_t)d->extra_channels * sizeof *none);
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
