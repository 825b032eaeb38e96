/* A job before it runs: its defaults filled in, checked, and told in words. */
#include "pipeline/engine.h"
#include "sumi/infotext.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

sumi_generation sumi__generation_filled(const sumi_engine *engine, const sumi_generation *how) {
  const sumi_engine_info info = sumi_engine_describe(engine);
  sumi_generation h = *how;
  if (!h.width) h.width = info.width;
  if (!h.height) h.height = info.height;
  if (!h.count) h.count = 1;
  if (!h.batch) h.batch = 1;
  if (h.batch > h.count) h.batch = h.count;
  if (!h.steps) h.steps = 20;
  if (!h.sampler) {
    h.sampler = info.sampler;
    if (!h.schedule.schedule) h.schedule.schedule = info.schedule;
  }
  if (!h.guidance) h.guidance = 7.5;
  if (!h.strength) h.strength = h.mask || info.beside == SUMI_BESIDE_PICTURE ? 1.0 : 0.75;
  if (!h.image_guidance) h.image_guidance = 1.5;
  if (!h.clip_skip) h.clip_skip = 1;
  return h;
}

/* 0 stands for the default, and so what is 0 is negative. */
double sumi__generation_strength(const sumi_generation *h) { return h->strength < 0.0 ? 0.0 : h->strength; }
double sumi__generation_image_guidance(const sumi_generation *h) { return fmax(h->image_guidance, 0.0); }

/* ---- Checked ---- */

static sumi_status check_picture(sumi_context *ctx, const sumi_engine_info *info, const sumi_generation *h) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, !h->mask || h->init, SUMI_INVALID, "a mask needs a picture");
  SUMI_CHECK(ctx, info->beside != SUMI_BESIDE_UNKNOWN, SUMI_UNSUPPORTED,
             "the model's U-Net has %lld input channels: what they are for is not known", (long long)info->in_channels);
  SUMI_CHECK(ctx, info->beside != SUMI_BESIDE_HOLE || h->mask, SUMI_INVALID,
             "this is an inpainting model: it needs a picture and a mask");
  SUMI_CHECK(ctx, info->beside != SUMI_BESIDE_DEPTH || (h->init && h->depth), SUMI_INVALID,
             "this is a model that sees depth: it needs a picture and its depth");
  SUMI_CHECK(ctx, info->beside == SUMI_BESIDE_DEPTH || !h->depth, SUMI_INVALID,
             "the model does not see depth: its U-Net has %lld input channels", (long long)info->in_channels);
  SUMI_CHECK(ctx, info->beside != SUMI_BESIDE_PICTURE || h->init, SUMI_INVALID,
             "this is a model that edits pictures: it needs one");
  SUMI_CHECK(ctx, info->beside != SUMI_BESIDE_PICTURE || h->guidance_rescale == 0.0, SUMI_INVALID,
             "guidance_rescale is not for models that edit pictures");
  SUMI_CHECK(ctx, isfinite(h->image_guidance), SUMI_INVALID, "image_guidance is not a number");
  SUMI_CHECK(ctx, h->strength <= 1.0, SUMI_INVALID, "strength is %g, expected 0 to 1", h->strength);
done:
  return status;
}

sumi_status sumi__generation_check(const sumi_session *s, const sumi_generation *h) {
  enum { MOST = 16384 };
  sumi_status status = SUMI_OK;
  sumi_context *ctx = s->ctx;
  const sumi_engine_info info = sumi_engine_describe(s->engine);
  const int64_t multiple = info.multiple;
  SUMI_CHECK(ctx, h->width >= multiple && h->width <= MOST && h->width % multiple == 0, SUMI_INVALID,
             "the width is %lld, expected a multiple of %lld up to %d", (long long)h->width, (long long)multiple,
             (int)MOST);
  SUMI_CHECK(ctx, h->height >= multiple && h->height <= MOST && h->height % multiple == 0, SUMI_INVALID,
             "the height is %lld, expected a multiple of %lld up to %d", (long long)h->height, (long long)multiple,
             (int)MOST);
  SUMI_CHECK(ctx, h->count >= 1 && h->count <= 65536, SUMI_INVALID, "count is %lld, expected 1 to 65536",
             (long long)h->count);
  SUMI_CHECK(ctx, h->batch >= 1 && h->batch <= 64, SUMI_INVALID, "batch is %lld, expected 1 to 64",
             (long long)h->batch);
  SUMI_CHECK(ctx, h->guidance_rescale >= 0.0 && h->guidance_rescale <= 1.0, SUMI_INVALID,
             "guidance_rescale is %g, expected 0 to 1", h->guidance_rescale);
  SUMI_CHECK(ctx, isfinite(h->guidance), SUMI_INVALID, "guidance is not a number");
  SUMI_TRY(sumi__tile_check(s, h->tile));
  SUMI_TRY(check_picture(ctx, &info, h));
done:
  return status;
}

/* ---- In words ---- */

static const char *file_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash && slash[1] ? slash + 1 : path;
}

/* The schedule that the sampler's name or the options ask for. */
static const char *schedule_name(const sumi_generation *h) {
  const sumi_schedule_info *named = NULL,
                           *given = h->schedule.schedule ? sumi_schedule_find(h->schedule.schedule) : NULL;
  sumi_sampler_find(h->sampler, &named);
  return given ? given->name : named ? named->name : sumi_schedule_at(0)->name;
}

sumi_status sumi_session_note(sumi_session *session, const sumi_generation *job, int64_t i, char **out) {
  enum { LENGTH = 48 };
  const sumi_generation h = sumi__generation_filled(session->engine, job);
  const sumi_sampler_info *sampler = sumi_sampler_find(h.sampler, NULL);
  const bool edits = sumi__engine_beside(session->engine) == SUMI_BESIDE_PICTURE;
  const uint64_t seed_step = h.noise == SUMI_NOISE_BATCH ? 0 : (uint64_t)i;
  char steps[LENGTH], guidance[LENGTH], by_picture[LENGTH], rescale[LENGTH], seed[LENGTH], size[LENGTH],
      strength[LENGTH], skip[LENGTH];
  char version[LENGTH];
  snprintf(steps, LENGTH, "%d", h.steps);
  snprintf(guidance, LENGTH, "%g", h.guidance);
  snprintf(by_picture, LENGTH, "%g", sumi__generation_image_guidance(&h));
  snprintf(rescale, LENGTH, "%g", h.guidance_rescale);
  snprintf(seed, LENGTH, "%" PRIu64, h.seed + seed_step);
  snprintf(size, LENGTH, "%" PRId64 "x%" PRId64, h.width, h.height);
  snprintf(strength, LENGTH, "%g", sumi__generation_strength(&h));
  snprintf(skip, LENGTH, "%d", h.clip_skip);
  snprintf(version, LENGTH, "sumi %s", sumi_version());
  const sumi_infotext_field fields[] = {{"Steps", steps},
                                        {"Sampler", sampler ? sampler->name : h.sampler},
                                        {"Schedule type", schedule_name(&h)},
                                        {"CFG scale", guidance},
                                        {"Image CFG scale", edits ? by_picture : NULL},
                                        {"CFG Rescale phi", h.guidance_rescale > 0.0 ? rescale : NULL},
                                        {"Seed", seed},
                                        {"Size", size},
                                        {"Model", file_name(session->engine->model->path)},
                                        {"Denoising strength", h.init ? strength : NULL},
                                        {"Clip skip", h.clip_skip > 1 ? skip : NULL},
                                        {"RNG", h.noise == SUMI_NOISE_PHILOX ? NULL : "CPU"},
                                        {"Version", version}};
  const sumi_infotext info = {h.prompt, h.negative_prompt, fields, sizeof fields / sizeof *fields};
  return sumi_infotext_format(session->ctx, &info, out);
}
