/* The tiny Stable Diffusion pipelines of tests/golden/sd, opened with what diffusers makes of them. */
#ifndef SUMI_TESTS_SD_PIPELINE_H
#define SUMI_TESTS_SD_PIPELINE_H

#include "support.h"

#include "io/safetensors.h"

#include <math.h>

enum { SIDE = 16, LATENT = 8, SIZE = 4 * LATENT * LATENT, PIXELS = SIDE * SIDE, STEPS = 20 };
static const char prompt[] = "a watercolor picture of an otter", negative[] = "blurry";

typedef struct sd_fixture {
  sumi_context *ctx;
  sumi_engine *engine;
  sumi_session *session;
  sumi_safetensors *golden;
} sd_fixture;

static inline const char *golden_path(const char *name, const char *rest) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/golden/sd/%s%s", SUMI_TESTS, name, rest);
  return path;
}

static inline void open_family_with(sd_fixture *f, const char *name, const sumi_context_options *options) {
  assert_int_equal(sumi_context_create(options, &f->ctx), SUMI_OK);
  if (sumi_engine_open(f->ctx, golden_path(name, ""), NULL, &f->engine) != SUMI_OK)
    fail_msg("%s", sumi_context_error(f->ctx));
  assert_int_equal(sumi_session_create(f->engine, f->ctx, &f->session), SUMI_OK);
  assert_int_equal(sumi_safetensors_open(f->ctx, golden_path(name, ".safetensors"), &f->golden), SUMI_OK);
}

static inline void open_family(sd_fixture *f, const char *name) {
  open_family_with(f, name, &(sumi_context_options){.threads = 2});
}

static inline void close_family(sd_fixture *f) {
  sumi_safetensors_close(f->golden);
  sumi_session_free(f->session);
  sumi_engine_close(f->engine);
  sumi_context_free(f->ctx);
}

static inline const float *values(const sd_fixture *f, const char *name, int64_t count) {
  const sumi_safetensors_tensor *t = sumi_safetensors_find(f->golden, name);
  if (!t) fail_msg("no golden %s", name);
  assert_int_equal(t->count, count);
  return t->data;
}

/* |a - b| / |b| */
static inline double relative(const float *a, const float *b, int64_t count) {
  double difference = 0.0, norm = 0.0;
  for (int64_t i = 0; i < count; i++) {
    difference += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
    norm += (double)b[i] * (double)b[i];
  }
  return sqrt(difference / norm);
}

static inline void assert_near(const char *what, const float *a, const float *b, int64_t count, double limit) {
  const double error = relative(a, b, count);
  if (!(error <= limit)) fail_msg("%s: relative error %.3g, at most %.3g expected", what, error, limit);
}

/* Peak signal-to-noise ratio of pictures in [0, 1], dB; `expected` has its channels first. */
static inline double psnr(const float *picture, const float *expected) {
  double sum = 0.0;
  for (int p = 0; p < PIXELS; p++)
    for (int c = 0; c < 3; c++) {
      const double d = (double)picture[3 * p + c] - (double)expected[c * PIXELS + p];
      sum += d * d;
    }
  return -10.0 * log10(sum / (3 * PIXELS) + 1e-20);
}

static inline void assert_picture(const char *what, const float *picture, const float *expected, double least) {
  const double found = psnr(picture, expected);
  if (!(found >= least)) fail_msg("%s: PSNR %.1f dB, at least %.1f expected", what, found, least);
}

static inline sumi_generation job_of(sumi_precision precision) {
  return (sumi_generation){.prompt = prompt,
                           .negative_prompt = negative,
                           .width = SIDE,
                           .height = SIDE,
                           .seed = 42,
                           .steps = STEPS,
                           .guidance = 7.5,
                           .precision = precision};
}

static inline void read_picture(const sd_fixture *f, float *picture, float *mask) {
  const float *in = values(f, "picture", 3 * PIXELS);
  for (int p = 0; p < PIXELS; p++)
    for (int c = 0; c < 3; c++) picture[3 * p + c] = (in[c * PIXELS + p] + 1.0f) / 2.0f;
  memcpy(mask, values(f, "mask", PIXELS), PIXELS * sizeof *mask);
}

#endif
