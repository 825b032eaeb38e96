/* Around the steps of samplers: names, noise levels, guidance, masks, callbacks, and what
 * samplers make of models whose answer is exact. */
#include "support.h"

#include "base/random.h"
#include "diffusion/guidance.h"
#include "diffusion/schedule.h"

#include <math.h>

#define assert_near(a, b, within)                                                                                      \
  do {                                                                                                                 \
    const double a_ = (double)(a), b_ = (double)(b), within_ = (double)(within);                                       \
    if (!(fabs(a_ - b_) <= within_)) {                                                                                 \
      print_error("%.9g, expected %.9g within %g\n", a_, b_, within_);                                                 \
      _fail(__FILE__, __LINE__);                                                                                       \
    }                                                                                                                  \
  } while (0)

/* ---- Names ---- */

static void samplers_have_the_names_of_other_tools(void **state) {
  (void)state;
  static const struct {
    const char *text, *sampler, *schedule;
  } cases[] = {
      {"DPM++ 2M Karras", "dpmpp-2m", "karras"},
      {"DPM++ 2M", "dpmpp-2m", NULL},
      {"DPM++ 2M SDE Exponential", "dpmpp-2m-sde", "exponential"},
      {"DPM++ 2M SDE Heun Karras", "dpmpp-2m-sde-heun", "karras"},
      {"DPM++ 3M SDE", "dpmpp-3m-sde", NULL},
      {"DPM++ SDE Karras", "dpmpp-sde", "karras"},
      {"DPM++ 2S a Karras", "dpmpp-2s-ancestral", "karras"},
      {"Euler a", "euler-ancestral", NULL},
      {"Euler SGM Uniform", "euler", "sgm-uniform"},
      {"Euler Align Your Steps SDXL", "euler", "align-your-steps-sdxl"},
      {"DPM2 a Karras", "dpm2-ancestral", "karras"},
      {"LMS", "lms", NULL},
      {"PLMS", "pndm", NULL},
      {"UniPC", "unipc", NULL},
      {"k_dpmpp_2s_a", "dpmpp-2s-ancestral", NULL},
      {"k_euler_a", "euler-ancestral", NULL},
      {"k_dpm_2_a", "dpm2-ancestral", NULL},
      {"sample_dpm_2_ancestral", "dpm2-ancestral", NULL},
      {"sample_dpmpp_3m_sde", "dpmpp-3m-sde", NULL},
      {"EulerAncestralDiscreteScheduler", "euler-ancestral", NULL},
      {"DPMSolverMultistepScheduler", "dpmpp-2m", NULL},
      {"KDPM2AncestralDiscreteScheduler", "dpm2-ancestral", NULL},
      {"DPMSolverSDEScheduler", "dpmpp-sde", NULL},
      {"DDPMScheduler", "ddpm", NULL},
      {"TCDScheduler", "tcd", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const sumi_schedule_info *schedule;
    const sumi_sampler_info *found = sumi_sampler_find(cases[i].text, &schedule);
    assert_non_null(found);
    assert_string_equal(found->name, cases[i].sampler);
    assert_string_equal(schedule ? schedule->name : "", cases[i].schedule ? cases[i].schedule : "");
  }
  static const char *const unknown[] = {
      "",  "karras",  "magic",     "euler magic",
      "k", "sample_", "scheduler", "eulereulereulereulereulereulereulereulereulereulereulereulereulereuler"};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) assert_null(sumi_sampler_find(unknown[i], NULL));
  assert_null(sumi_sampler_find(NULL, NULL));
  assert_string_equal(sumi_schedule_find("SGM Uniform")->name, "sgm-uniform");
  assert_null(sumi_schedule_find("euler"));
}

static void every_name_is_of_one_sampler(void **state) {
  (void)state;
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    const sumi_sampler_info *s = sumi_sampler_at(i);
    assert_true(s->digits || s->latent);
    assert_ptr_equal(sumi_sampler_find(s->name, NULL), s);
    for (const char *const *a = s->aliases; a && *a; a++) assert_ptr_equal(sumi_sampler_find(*a, NULL), s);
  }
  for (size_t i = 0; i < sumi_schedule_count(); i++) {
    const sumi_schedule_info *s = sumi_schedule_at(i);
    assert_ptr_equal(sumi_schedule_find(s->name), s);
    for (const char *const *a = s->aliases; *a; a++) assert_ptr_equal(sumi_schedule_find(*a), s);
  }
  assert_null(sumi_sampler_at(sumi_sampler_count()));
  assert_null(sumi_schedule_at(sumi_schedule_count()));
}

/* ---- Noise levels ---- */

static void levels_fall_for_every_sampler_and_schedule(void **state) {
  sumi_context *ctx = *state;
  static const int counts[] = {1, 2, 3, 13, 20, 50};
  double sigma[64], t[64];
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    const sumi_sampler_info *s = sumi_sampler_at(i);
    for (size_t k = 0; s->latent && k < sumi_schedule_count(); k++)
      for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int convention = 0; convention < 2; convention++) {
          const sumi_schedule_options o = {.schedule = sumi_schedule_at(k)->name,
                                           .convention = (sumi_convention)convention};
          int count = 0;
          const sumi_status status = sumi_schedule_levels(ctx, s->name, &o, counts[c], sigma, t, &count);
          if (!strcmp(s->name, "pndm") && k > 0) {
            assert_int_equal(status, SUMI_INVALID);
            assert_error(ctx, "pndm", "normal");
            continue;
          }
          assert_ok(ctx, status);
          assert_true(count == counts[c] + 1 || (!strcmp(s->name, "pndm") && count == counts[c] + 2));
          for (int n = 1; n < count; n++) assert_true(sigma[n] <= sigma[n - 1] && t[n] <= t[n - 1]);
          /* a single step of leading spacing is at its very end, as in diffusers */
          assert_true(sigma[0] < 15.0 && t[0] <= 999.0 && (counts[c] == 1 || sigma[0] > 1.2));
          assert_true(sigma[count - 1] < 0.03);
        }
  }
}

static void bad_schedules_are_refused(void **state) {
  sumi_context *ctx = *state;
  static const struct {
    const char *sampler;
    int steps;
    sumi_schedule_options options;
    sumi_status code;
    const char *word;
  } cases[] = {
      {"magic", 20, {0}, SUMI_NOT_FOUND, "magic"},
      {"euler", 20, {.schedule = "magic"}, SUMI_NOT_FOUND, "magic"},
      {"euler-maruyama", 20, {0}, SUMI_INVALID, "euler-maruyama"},
      {"euler", 0, {0}, SUMI_INVALID, "0 steps"},
      {"euler", -5, {0}, SUMI_INVALID, "-5 steps"},
      {"euler", 1001, {0}, SUMI_INVALID, "1001 steps"},
      {"lcm", 51, {0}, SUMI_INVALID, "1 to 50"},
      {"lcm", 8, {.betas = {.count = 40}}, SUMI_INVALID, "40"},
      {"euler", 20, {.betas = {.start = 0.5, .end = 0.1}}, SUMI_INVALID, "0.5"},
      {"euler", 20, {.betas = {.end = NAN}}, SUMI_INVALID, "nan"},
      {"euler", 20, {.betas = {.count = 1}}, SUMI_INVALID, "1 timesteps"},
      {"euler", 20, {.betas = {.count = 1 << 30}}, SUMI_INVALID, "timesteps"},
      {"euler", 20, {.betas = {.start = 1e-12, .end = 1e-11}}, SUMI_INVALID, "does not grow"},
      {"euler", 20, {.schedule = "karras", .sigma_min = 20.0}, SUMI_INVALID, "sigma_min 20"},
      {"euler", 20, {.schedule = "karras", .sigma_max = INFINITY}, SUMI_INVALID, "sigma_max inf"},
      {"euler", 20, {.schedule = "karras", .rho = -1.0}, SUMI_INVALID, "rho"},
      {"euler", 20, {.steps_offset = 1000}, SUMI_INVALID, "steps_offset"},
  };
  double sigma[64], t[64];
  int count;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(sumi_schedule_levels(ctx, cases[i].sampler, &cases[i].options, cases[i].steps, sigma, t, &count),
                     cases[i].code);
    assert_error(ctx, cases[i].word);
  }
}

static void times_and_sigmas_are_inverse(void **state) {
  sumi_context *ctx = *state;
  sumi__ddpm ddpm;
  assert_ok(ctx, sumi__ddpm_make(ctx, &(sumi_betas){0}, &ddpm));
  const sumi__process process = sumi__ddpm_process(&ddpm, 0.0);
  for (double t = 0.0; t <= 999.0; t += 0.37) {
    const sumi__noise_level level = process.level(&process, t);
    assert_near(process.at_sigma(&process, level.sigma).t, t, 1e-9);
    const double after = process.level(&process, t + 1e-6).sigma;
    if (t < 998.9 && fmod(t, 1.0) < 0.99)
      assert_near((after * after - level.sigma * level.sigma) / 1e-6, level.g * level.g, 1e-3 * level.g * level.g);
  }
  assert_near(process.at_sigma(&process, 0.0).t, 0.0, 0.0);
  assert_near(process.at_sigma(&process, 100.0).t, 999.0, 0.0);
  assert_near(process.level(&process, -1.0).sigma, 0.0, 0.0);
  sumi__ddpm_free(ctx, &ddpm);
}

/* scipy 1.17: scipy.stats.beta.ppf(p, a, a) */
static void beta_quantiles_are_scipys(void **state) {
  (void)state;
  static const double cases[][3] = {
      {0.6, 0.0, 0.0},
      {0.6, 0.01, 0.0008612388215429059},
      {0.6, 0.1, 0.03958440558878085},
      {0.6, 0.25, 0.17568037865269498},
      {0.6, 0.5, 0.5},
      {0.6, 0.7, 0.7659829961247643},
      {0.6, 0.95, 0.9874455431263885},
      {0.6, 1.0, 1.0},
      {2.5, 0.01, 0.08356298774533535},
      {2.5, 0.3, 0.3786479422654176},
      {2.5, 0.9, 0.7754313975896435},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_near(sumi__beta_quantile(cases[i][0], cases[i][1]), cases[i][2], 1e-14);
}

static void image_to_image_begins_where_the_references_do(void **state) {
  (void)state;
  assert_int_equal(sumi__img2img_first(SUMI_CONVENTION_DIFFUSERS, 20, 0.75), 5);
  assert_int_equal(sumi__img2img_first(SUMI_CONVENTION_DIFFUSERS, 20, 1.0), 0);
  assert_int_equal(sumi__img2img_first(SUMI_CONVENTION_DIFFUSERS, 20, 0.0), 20);
  assert_int_equal(sumi__img2img_first(SUMI_CONVENTION_DIFFUSERS, 50, 0.799), 11);
  assert_int_equal(sumi__img2img_first(SUMI_CONVENTION_KDIFFUSION, 20, 0.75), 4);
  assert_int_equal(sumi__img2img_first(SUMI_CONVENTION_KDIFFUSION, 20, 1.0), 0);
  assert_int_equal(sumi__img2img_first(SUMI_CONVENTION_KDIFFUSION, 20, 0.0), 19);
}

/* ---- Guidance ---- */

static void guidance_combines(void **state) {
  (void)state;
  const float none[6] = {0.5f, -1.0f, 0.25f, 2.0f, -0.125f, 0.75f}, one[6] = {1.5f, -0.5f, 0.0f, 1.0f, -2.0f, 0.5f};
  const float two[6] = {0.0f, 0.25f, -1.0f, 0.5f, 1.0f, -0.5f};
  const float *both[2] = {one, two};
  float out[6];
  sumi__guidance g = {.scale = 7.5, .conditions = 1};
  assert_true(sumi__guidance_needs_none(&g));
  sumi__guide(&g, 6, none, both, out);
  const double plain[6] = {8.0, 2.75, -1.625, -5.5, -14.1875, -1.125};
  for (int i = 0; i < 6; i++) assert_near(out[i], plain[i], 1e-6);
  /* diffusers 0.42.1: rescale_noise_cfg(none + 7.5 (one - none), one, 0.7) */
  const double rescaled[6] = {3.322205066680908,   1.1420079469680786, -0.6748228669166565,
                              -2.2840158939361572, -5.891723155975342, -0.4671850800514221};
  g.rescale = 0.7;
  sumi__guide(&g, 6, none, both, out);
  for (int i = 0; i < 6; i++) assert_near(out[i], rescaled[i], 2e-6);
  const double weights[2] = {0.7, -0.2};
  g = (sumi__guidance){.scale = 5.0, .conditions = 2, .weights = weights};
  memcpy(out, none, sizeof out);
  sumi__guide(&g, 6, out, both, out); /* in place */
  for (int i = 0; i < 6; i++) {
    const double n = (double)none[i];
    assert_near(out[i], n + 3.5 * ((double)one[i] - n) - 1.0 * ((double)two[i] - n), 2e-6);
  }
  g = (sumi__guidance){.scale = 1.0, .conditions = 1};
  assert_false(sumi__guidance_needs_none(&g));
  sumi__guide(&g, 6, NULL, both, out);
  assert_memory_equal(out, one, sizeof out);
}

/* ---- The loop ---- */

enum { COUNT = 3, SIZE = 5, ALL = COUNT * SIZE };

/* A normal distribution of mean 1.5 and deviation 0.5 in each value: its flow in sigma is known. */
static const double mean = 1.5, own = 0.5;

static sumi_status gaussian(void *user, int64_t count, int64_t size, const float *x, const sumi__noise_level *levels,
                            float *out) {
  const sumi__prediction kind = user ? *(const sumi__prediction *)user : SUMI__PREDICTS_EPS;
  for (int64_t i = 0; i < count * size; i++) {
    const double s = levels[i / size].sigma, a = 1.0 / sqrt(1.0 + s * s), y = (double)x[i] / a;
    const double x0 = mean + (y - mean) * own * own / (own * own + s * s), n = (y - x0) / s;
    out[i] = (float)(kind == SUMI__PREDICTS_EPS ? n : kind == SUMI__PREDICTS_V ? a * n - a * s * x0 : x0);
  }
  return SUMI_OK;
}

static double flow(double x, double from, double to) {
  return mean + (x - mean) * sqrt((own * own + to * to) / (own * own + from * from));
}

typedef struct setup {
  const char *sampler;
  sumi_schedule_options options;
  sumi_sampler_options parameters;
  sumi__prediction prediction;
  int steps;
  int64_t count, size;
  double around; /* the mean of what it begins with */
  const sumi__mask *mask;
  bool (*prepare)(void *user, const sumi__sampling *s, sumi__noise_level level);
  bool (*report)(void *user, const sumi__sampling *s);
  void *user;
} setup;

typedef struct noise_source {
  sumi__rng rng;
  size_t count;
} noise_source;

static void draw(void *user, float *out) {
  noise_source *n = user;
  sumi__rng_normal(&n->rng, out, n->count);
}

/* From unit noise in x to the result. */
static sumi_status sample(sumi_context *ctx, const setup *u, float *x) {
  sumi__ddpm ddpm;
  sumi__schedule schedule;
  const sumi__sampler *sampler = sumi__sampler_find(u->sampler);
  noise_source source = {.count = (size_t)(u->count * u->size)};
  sumi__rng_seed(&source.rng, 11);
  assert_non_null(sampler);
  assert_ok(ctx, sumi__ddpm_make(ctx, &u->options.betas, &ddpm));
  assert_ok(ctx, sumi__schedule_make(ctx, &ddpm, sampler, &u->options, u->steps, &schedule));
  const sumi__denoiser denoiser = {u->prediction, true, gaussian, (void *)&u->prediction};
  const sumi__sample_job job = {.sampler = sampler,
                                .denoiser = &denoiser,
                                .process = &schedule.process,
                                .steps = schedule.steps,
                                .levels = schedule.levels,
                                .stride = schedule.stride,
                                .count = u->count,
                                .size = u->size,
                                .options = u->parameters,
                                .lower_order_final = true,
                                .mask = u->mask,
                                .noise = draw,
                                .noise_user = &source,
                                .prepare = u->prepare,
                                .prepare_user = u->user,
                                .report = u->report,
                                .report_user = u->user};
  for (int64_t i = 0; i < u->count * u->size; i++) x[i] = (float)(u->around + schedule.initial_scale * (double)x[i]);
  const sumi_status status = sumi__sample(ctx, &job, x, NULL);
  const float scale = (float)sumi__state_scale(sampler, schedule.levels[schedule.steps].sigma);
  for (int64_t i = 0; i < u->count * u->size; i++) x[i] *= scale;
  sumi__schedule_free(ctx, &schedule);
  sumi__ddpm_free(ctx, &ddpm);
  return status;
}

/* Every sampler makes pictures of the right mean and deviation out of noise, whatever the network predicts. */
static void samplers_draw_the_distribution(void **state) {
  sumi_context *ctx = *state;
  enum { MANY = 8000 };
  static float x[MANY];
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    const sumi_sampler_info *info = sumi_sampler_at(i);
    if (!info->latent || !info->digits) continue; /* PNDM below; LCM and TCD want distilled networks */
    for (int k = 0; k < 3; k++) {
      static const sumi__prediction kinds[] = {SUMI__PREDICTS_EPS, SUMI__PREDICTS_V, SUMI__PREDICTS_X0};
      const setup u = {
          .sampler = info->name, .prediction = kinds[k], .steps = 200, .count = 1, .size = MANY, .around = mean};
      noise_source source = {.count = MANY};
      sumi__rng_seed(&source.rng, 3);
      draw(&source, x);
      assert_ok(ctx, sample(ctx, &u, x));
      double sum = 0.0, square = 0.0;
      for (int n = 0; n < MANY; n++) {
        sum += (double)x[n];
        square += (double)x[n] * (double)x[n];
      }
      const double got = sum / MANY, deviation = sqrt(square / MANY - got * got);
      if (k == 0) print_message("  %s: mean %.4f, deviation %.4f\n", info->name, got, deviation);
      assert_near(got, mean, 0.02);
      assert_near(deviation, own, 0.02);
    }
  }
}

/* Half the step, so much of the error; the first steps of a multistep solver, which are of lower order, cost the higher
 * ones a part of it, and so do the last ones of unipc. Noise levels are even in log sigma, from 8 to 0.2. */
static void solvers_converge_with_their_order(void **state) {
  sumi_context *ctx = *state;
  static const struct {
    const char *sampler;
    int order;
    double power;
  } cases[] = {{"euler", 0, 1.0},
               {"ddim", 0, 1.0},
               {"heun", 0, 2.0},
               {"dpm2", 0, 2.0},
               {"lms", 1, 1.0},
               {"lms", 2, 2.0},
               {"lms", 3, 3.0},
               {"lms", 4, 3.5},
               {"deis", 1, 1.0},
               {"deis", 2, 2.0},
               {"deis", 3, 2.5},
               {"dpmpp-2m", 0, 2.0},
               {"unipc", 1, 2.0},
               {"unipc", 2, 2.0},
               {"unipc", 3, 2.0},
               {"dpmpp-2m-sde", 0, 2.0},
               {"dpmpp-2m-sde-heun", 0, 2.0},
               {"dpmpp-3m-sde", 0, 2.5},
               {"dpmpp-2s-ancestral", 0, 2.0},
               {"dpmpp-sde", 0, 2.0}};
  static sumi__noise_level levels[200];
  noise_source source = {.count = 1};
  sumi__ddpm ddpm;
  sumi__rng_seed(&source.rng, 1);
  assert_ok(ctx, sumi__ddpm_make(ctx, &(sumi_betas){0}, &ddpm));
  const sumi__process process = sumi__ddpm_process(&ddpm, 0.0);
  const sumi__denoiser denoiser = {SUMI__PREDICTS_EPS, true, gaussian, NULL};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double error[2];
    for (int k = 0; k < 2; k++) {
      const int steps = 40 << k;
      for (int n = 0; n <= steps; n++) levels[n].sigma = 8.0 * pow(0.2 / 8.0, (double)n / steps);
      const sumi__sample_job job = {.sampler = sumi__sampler_find(cases[i].sampler),
                                    .denoiser = &denoiser,
                                    .process = &process,
                                    .steps = steps,
                                    .levels = levels,
                                    .count = 1,
                                    .size = 1,
                                    .options = {.order = cases[i].order, .eta = -1.0},
                                    .noise = draw,
                                    .noise_user = &source};
      float x = 20.0f;
      assert_ok(ctx, sumi__sample(ctx, &job, &x, NULL));
      error[k] = fabs((double)x - flow(20.0, 8.0, 0.2));
    }
    const double power = log2(error[0] / error[1]);
    print_message("  %s, order %d: errors %.2e %.2e, power %.2f\n", cases[i].sampler, cases[i].order, error[0],
                  error[1], power);
    assert_true(power > cases[i].power - 0.35);
  }
  sumi__ddpm_free(ctx, &ddpm);
}

static void masks_keep_what_is_known(void **state) {
  sumi_context *ctx = *state;
  float known[ALL], noise[ALL], mask[ALL], plain[ALL], x[ALL];
  noise_source source = {.count = ALL};
  sumi__rng_seed(&source.rng, 3);
  draw(&source, noise);
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    const sumi_sampler_info *info = sumi_sampler_at(i);
    if (!info->latent) continue;
    setup u = {.sampler = info->name, .steps = 6, .count = COUNT, .size = SIZE, .prediction = SUMI__PREDICTS_EPS};
    memcpy(plain, noise, sizeof plain);
    assert_ok(ctx, sample(ctx, &u, plain));
    for (int blend = 0; blend < 2; blend++) {
      const sumi__mask m = {mask, known, noise, blend == 1};
      u.mask = &m;
      for (int k = 0; k < ALL; k++) {
        known[k] = (float)k;
        mask[k] = 1.0f;
      }
      memcpy(x, noise, sizeof x);
      assert_ok(ctx, sample(ctx, &u, x));
      for (int k = 0; k < ALL; k++) assert_near(x[k], plain[k], 1e-5);
      for (int k = 0; k < ALL; k++) mask[k] = k % 2 ? 1.0f : 0.0f;
      memcpy(x, noise, sizeof x);
      assert_ok(ctx, sample(ctx, &u, x));
      const bool ends_noisy =
          blend && (info == sumi_sampler_find("ddim", NULL) || info == sumi_sampler_find("pndm", NULL) ||
                    info == sumi_sampler_find("deis", NULL) || info == sumi_sampler_find("tcd", NULL));
      for (int k = 0; k < ALL; k += 2) assert_near(x[k], known[k], ends_noisy ? 0.4 : 1e-4 * (1.0 + k));
    }
  }
}

static void bad_options_are_refused(void **state) {
  sumi_context *ctx = *state;
  static const struct {
    sumi_sampler_options options;
    const char *word;
  } cases[] = {{{.eta = NAN}, "eta"},        {{.eta = 1e30}, "eta"},        {{.s_noise = INFINITY}, "s_noise"},
               {{.s_churn = -1}, "s_churn"}, {{.s_churn = NAN}, "s_churn"}, {{.s_tmin = -1}, "s_tmin"},
               {{.s_tmax = NAN}, "s_tmax"},  {{.order = 5}, "order"}};
  float x[ALL] = {0};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const setup u = {.sampler = "euler",
                     .parameters = cases[i].options,
                     .steps = 6,
                     .count = COUNT,
                     .size = SIZE,
                     .prediction = SUMI__PREDICTS_EPS};
    assert_int_equal(sample(ctx, &u, x), SUMI_INVALID);
    assert_error(ctx, cases[i].word);
  }
}

typedef struct watch {
  int prepared, reported, stop_at;
  double last;
} watch;

static bool prepare(void *user, const sumi__sampling *s, sumi__noise_level level) {
  watch *w = user;
  assert_int_equal(s->evaluations, w->prepared);
  assert_int_equal(s->step, w->reported - 1);
  assert_true(level.sigma <= w->last);
  w->last = level.sigma;
  return ++w->prepared != w->stop_at;
}

static bool report(void *user, const sumi__sampling *s) {
  watch *w = user;
  (void)s;
  w->reported++;
  return true;
}

static void evaluations_can_be_prepared_and_cancelled(void **state) {
  sumi_context *ctx = *state;
  float x[ALL] = {1.0f, -0.5f};
  watch w = {.last = 100.0};
  setup u = {.sampler = "heun",
             .steps = 6,
             .count = COUNT,
             .size = SIZE,
             .prediction = SUMI__PREDICTS_EPS,
             .prepare = prepare,
             .report = report,
             .user = &w};
  assert_ok(ctx, sample(ctx, &u, x));
  assert_int_equal(w.prepared, 11); /* the last step has one */
  assert_int_equal(w.reported, 7);
  w = (watch){.last = 1e9, .stop_at = 4};
  assert_int_equal(sample(ctx, &u, x), SUMI_CANCELLED);
  assert_error(ctx, "cancelled in step 2");
  assert_int_equal(w.prepared, 4);
  assert_int_equal(w.reported, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(samplers_have_the_names_of_other_tools),
      cmocka_unit_test(every_name_is_of_one_sampler),
      cmocka_unit_test(levels_fall_for_every_sampler_and_schedule),
      cmocka_unit_test(bad_schedules_are_refused),
      cmocka_unit_test(times_and_sigmas_are_inverse),
      cmocka_unit_test(beta_quantiles_are_scipys),
      cmocka_unit_test(image_to_image_begins_where_the_references_do),
      cmocka_unit_test(guidance_combines),
      cmocka_unit_test(samplers_draw_the_distribution),
      cmocka_unit_test(solvers_converge_with_their_order),
      cmocka_unit_test(masks_keep_what_is_known),
      cmocka_unit_test(bad_options_are_refused),
      cmocka_unit_test(evaluations_can_be_prepared_and_cancelled),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
