#include "watch.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- What a step leaves behind ---- */

/* A small picture of the predicted latents, at no cost. */
static sumi_status save_preview(const cli_watch *w, const sumi_generation_progress *at) {
  const int64_t pixels = at->height * at->width;
  float *picture = malloc((size_t)pixels * 3 * sizeof *picture);
  if (!picture) return cli_fail(w->c, SUMI_NO_MEMORY, "out of memory");
  sumi_latent_preview(at->x0, at->channels, pixels, picture);
  const sumi_status status = cli_write_rgb(w->c, w->preview, picture, at->width, at->height, NULL, 0);
  free(picture);
  return status;
}

static sumi_status save_latents(const cli_watch *w, const sumi_generation_progress *at) {
  char path[4096];
  const int64_t dims[] = {at->count, at->channels, at->height, at->width};
  const sumi_array arrays[] = {{"x", 4, dims, at->x}, {"x0", 4, dims, at->x0}};
  snprintf(path, sizeof path, "%s/%04lld-step-%04d.safetensors", w->steps, (long long)at->first, at->step);
  return cli_report(w->c, sumi_safetensors_write_f32(w->c->context, path, arrays, 2));
}

static sumi_status begin_animation(cli_watch *w, int64_t width, int64_t height) {
  const sumi_animation_options options = {.width = width, .height = height, .channels = 3, .delay_ms = 150};
  return cli_report(w->c, sumi_animation_create(w->c->context, w->animation, &options, &w->frames));
}

static sumi_status add_frame(cli_watch *w, const float *picture, int64_t width, int64_t height, bool last) {
  uint8_t *pixels = malloc((size_t)(width * height * 3));
  if (!pixels) return cli_fail(w->c, SUMI_NO_MEMORY, "out of memory");
  sumi_status status = w->frames ? SUMI_OK : begin_animation(w, width, height);
  sumi_pixels_from_floats(picture, (size_t)(width * height * 3), pixels);
  if (status == SUMI_OK) status = cli_report(w->c, sumi_animation_add(w->frames, pixels, last ? 2000 : 0));
  free(pixels);
  return status;
}

/* The predicted picture of the batch's first latents, in full. */
static sumi_status save_predicted(cli_watch *w, const sumi_generation_progress *at) {
  char path[4096];
  const int64_t width = at->width * w->s->info.factor, height = at->height * w->s->info.factor;
  float *picture = malloc((size_t)(width * height * 3) * sizeof *picture);
  if (!picture) return cli_fail(w->c, SUMI_NO_MEMORY, "out of memory");
  sumi_status status =
      cli_report(w->c, sumi_session_decode(w->s->session, at->x0, 1, at->height, at->width, &w->codec, picture));
  if (status == SUMI_OK && w->steps) {
    snprintf(path, sizeof path, "%s/%04lld-step-%04d.png", w->steps, (long long)at->first, at->step);
    status = cli_write_rgb(w->c, path, picture, width, height, NULL, 0);
  }
  if (status == SUMI_OK && w->animation && at->first == 0)
    status = add_frame(w, picture, width, height, at->step == at->total);
  free(picture);
  return status;
}

static sumi_status save_step(cli_watch *w, const sumi_generation_progress *at) {
  sumi_status status = SUMI_OK;
  if (w->preview) status = save_preview(w, at);
  if (status == SUMI_OK && w->steps) status = save_latents(w, at);
  if (status == SUMI_OK && (w->steps || w->animation)) status = save_predicted(w, at);
  w->complained = status != SUMI_OK;
  return status;
}

/* ---- Progress ---- */

static void time_phase(cli_watch *w, const sumi_generation_progress *at) {
  const double now = cli_seconds();
  double *const totals[] = {&w->text_seconds, &w->encode_seconds, NULL, &w->decode_seconds, &w->load_seconds};
  if (at->step == 0)
    w->phase_began = now;
  else if (totals[at->phase])
    *totals[at->phase] += now - w->phase_began;
}

static void time_step(cli_watch *w, const sumi_generation_progress *at) {
  const double now = cli_seconds();
  if (at->step == 0) {
    cli_progress_begin(&w->progress, w->c, "sampling", "steps", 0, at->total);
    w->began = now;
    return;
  }
  w->sampled += now - w->began;
  w->steps_done++;
  if (at->step == at->total)
    cli_progress_end(&w->progress, at->step, NULL);
  else
    cli_progress_update(&w->progress, at->step, NULL);
}

bool cli_watch_saves(const cli_watch *w) { return w->preview || w->steps || w->animation; }

bool cli_watch_step(void *user, const sumi_generation_progress *at) {
  cli_watch *w = user;
  if (cli_interrupted()) return false;
  if (at->phase != SUMI_PHASE_SAMPLE) {
    time_phase(w, at);
    return true;
  }
  time_step(w, at);
  const double begin = cli_seconds();
  if (at->step > 0 && cli_watch_saves(w) && save_step(w, at) != SUMI_OK) return false;
  w->began = cli_seconds(); /* what is saved does not count as sampling */
  w->saving_seconds += w->began - begin;
  return true;
}

sumi_status cli_watch_end(cli_watch *w, sumi_status job) {
  sumi_status status = job;
  if (job == SUMI_CANCELLED && w->complained)
    status = SUMI_IO;
  else if (job == SUMI_CANCELLED)
    cli_fail(w->c, job, "interrupted");
  else
    cli_report(w->c, job);
  if (w->frames && job == SUMI_OK) {
    const double begin = cli_seconds();
    status = cli_report(w->c, sumi_animation_finish(w->frames));
    if (status == SUMI_OK) printf("%s\n", w->animation);
    w->saving_seconds += cli_seconds() - begin;
  }
  sumi_animation_free(w->frames);
  w->frames = NULL;
  return status;
}
