/* A job: prompts, noise or a picture, the sampler's steps, pictures. */
#include "diffusion/schedule.h"
#include "io/text.h"
#include "pipeline/denoise.h"
#include "pipeline/start.h"

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
  sumi__start start;
  int first;            /* the step that sampling begins with */
  int64_t begin, count; /* the batch */
  float *shown;         /* (batch, ...): the state as the reference's sampler has it */
  float *pictures;      /* (batch, ...): for those that nobody but `batch_done` wants, or NULL */
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
  if (!j->start.only_noise) {
    const double strength = sumi__generation_strength(&j->how);
    j->first = sumi__img2img_first(o.convention, j->how.steps, strength);
    if (strength == 0.0 || j->first >= j->how.steps) j->first = j->schedule.steps;
    if (strength > 0.0 && j->first == j->schedule.steps)
      sumi__log(j->s->ctx, SUMI_LOG_WARNING, "a strength of %g leaves none of %d steps: nothing is made anew", strength,
                j->how.steps);
  }
done:
  return status;
}

static sumi_status allocate(job *j, bool wants_pictures) {
  const size_t count = (size_t)j->how.batch, values = (size_t)j->start.size * sizeof(float);
  const size_t picture = (size_t)(j->how.width * j->how.height) * 3 * sizeof(float);
  j->shown = sumi__alloc_array(j->s->ctx, count, values);
  if (wants_pictures) j->pictures = sumi__alloc_array(j->s->ctx, count, picture);
  return j->shown && (j->pictures || !wants_pictures) ? SUMI_OK : SUMI_NO_MEMORY;
}

static sumi_status begin(job *j, sumi_session *s, const sumi_generation *how, bool wants_pictures) {
  sumi_status status = SUMI_OK;
  *j = (job){.s = s, .how = sumi__generation_filled(s->engine, how)};
  SUMI_TRY(sumi__generation_check(s, &j->how));
  SUMI_TRY(choose_sampler(j));
  SUMI_TRY(sumi__start_make(s, &j->how, &j->start));
  SUMI_TRY(make_schedule(j));
  SUMI_TRY(allocate(j, wants_pictures));
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
                                      .channels = j->start.channels,
                                      .height = j->start.height,
                                      .width = j->start.width};
  if (!j->how.callback || j->how.callback(j->how.user, &p)) return SUMI_OK;
  return cancelled(j);
}

static bool report(void *user, const sumi__sampling *at) {
  job *j = user;
  if (!j->how.callback) return true;
  const float scale = (float)sumi__state_scale(j->sampler, at->now.sigma);
  for (int64_t i = 0; i < j->count * j->start.size; i++) j->shown[i] = at->x[i] * scale;
  const sumi_generation_progress p = {.phase = SUMI_PHASE_SAMPLE,
                                      .step = at->step - j->first,
                                      .total = j->schedule.steps - j->first,
                                      .first = j->begin,
                                      .count = j->count,
                                      .sigma = at->now.sigma,
                                      .timestep = at->now.t,
                                      .channels = j->start.channels,
                                      .height = j->start.height,
                                      .width = j->start.width,
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

/* ---- A batch ---- */

static sumi_status encode(job *j) {
  sumi_status status = SUMI_OK;
  if (!j->how.init) return SUMI_OK;
  SUMI_TRY(tell(j, SUMI_PHASE_ENCODE, 0));
  SUMI_TRY(sumi__start_encode(&j->start));
  SUMI_TRY(tell(j, SUMI_PHASE_ENCODE, 1));
done:
  if (j->how.low_memory) sumi__session_drop_coder(j->s);
  return status;
}

static void draw_noise(void *user, float *out) { sumi__start_noise(&((job *)user)->start, out); }

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
  const bool masked = j->how.mask && sumi__engine_beside(j->s->engine) != SUMI_BESIDE_HOLE;
  const sumi__mask mask = {j->start.mask_values, j->start.known, j->start.noise, j->how.blend_denoised};
  const sumi__sample_job how = {.sampler = j->sampler,
                                .denoiser = &denoiser,
                                .process = &j->schedule.process,
                                .steps = j->schedule.steps,
                                .levels = j->schedule.levels,
                                .first = j->first,
                                .stride = j->schedule.stride,
                                .count = j->count,
                                .size = j->start.size,
                                .options = j->how.sampler_options,
                                .lower_order_final = j->how.schedule.convention == SUMI_CONVENTION_DIFFUSERS,
                                .mask = masked ? &mask : NULL,
                                .noise = draw_noise,
                                .noise_user = j,
                                .prepare = prepare,
                                .prepare_user = j,
                                .report = report,
                                .report_user = j};
  SUMI_TRY(tell(j, SUMI_PHASE_LOAD, 0));
  if (j->s->max_memory && !j->how.decodes_steps) sumi__session_drop_coder(j->s); /* that a callback may have left */
  SUMI_TRY(sumi__denoise_make(j->s, &j->conditions, &j->how, j->count, &j->start, &j->denoise));
  SUMI_TRY(tell(j, SUMI_PHASE_LOAD, 1));
  SUMI_TRY(sumi__sample(j->s->ctx, &how, j->start.x, NULL));
  const float scale = (float)sumi__state_scale(j->sampler, j->schedule.levels[j->schedule.steps].sigma);
  for (int64_t i = 0; i < j->count * j->start.size; i++) j->start.x[i] *= scale;
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
                                       .channels = j->start.channels,
                                       .rows = j->start.height,
                                       .columns = j->start.width,
                                       .latents = j->start.x};
  if (!j->how.batch_done || j->how.batch_done(j->how.user, &batch)) return SUMI_OK;
  return cancelled(j);
}

static sumi_status decode(job *j, float *pictures) {
  sumi_status status = SUMI_OK;
  const sumi_codec_options options = {.precision = j->how.precision, .tile = j->how.tile};
  const bool last = j->begin + j->count == j->how.count;
  if ((last && j->how.low_memory) || j->s->max_memory) sumi__unet_runner_drop(&j->s->unet);
  SUMI_TRY(tell(j, SUMI_PHASE_DECODE, 0));
  SUMI_TRY(sumi_session_decode(j->s, j->start.x, j->count, j->start.height, j->start.width, &options, pictures));
  SUMI_TRY(hand_over(j, pictures)); /* first, so that it is not lost if the other callback stops here */
  if (j->s->max_memory) sumi__session_drop_coder(j->s);
  SUMI_TRY(tell(j, SUMI_PHASE_DECODE, 1));
done:
  return status;
}

static sumi_status run_batch(job *j, float *pictures, float *latents) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi__start_batch(&j->start, j->begin, j->count));
  sumi__start_draw(&j->start, untouched(j) ? 0.0 : j->schedule.levels[j->first].sigma, j->schedule.initial_scale);
  SUMI_TRY(sample(j));
  if (latents)
    memcpy(latents + j->begin * j->start.size, j->start.x, (size_t)(j->count * j->start.size) * sizeof *latents);
  float *to = pictures ? pictures + j->begin * j->how.height * j->how.width * 3 : j->pictures;
  if (to) SUMI_TRY(decode(j, to));
done:
  return status;
}

static void finish(job *j) {
  sumi_context *ctx = j->s->ctx;
  sumi__free(ctx, j->shown);
  sumi__free(ctx, j->pictures);
  sumi__start_free(&j->start);
  sumi__conditions_free(&j->conditions);
  sumi__schedule_free(ctx, &j->schedule);
  sumi__ddpm_free(ctx, &j->ddpm);
}

/* With a limit the networks take turns, and each has all of it. */
static sumi_status save_memory(job *j, const float *pictures) {
  sumi_status status = SUMI_OK;
  sumi__work work = {.unet = {.height = j->start.height, .width = j->start.width, .tokens = j->conditions.tokens},
                     .contexts = j->conditions.count,
                     .text_rows = SUMI__CONDITIONS_ROWS,
                     .clip_skip = j->how.clip_skip,
                     .encodes = j->how.init,
                     .decodes = pictures || j->how.batch_done || j->how.decodes_steps,
                     .shows = j->how.decodes_steps,
                     .height = j->how.height,
                     .width = j->how.width,
                     .compute = sumi__precision_dtype(j->s->ctx, j->how.precision),
                     .tile = j->how.tile,
                     .held_bytes = (size_t)(j->how.batch * j->start.size) * sizeof(float)};
  if (!j->s->max_memory) return SUMI_OK;
  work.unet.compute = work.compute;
  work.held_bytes *= 16; /* of all that a batch has of the size of its latents */
  if (sumi__engine_beside(j->s->engine) == SUMI_BESIDE_HOLE)
    work.hole_bytes = (size_t)(j->how.width * j->how.height) * 3 * sizeof(float);
  if (j->pictures) work.held_bytes += (size_t)(j->how.batch * j->how.width * j->how.height) * 3 * sizeof *j->pictures;
  SUMI_TRY(sumi__denoise_rows(j->s, &j->conditions, &j->how, j->how.batch, &work.unet.rows));
  SUMI_TRY(sumi__session_save(j->s, &work));
  j->s->planned = work;
  j->how.tile = work.tile;
  j->how.low_memory = true;
done:
  return status;
}

sumi_status sumi_session_generate(sumi_session *session, const sumi_generation *how, float *pictures, float *latents) {
  sumi_status status = sumi__session_idle(session);
  job j;
  if (status != SUMI_OK) return status;
  session->at_work = true;
  session->planned = (sumi__work){0};
  SUMI_TRY(begin(&j, session, how, how->batch_done && !pictures));
  SUMI_TRY(sumi__conditions_parse(session, &j.how, j.how.steps, &j.conditions));
  SUMI_TRY(save_memory(&j, pictures));
  SUMI_TRY(tell(&j, SUMI_PHASE_LOAD, 0));
  SUMI_TRY(sumi__text_prepare(&session->text, SUMI__CONDITIONS_ROWS, j.how.clip_skip,
                              sumi__precision_dtype(session->ctx, j.how.precision)));
  SUMI_TRY(tell(&j, SUMI_PHASE_LOAD, 1));
  SUMI_TRY(tell(&j, SUMI_PHASE_TEXT, 0));
  SUMI_TRY(sumi__conditions_encode(&j.conditions, &j.how));
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
  if (status == SUMI_OK && j.how.low_memory) sumi_session_trim(session);
  return status;
}
