/* A job before it runs: its defaults filled in, checked, and told in words. */
#include "pipeline/engine.h"
#include "sumi/infotext.h"
#include "text/unicode.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
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
  SUMI_CHECK(ctx,
             (unsigned)h->noise <= SUMI_NOISE_PHILOX && (unsigned)h->emphasis <= SUMI_EMPHASIS_NONE &&
                 (unsigned)h->precision <= SUMI_PRECISION_BF16 &&
                 (unsigned)h->schedule.spacing <= SUMI_SPACING_LINSPACE &&
                 (unsigned)h->schedule.convention <= SUMI_CONVENTION_KDIFFUSION,
             SUMI_INVALID, "noise, emphasis, precision, spacing or convention is none of its kind");
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

enum { MOST_FIELDS = 32 }; /* more than a note has */

/* The note's fields, with the memory of their values. */
typedef struct fields {
  sumi_infotext_field items[MOST_FIELDS];
  char values[MOST_FIELDS][48];
  size_t count;
} fields;

__attribute__((format(printf, 3, 4))) static void put(fields *f, const char *key, const char *format, ...) {
  va_list arguments;
  char *value = f->values[f->count];
  va_start(arguments, format);
  vsnprintf(value, sizeof f->values[0], format, arguments);
  va_end(arguments);
  f->items[f->count++] = (sumi_infotext_field){key, value};
}

static void put_text(fields *f, const char *key, const char *value) {
  f->items[f->count++] = (sumi_infotext_field){key, value};
}

/* What every job has. */
static void put_job(fields *f, const sumi_session *s, const sumi_generation *h, int64_t i) {
  const sumi_sampler_info *sampler = sumi_sampler_find(h->sampler, NULL);
  put(f, "Steps", "%d", h->steps);
  put_text(f, "Sampler", sampler ? sampler->name : h->sampler);
  put_text(f, "Schedule type", schedule_name(h));
  put(f, "CFG scale", "%g", h->guidance);
  if (sumi__engine_beside(s->engine) == SUMI_BESIDE_PICTURE)
    put(f, "Image CFG scale", "%g", sumi__generation_image_guidance(h));
  put(f, "Seed", "%" PRIu64, h->seed + (h->noise == SUMI_NOISE_BATCH ? 0 : (uint64_t)i));
  put(f, "Size", "%" PRId64 "x%" PRId64, h->width, h->height);
  put_text(f, "Model", file_name(s->engine->model->path));
}

/* What decides how sums are rounded, and so changes the picture a little. */
static void put_arithmetic(fields *f, const sumi_session *s, const sumi_generation *h) {
  static const char *const winograds[] = {NULL, NULL, "fast", "off"};
  const char *winograd = winograds[s->ctx->options.winograd];
  put_text(f, "Precision", sumi__precision_dtype(s->ctx, h->precision) == SUMI_BF16 ? "bf16" : "f32");
  if (winograd) put_text(f, "Winograd", winograd);
  if (s->ctx->isa < sumi__isa_detect()) put_text(f, "Instruction set", sumi__isa_name(s->ctx->isa));
}

/* What other jobs have not: AUTOMATIC1111's keys where it has them. */
static void put_choices(fields *f, const sumi_session *s, const sumi_generation *h, int64_t i) {
  static const char *const spacings[] = {NULL, "leading", "trailing", "linspace"};
  static const char *const emphases[] = {NULL, "No norm", "Interpolate", "Ignore", "None"};
  const sumi_sampler_options *o = &h->sampler_options;
  if (h->init) put(f, "Denoising strength", "%g", sumi__generation_strength(h));
  if (h->clip_skip > 1) put(f, "Clip skip", "%d", h->clip_skip);
  if (h->guidance_rescale > 0.0) put(f, "CFG Rescale phi", "%g", h->guidance_rescale);
  if (o->eta != 0.0) put(f, "Eta", "%g", o->eta < 0.0 ? 0.0 : o->eta);
  if (o->s_churn != 0.0) put(f, "Sigma churn", "%g", o->s_churn);
  if (o->s_noise != 0.0 && o->s_noise != 1.0) put(f, "Sigma noise", "%g", o->s_noise < 0.0 ? 0.0 : o->s_noise);
  if (h->schedule.spacing != SUMI_SPACING_DEFAULT) put_text(f, "Timestep spacing", spacings[h->schedule.spacing]);
  if (h->schedule.convention != SUMI_CONVENTION_DIFFUSERS) put_text(f, "Convention", "k-diffusion");
  if (h->emphasis != SUMI_EMPHASIS_ORIGINAL) put_text(f, "Emphasis", emphases[h->emphasis]);
  if (h->plain_prompt) put_text(f, "Prompt syntax", "none");
  if (h->mask && h->blend_denoised) put_text(f, "Mask blend", "denoised");
  if (h->tile) put(f, "Tile", "%" PRId64, h->tile);
  if (h->noise == SUMI_NOISE_BATCH) { /* the seed is the whole batch's: this is the place in it */
    put(f, "Batch size", "%" PRId64, h->batch);
    put(f, "Batch pos", "%" PRId64, i);
  }
  if (h->noise != SUMI_NOISE_PHILOX) put_text(f, "RNG", "CPU");
  put_arithmetic(f, s, h);
  put(f, "Version", "sumi %s", sumi_version());
}

/* With U+FFFD for what is not UTF-8, which is how the tokenizer reads it. */
static char *cleaned(sumi_context *ctx, const char *text) {
  const size_t bytes = text ? strlen(text) : 0;
  char *out = sumi__alloc(ctx, 3 * bytes + 1), *to = out;
  for (size_t at = 0; out && at < bytes;) {
    uint32_t code;
    at += sumi__utf8_get((const uint8_t *)text + at, bytes - at, &code);
    to += sumi__utf8_put(code, (uint8_t *)to);
  }
  if (out) *to = '\0';
  return out;
}

sumi_status sumi_session_note(sumi_session *session, const sumi_generation *job, int64_t i, char **out) {
  sumi_status status = SUMI_OK;
  sumi_generation h = sumi__generation_filled(session->engine, job);
  const sumi__work *planned = &session->planned;
  if (!h.tile && planned->height == h.height && planned->width == h.width) h.tile = planned->tile;
  fields f = {.count = 0};
  char *prompt = cleaned(session->ctx, h.prompt), *negative = cleaned(session->ctx, h.negative_prompt);
  *out = NULL;
  SUMI_TRY(prompt && negative ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi__generation_check(session, &h));
  put_job(&f, session, &h, i);
  put_choices(&f, session, &h, i);
  SUMI_TRY(sumi_infotext_format(session->ctx, &(sumi_infotext){prompt, negative, f.items, f.count}, out));
done:
  sumi__free(session->ctx, prompt);
  sumi__free(session->ctx, negative);
  return status;
}
