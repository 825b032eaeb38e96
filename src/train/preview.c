#include "train/preview.h"

#include "base/random.h"
#include "diffusion/sampler.h"
#include "diffusion/ve_sde.h"
#include "models/model_folder.h"
#include "sumi/io.h"

#include <math.h>
#include <string.h>

enum { SIDE = SUMI__DIGIT_SIDE, PIXELS = SIDE * SIDE, COLUMNS = 10, GAP = 2, SEED = 1 };

typedef struct drawing {
  sumi_context *ctx;
  int64_t count;
  sumi_program *program;
  float *x, *t; /* the program's inputs */
  const float *score;
  const sumi_train_callbacks *callbacks;
  sumi__rng rng;
} drawing;

static sumi_status compile(drawing *d, sumi_backend *backend, const sumi__score_unet_config *config,
                           sumi_weights *weights, sumi_dtype compute) {
  sumi_status status = SUMI_OK;
  sumi_graph *g = NULL;
  SUMI_TRY(sumi_graph_create(d->ctx, &g));
  sumi_graph_set_compute(g, compute);
  const sumi__nn nn = sumi__nn_root(g, weights);
  sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(d->count, SIDE, SIDE, 1));
  sumi_tensor *t = sumi_input(g, "t", SUMI_F32, SUMI_SHAPE(d->count));
  sumi_tensor *labels = sumi_input(g, "labels", SUMI_I32, SUMI_SHAPE(d->count));
  sumi_tensor *score = sumi__score_unet(&nn, config, x, t, labels);
  SUMI_TRY(sumi_graph_status(g));
  SUMI_TRY(sumi_compile(backend, g, 1, &score, &(sumi_compile_options){.name = "preview"}, &d->program));
  d->x = sumi_data(d->program, x);
  d->t = sumi_data(d->program, t);
  d->score = sumi_data(d->program, score);
  int32_t *classes = sumi_data(d->program, labels);
  for (int64_t i = 0; classes && i < d->count; i++) classes[i] = (int32_t)(i % config->classes);
done:
  sumi_graph_free(g);
  return status;
}

static sumi_status run_network(void *user, int64_t count, int64_t size, const float *x, const sumi__noise_level *levels,
                               float *out) {
  drawing *d = user;
  memcpy(d->x, x, (size_t)(count * size) * sizeof *x);
  for (int64_t i = 0; i < count; i++) d->t[i] = (float)levels[i].t;
  const sumi_status status = sumi_run(d->program);
  if (status == SUMI_OK) memcpy(out, d->score, (size_t)(count * size) * sizeof *out);
  return status;
}

static bool go_on(void *user, const sumi__sampling *s) {
  const sumi_train_callbacks *callbacks = ((const drawing *)user)->callbacks;
  (void)s;
  return !callbacks || !callbacks->should_stop || !callbacks->should_stop(callbacks->user);
}

static void draw_noise(void *user, float *out) {
  drawing *d = user;
  sumi__rng_normal(&d->rng, out, (size_t)(d->count * PIXELS));
}

static sumi_status sample(drawing *d, double sigma, int steps, float *x) {
  const sumi__process process = sumi__ve_process(sigma);
  const sumi__denoiser denoiser = {SUMI__PREDICTS_SCORE, false, run_network, d};
  sumi__noise_level *levels = sumi__alloc_array(d->ctx, (size_t)steps + 1, sizeof *levels);
  if (!levels) return SUMI_NO_MEMORY;
  sumi__levels_linear(&process, 1.0, SUMI__VE_SDE_SAMPLE_EPS, steps, levels);
  const sumi__sample_job job = {.sampler = sumi__sampler_find("euler-maruyama"),
                                .denoiser = &denoiser,
                                .process = &process,
                                .steps = steps,
                                .levels = levels,
                                .count = d->count,
                                .size = PIXELS,
                                .noise = draw_noise,
                                .noise_user = d,
                                .report = go_on,
                                .report_user = d};
  draw_noise(d, x);
  for (int64_t i = 0; i < d->count * PIXELS; i++) x[i] *= (float)levels[0].sigma;
  const sumi_status status = sumi__sample(d->ctx, &job, x, NULL);
  sumi__free(d->ctx, levels);
  return status;
}

/* Ten in a row with gaps; [0, 1] to 0..255. */
static sumi_status write_grid(sumi_context *ctx, const float *x, int64_t count, const char *path) {
  const int64_t columns = sumi__min_i64(count, COLUMNS), rows = (count + COLUMNS - 1) / COLUMNS;
  sumi_image image = {
      .width = columns * (SIDE + GAP) + GAP, .height = rows * (SIDE + GAP) + GAP, .channels = 1, .pixels = NULL};
  image.pixels = sumi__alloc_zero(ctx, (size_t)(image.width * image.height));
  if (!image.pixels) return SUMI_NO_MEMORY;
  for (int64_t i = 0; i < count * PIXELS; i++) {
    const int64_t picture = i / PIXELS, pixel = i % PIXELS;
    const int64_t top = GAP + picture / COLUMNS * (SIDE + GAP), left = GAP + picture % COLUMNS * (SIDE + GAP);
    const float level = fminf(fmaxf(x[i], 0.0f), 1.0f); /* NaN becomes 0 */
    image.pixels[(top + pixel / SIDE) * image.width + left + pixel % SIDE] = (uint8_t)(level * 255.0f + 0.5f);
  }
  const sumi_status status = sumi_png_write(ctx, path, &image, NULL, 0);
  sumi__free(ctx, image.pixels);
  return status;
}

sumi_status sumi__preview_scores(sumi_context *ctx, sumi_backend *backend, const sumi__score_unet_config *config,
                                 sumi_weights *weights, const sumi__preview_options *options, const char *path) {
  sumi_status status = SUMI_OK;
  drawing d = {.ctx = ctx, .count = options->count, .callbacks = options->callbacks};
  float *x = sumi__alloc_array(ctx, (size_t)d.count, PIXELS * sizeof *x);
  SUMI_TRY(x ? SUMI_OK : SUMI_NO_MEMORY);
  sumi__rng_seed(&d.rng, SEED);
  SUMI_TRY(compile(&d, backend, config, weights, options->compute));
  SUMI_TRY(sample(&d, config->sigma, options->steps, x));
  SUMI_TRY(write_grid(ctx, x, d.count, path));
done:
  sumi_program_free(d.program);
  sumi__free(ctx, x);
  return status;
}
