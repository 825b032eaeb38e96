/* A job: prompts, noise or a picture, the sampler's steps, pictures. */
#include "diffusion/schedule.h"
#include "io/text.h"
#include "pipeline/denoise.h"
#include "pipeline/noise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct job {
  sumi_session *s;
  sumi_generation how; /* with the defaults filled in */
  const sumi__sampler *sampler;
  sumi__ddpm ddpm;
  sumi__schedule schedule;
  sumi__conditions conditions;
  sumi_dtype compute;
  int64_t channels, height, width, size; /* of latents */
  int first;                             /* the step that sampling begins with */
  float *init_mean, *init_logvar;        /* (size): of the picture to begin with, or NULL */
  float *hole_mean, *hole_logvar;        /* (size): of the picture with a hole, for models of 9 channels */
  float *mask;                           /* (height, width) in latents, or NULL */
  /* One batch. */
  int64_t begin, count;
  float *x, *noise, *known, *mask_values, *extra, *draw, *shown; /* (batch, ...) */
  float *pictures; /* (batch, ...): for those that nobody but `batch_done` wants, or NULL */
  sumi__noise source;
  sumi__denoise denoise;
} job;

/* ---- What is asked for ---- */

static sumi_status unknown_sampler(sumi_context *ctx, const char *name) {
  char list[512] = "", shown[SUMI__QUOTE_MAX];
  size_t at = 0;
  for (size_t i = 0; i < sumi_sampler_count() && at + 32 < sizeof list; i++)
    if (sumi_sampler_at(i)->latent)
      at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", sumi_sampler_at(i)->name);
  return sumi__fail(ctx, SUMI_NOT_FOUND, "there is no sampler %s; there are %s", sumi__quote(shown, name), list);
}

static sumi_status choose_sampler(job *j) {
  const sumi_schedule_info *schedule = NULL;
  sumi_generation *h = &j->how;
  if (!sumi_sampler_find(h->sampler, &schedule) || !(j->sampler = sumi__sampler_find(h->sampler)))
    return unknown_sampler(j->s->ctx, h->sampler);
  if (!j->sampler->info.latent)
    return sumi__fail(j->s->ctx, SUMI_INVALID, "the sampler '%s' is not one for Stable Diffusion", h->sampler);
  if (schedule && !h->schedule.schedule) h->schedule.schedule = schedule->name;
  return SUMI_OK;
}

/* Whether the job begins with noise alone, which with a mask is what strength 1 means. */
static bool only_noise(const job *j) { return !j->how.init || (j->how.mask && j->how.strength == 1.0); }

/* Whether the strength leaves no step to take. */
static bool untouched(const job *j) { return j->first == j->schedule.steps; }

/* The checkpoint says how it was trained; the job may say where to stop. */
static sumi_status make_schedule(job *j) {
  sumi_status status = SUMI_OK;
  sumi_schedule_options o = j->how.schedule;
  const sumi_schedule_options *trained = &j->s->engine->model->schedule;
  o.betas = trained->betas;
  if (!o.steps_offset) o.steps_offset = trained->steps_offset;
  if (o.spacing == SUMI_SPACING_DEFAULT && o.convention == SUMI_CONVENTION_DIFFUSERS) o.spacing = trained->spacing;
  /* set_alpha_to_one is of DDIM and PNDM alone. */
  if (o.final == SUMI_FINAL_DEFAULT && j->sampler->habits.grid == SUMI__GRID_STRIDE) o.final = trained->final;
  SUMI_TRY(sumi__ddpm_make(j->s->ctx, &o.betas, &j->ddpm));
  SUMI_TRY(sumi__schedule_make(j->s->ctx, &j->ddpm, j->sampler, &o, j->how.steps, &j->schedule));
  if (!only_noise(j)) {
    const double strength = sumi__generation_strength(&j->how);
    j->first = sumi__img2img_first(o.convention, j->how.steps, strength);
    if (strength == 0.0 || j->first >= j->how.steps) j->first = j->schedule.steps;
  }
done:
  return status;
}

static sumi_status begin(job *j, sumi_session *s, const sumi_generation *how) {
  sumi_status status = SUMI_OK;
  const sumi_engine_info info = sumi_engine_describe(s->engine);
  *j = (job){.s = s, .how = sumi__generation_filled(s->engine, how)};
  const sumi_generation *h = &j->how;
  j->channels = info.latent_channels;
  SUMI_TRY(sumi__generation_check(s, h));
  j->height = h->height / info.factor;
  j->width = h->width / info.factor;
  j->size = j->channels * j->height * j->width;
  j->compute = sumi__precision_dtype(s->ctx, h->precision);
  SUMI_TRY(choose_sampler(j));
  SUMI_TRY(make_schedule(j));
done:
  return status;
}

/* ---- Telling ---- */

static sumi_status cancelled(job *j) { return sumi__fail(j->s->ctx, SUMI_CANCELLED, "cancelled"); }

static sumi_status tell(job *j, sumi_phase phase, int done) {
  const sumi_generation_progress p = {.phase = phase,
                                      .step = done,
                                      .total = 1,
                                      .first = j->begin,
                                      .count = j->count,
                                      .channels = j->channels,
                                      .height = j->height,
                                      .width = j->width};
  if (!j->how.callback || j->how.callback(j->how.user, &p)) return SUMI_OK;
  return cancelled(j);
}

static bool report(void *user, const sumi__sampling *at) {
  job *j = user;
  if (!j->how.callback) return true;
  const float scale = (float)sumi__state_scale(j->sampler, at->now.sigma);
  for (int64_t i = 0; i < j->count * j->size; i++) j->shown[i] = at->x[i] * scale;
  const sumi_generation_progress p = {.phase = SUMI_PHASE_SAMPLE,
                                      .step = at->step - j->first,
                                      .total = j->schedule.steps - j->first,
                                      .first = j->begin,
                                      .count = j->count,
                                      .sigma = at->now.sigma,
                                      .timestep = at->now.t,
                                      .channels = j->channels,
                                      .height = j->height,
                                      .width = j->width,
                                      .x = j->shown,
                                      .x0 = at->step > j->first ? at->x0 : NULL};
  return j->how.callback(j->how.user, &p);
}

static bool prepare(void *user, const sumi__sampling *at, sumi__noise_level level) {
  job *j = user;
  (void)level;
  sumi__denoise_at_step(&j->denoise, at->step);
  return true;
}

/* ---- The picture to begin with, and its mask ---- */

static sumi_status posterior(job *j, const float *picture, float **mean, float **logvar) {
  *mean = sumi__alloc_array(j->s->ctx, (size_t)j->size, sizeof **mean);
  *logvar = sumi__alloc_array(j->s->ctx, (size_t)j->size, sizeof **logvar);
  if (!*mean || !*logvar) return SUMI_NO_MEMORY;
  return sumi__session_posterior(j->s, picture, 1, j->how.height, j->how.width, j->compute, j->how.tile, *mean,
                                 *logvar);
}

/* The picture without the part that is to be made, grey there. */
static sumi_status posterior_of_hole(job *j) {
  const int64_t pixels = j->how.height * j->how.width;
  float *hole = sumi__alloc_array(j->s->ctx, (size_t)pixels, 3 * sizeof *hole);
  if (!hole) return SUMI_NO_MEMORY;
  for (int64_t p = 0; p < pixels; p++)
    for (int c = 0; c < 3; c++) hole[3 * p + c] = j->how.mask[p] < 0.5f ? j->how.init[3 * p + c] : 0.5f;
  const sumi_status status = posterior(j, hole, &j->hole_mean, &j->hole_logvar);
  sumi__free(j->s->ctx, hole);
  return status;
}

/* The mask on latents: the pixel at the upper left of each, rounded (torch's nearest interpolation). */
static sumi_status shrink_mask(job *j) {
  const int64_t factor = j->how.height / j->height;
  j->mask = sumi__alloc_array(j->s->ctx, (size_t)(j->height * j->width), sizeof *j->mask);
  if (!j->mask) return SUMI_NO_MEMORY;
  for (int64_t y = 0; y < j->height; y++)
    for (int64_t x = 0; x < j->width; x++)
      j->mask[y * j->width + x] = j->how.mask[y * factor * j->how.width + x * factor] >= 0.5f ? 1.0f : 0.0f;
  return SUMI_OK;
}

static bool inpainting_model(const job *j) { return j->s->engine->model->unet.in_channels > j->channels; }

static sumi_status encode(job *j) {
  sumi_status status = SUMI_OK;
  if (!j->how.init) return SUMI_OK;
  SUMI_TRY(tell(j, SUMI_PHASE_ENCODE, 0));
  SUMI_TRY(posterior(j, j->how.init, &j->init_mean, &j->init_logvar));
  if (j->how.mask) {
    SUMI_TRY(shrink_mask(j));
    if (inpainting_model(j)) SUMI_TRY(posterior_of_hole(j));
  }
  SUMI_TRY(tell(j, SUMI_PHASE_ENCODE, 1));
done:
  if (j->how.low_memory) sumi__session_drop_coder(j->s);
  return status;
}

/* ---- A batch ---- */

/* A draw from a posterior for each picture of the batch. */
static void draw_latents(job *j, const float *mean, const float *logvar, float *out) {
  sumi__noise_draw(&j->source, j->draw);
  for (int64_t i = 0; i < j->count; i++)
    sumi__posterior_draw(j->s, mean, logvar, j->draw + i * j->size, j->size, out + i * j->size);
}

/* What an inpainting model sees behind the latents: the mask, then the picture with a hole. Drawn for other models as
 * well, since diffusers does and later noise depends on it. */
static void draw_hole(job *j) {
  const int64_t pixels = j->height * j->width, all = j->channels + 1;
  draw_latents(j, j->hole_mean, j->hole_logvar, j->known);
  for (int64_t i = 0; i < j->count; i++) {
    memcpy(j->extra + i * all * pixels, j->mask, (size_t)pixels * sizeof *j->mask);
    memcpy(j->extra + (i * all + 1) * pixels, j->known + i * j->size, (size_t)j->size * sizeof *j->known);
  }
}

/* The state that the batch begins with. Draws come in diffusers' order: the picture's latents, the noise, the latents
 * of the picture with a hole. */
static void draw_start(job *j) {
  const int64_t values = j->count * j->size, pixels = j->height * j->width;
  const bool wants_known = j->how.init && !(only_noise(j) && inpainting_model(j));
  const double sigma = untouched(j) ? 0.0 : j->schedule.levels[j->first].sigma;
  float *known = j->known + (inpainting_model(j) ? values : 0);
  if (wants_known) draw_latents(j, j->init_mean, j->init_logvar, known);
  sumi__noise_draw(&j->source, j->noise);
  if (only_noise(j))
    for (int64_t i = 0; i < values; i++) j->x[i] = (float)(j->schedule.initial_scale * (double)j->noise[i]);
  else
    sumi__add_noise(sigma, values, known, j->noise, j->x);
  if (!j->how.mask) return;
  for (int64_t i = 0; i < j->count * j->channels; i++)
    memcpy(j->mask_values + i * pixels, j->mask, (size_t)pixels * sizeof *j->mask);
  if (inpainting_model(j)) {
    draw_hole(j);
  } else {
    sumi__noise_draw(&j->source, j->draw);
  }
}

static sumi_status allocate_batch(job *j, bool wants_pictures) {
  sumi_context *ctx = j->s->ctx;
  const size_t count = (size_t)j->how.batch, values = (size_t)j->size * sizeof(float);
  j->x = sumi__alloc_array(ctx, count, values);
  j->noise = sumi__alloc_array(ctx, count, values);
  j->draw = sumi__alloc_array(ctx, count, values);
  j->known = sumi__alloc_array(ctx, 2 * count, values);
  j->mask_values = sumi__alloc_array(ctx, count, values);
  j->extra = sumi__alloc_array(ctx, count, 2 * values);
  j->shown = sumi__alloc_array(ctx, count, values);
  if (wants_pictures) {
    const size_t picture = (size_t)(j->how.width * j->how.height) * 3 * sizeof *j->pictures;
    if (!(j->pictures = sumi__alloc_array(ctx, count, picture))) return SUMI_NO_MEMORY;
  }
  return j->shown && j->x && j->noise && j->draw && j->known && j->mask_values && j->extra ? SUMI_OK : SUMI_NO_MEMORY;
}

static void draw_noise(void *user, float *out) { sumi__noise_draw(&((job *)user)->source, out); }

static sumi__prediction prediction_of(const job *j) {
  switch (j->s->engine->model->prediction) {
  case SUMI_PREDICTION_V: return SUMI__PREDICTS_V;
  case SUMI_PREDICTION_X0: return SUMI__PREDICTS_X0;
  default: return SUMI__PREDICTS_EPS;
  }
}

static sumi_status sample(job *j) {
  sumi_status status = SUMI_OK;
  if (untouched(j)) return SUMI_OK;
  const sumi__denoiser denoiser = {prediction_of(j), true, sumi__denoise_model, &j->denoise};
  const sumi__mask mask = {j->mask_values, j->known, j->noise, j->how.blend_denoised};
  const sumi__sample_job how = {.sampler = j->sampler,
                                .denoiser = &denoiser,
                                .process = &j->schedule.process,
                                .steps = j->schedule.steps,
                                .levels = j->schedule.levels,
                                .first = j->first,
                                .stride = j->schedule.stride,
                                .count = j->count,
                                .size = j->size,
                                .options = j->how.sampler_options,
                                .lower_order_final = j->how.schedule.convention == SUMI_CONVENTION_DIFFUSERS,
                                .mask = j->how.mask && !inpainting_model(j) ? &mask : NULL,
                                .noise = draw_noise,
                                .noise_user = j,
                                .prepare = prepare,
                                .prepare_user = j,
                                .report = report,
                                .report_user = j};
  SUMI_TRY(sumi__denoise_make(j->s, &j->conditions, &j->how, j->count, j->height, j->width, &j->denoise));
  if (inpainting_model(j)) {
    j->denoise.extra = j->extra;
    j->denoise.extra_channels = j->channels + 1;
  }
  SUMI_TRY(sumi__sample(j->s->ctx, &how, j->x, NULL));
  const float scale = (float)sumi__state_scale(j->sampler, j->schedule.levels[j->schedule.steps].sigma);
  for (int64_t i = 0; i < j->count * j->size; i++) j->x[i] *= scale;
done:
  sumi__denoise_free(&j->denoise);
  return status;
}

/* Hands over what is complete. */
static sumi_status hand_over(job *j, const float *pictures) {
  const sumi_generation_batch batch = {.first = j->begin,
                                       .count = j->count,
                                       .width = j->how.width,
                                       .height = j->how.height,
                                       .pictures = pictures,
                                       .channels = j->channels,
                                       .rows = j->height,
                                       .columns = j->width,
                                       .latents = j->x};
  if (!j->how.batch_done || j->how.batch_done(j->how.user, &batch)) return SUMI_OK;
  return cancelled(j);
}

static sumi_status decode(job *j, float *pictures) {
  sumi_status status = SUMI_OK;
  const sumi_codec_options options = {.precision = j->how.precision, .tile = j->how.tile};
  const bool last = j->begin + j->count == j->how.count;
  if (last && j->how.low_memory) sumi__unet_runner_drop(&j->s->unet);
  SUMI_TRY(tell(j, SUMI_PHASE_DECODE, 0));
  SUMI_TRY(sumi_session_decode(j->s, j->x, j->count, j->height, j->width, &options, pictures));
  SUMI_TRY(hand_over(j, pictures)); /* first, so that it is not lost if the other callback stops here */
  SUMI_TRY(tell(j, SUMI_PHASE_DECODE, 1));
done:
  return status;
}

static sumi_status run_batch(job *j, float *pictures, float *latents) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi__noise_make(j->s->ctx, j->how.noise, j->how.seed, j->begin, j->count, j->size, &j->source));
  draw_start(j);
  SUMI_TRY(sample(j));
  if (latents) memcpy(latents + j->begin * j->size, j->x, (size_t)(j->count * j->size) * sizeof *latents);
  float *to = pictures ? pictures + j->begin * j->how.height * j->how.width * 3 : j->pictures;
  if (to) SUMI_TRY(decode(j, to));
done:
  sumi__noise_free(j->s->ctx, &j->source);
  return status;
}

static void finish(job *j) {
  sumi_context *ctx = j->s->ctx;
  float *const memory[] = {j->init_mean, j->init_logvar, j->hole_mean,   j->hole_logvar, j->mask,  j->x,       j->noise,
                           j->draw,      j->known,       j->mask_values, j->extra,       j->shown, j->pictures};
  for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) sumi__free(ctx, memory[i]);
  sumi__conditions_free(&j->conditions);
  sumi__schedule_free(ctx, &j->schedule);
  sumi__ddpm_free(ctx, &j->ddpm);
}

sumi_status sumi_session_generate(sumi_session *session, const sumi_generation *how, float *pictures, float *latents) {
  sumi_status status = sumi__session_idle(session);
  job j;
  if (status != SUMI_OK) return status;
  session->at_work = true;
  SUMI_TRY(begin(&j, session, how));
  SUMI_TRY(allocate_batch(&j, how->batch_done && !pictures));
  SUMI_TRY(tell(&j, SUMI_PHASE_TEXT, 0));
  SUMI_TRY(sumi__conditions_make(session, &j.how, j.how.steps, &j.conditions));
  if (j.how.low_memory) sumi__text_runner_drop(&session->text);
  SUMI_TRY(tell(&j, SUMI_PHASE_TEXT, 1));
  SUMI_TRY(encode(&j));
  for (j.begin = 0; j.begin < j.how.count; j.begin += j.count) {
    j.count = sumi__min_i64(j.how.batch, j.how.count - j.begin);
    SUMI_TRY(run_batch(&j, pictures, latents));
  }
done:
  finish(&j);
  session->at_work = false;
  if (status == SUMI_OK && how->low_memory) sumi_session_trim(session);
  return status;
}
