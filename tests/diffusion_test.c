/* The process, the loss, the denoiser's conversions, and every sampler on a mixture whose score is known exactly. */
#include "support.h"

#include "base/random.h"
#include "diffusion/sampler.h"
#include "diffusion/ve_sde.h"
#include "models/score_unet.h"

#include <math.h>

static const double sigma = 25.0;

#define assert_near(got, expected, tolerance)                                                                          \
  assert_near_((double)(got), (double)(expected), tolerance, __FILE__, __LINE__)
static void assert_near_(double got, double expected, double tolerance, const char *file, int line) {
  if (fabs(got - expected) <= tolerance) return;
  print_error("%.9g, expected %.9g within %.1g\n", got, expected, tolerance);
  _fail(file, line);
}

/* ---- The process and the loss ---- */

static void process_has_the_published_values(void **state) {
  (void)state;
  assert_near(sumi__ve_sde_std(sigma, 1.0), 9.84521, 1e-5);
  assert_near(sumi__ve_sde_g(sigma, 1.0), 25.0, 1e-12);
  assert_near(sumi__ve_sde_std(sigma, 1e-12), 1e-6, 1e-12); /* g(0) = 1: the variance begins as t */
  for (double t = 1e-6; t <= 1.0; t *= 3.7) {
    const double std = sumi__ve_sde_std(sigma, t), h = 1e-6 * t;
    assert_near(sumi__ve_sde_time(sigma, std) / t, 1.0, 1e-9);
    const double up = sumi__ve_sde_std(sigma, t + h), down = sumi__ve_sde_std(sigma, t - h);
    assert_near((up * up - down * down) / (2.0 * h) / pow(sumi__ve_sde_g(sigma, t), 2.0), 1.0, 1e-6);
  }
}

static sumi_program *compile(sumi_context *ctx, sumi_graph *g, int n, sumi_tensor **outputs, sumi_backend **backend) {
  sumi_program *p = NULL;
  assert_ok(ctx, sumi_backend_cpu(ctx, backend));
  assert_ok(ctx, sumi_compile(*backend, g, n, outputs, NULL, &p));
  return p;
}

/* In f32 sigma^(2t) - 1 would be off by a part in a thousand at t = 1e-5. */
static void std_in_graphs_holds_for_small_times(void **state) {
  sumi_context *ctx = *state;
  sumi_graph *g = NULL;
  sumi_backend *backend = NULL;
  enum { N = 6 };
  const float times[N] = {1e-5f, 1e-4f, 1e-3f, 0.03f, 0.5f, 1.0f};
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  sumi_tensor *t = sumi_input(g, "t", SUMI_F32, SUMI_SHAPE(N)), *std = sumi__ve_std(g, t, sigma);
  sumi_program *p = compile(ctx, g, 1, &std, &backend);
  assert_ok(ctx, sumi_set(p, t, times));
  assert_ok(ctx, sumi_run(p));
  const float *got = sumi_data(p, std);
  for (int i = 0; i < N; i++) assert_near((double)got[i] / sumi__ve_sde_std(sigma, (double)times[i]), 1.0, 3e-6);
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_backend_free(backend);
}

/* A score of zero costs sum z^2 for each picture; the exact score -z/std costs nothing; times lie in [eps, 1). */
static void loss_of_known_scores(void **state) {
  sumi_context *ctx = *state;
  sumi_graph *g = NULL;
  sumi_backend *backend = NULL;
  enum { N = 64, SIDE = 4, PIXELS = SIDE * SIDE };
  static float x0[N * PIXELS], zero[N * PIXELS];
  sumi__rng rng;
  sumi__rng_seed(&rng, 1);
  sumi__rng_uniform(&rng, 0.0f, 1.0f, x0, N * PIXELS);
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  const sumi_shape shape = SUMI_SHAPE(N, SIDE, SIDE, 1);
  sumi_tensor *seed = sumi_input(g, "state", SUMI_I64, SUMI_SHAPE(2)), *clean = sumi_input(g, "x0", SUMI_F32, shape);
  sumi_tensor *t = sumi__dsm_times(g, seed, N), *z = sumi_random_normal(g, seed, shape);
  sumi_tensor *x = sumi__dsm_perturb(g, sigma, clean, t, z);
  sumi_tensor *std = sumi_reshape(g, sumi__ve_std(g, t, sigma), SUMI_SHAPE(N, 1, 1, 1));
  sumi_tensor *exact = sumi_div(g, sumi_sub(g, clean, x), sumi_square(g, std));
  sumi_tensor *zeros = sumi_constant(g, SUMI_F32, shape, zero);
  sumi_tensor *outputs[4] = {sumi__dsm_loss(g, sigma, zeros, t, z), sumi__dsm_loss(g, sigma, exact, t, z), t, z};
  sumi_program *p = compile(ctx, g, 4, outputs, &backend);
  assert_ok(ctx, sumi_set(p, clean, x0));
  assert_ok(ctx, sumi_set(p, seed, (int64_t[2]){5, 0}));
  assert_ok(ctx, sumi_run(p));
  const float *noise = sumi_data(p, z), *times = sumi_data(p, t);
  double square = 0.0, low = 1.0, high = 0.0;
  for (int i = 0; i < N * PIXELS; i++) square += (double)noise[i] * (double)noise[i];
  for (int i = 0; i < N; i++) low = fmin(low, (double)times[i]), high = fmax(high, (double)times[i]);
  assert_near(*(float *)sumi_data(p, outputs[0]), square / N, 1e-5 * square / N);
  assert_true(*(float *)sumi_data(p, outputs[1]) < 1e-4f);
  assert_near(square / N, PIXELS, 2.5); /* four standard deviations */
  assert_true(low >= 1e-5 && low < 0.1 && high < 1.0 && high > 0.9);
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_backend_free(backend);
}

/* ---- The denoiser: whatever a network predicts, the same picture and score come out ---- */

typedef struct oracle {
  sumi__prediction prediction;
  bool scaled;
  const float *x0, *noise;
} oracle;

static sumi_status perfect(void *user, int64_t count, int64_t size, const float *x, const sumi__noise_level *levels,
                           float *out) {
  const oracle *o = user;
  for (int64_t i = 0; i < count * size; i++) {
    const double s = levels[i / size].sigma, a = 1.0 / sqrt(1.0 + s * s), x0 = (double)o->x0[i],
                 n = (double)o->noise[i];
    assert_near(x[i], (x0 + s * n) * (o->scaled ? a : 1.0), 1e-5);
    switch (o->prediction) {
    case SUMI__PREDICTS_SCORE: out[i] = (float)(-n / s); break;
    case SUMI__PREDICTS_EPS: out[i] = (float)n; break;
    case SUMI__PREDICTS_V: out[i] = (float)(a * n - a * s * x0); break;
    case SUMI__PREDICTS_X0: out[i] = (float)x0; break;
    }
  }
  return SUMI_OK;
}

static void predictions_are_converted(void **state) {
  sumi_context *ctx = *state;
  const float x0[6] = {0.5f, -1.0f, 0.25f, 0.0f, 2.0f, -0.75f}, noise[6] = {1.0f, -0.5f, 0.25f, -2.0f, 0.125f, 0.75f};
  const sumi__noise_level levels[2] = {{0, 0.5, 0}, {0, 3.0, 0}};
  float x[6], work[6], got[6], score[6];
  for (int i = 0; i < 6; i++) x[i] = x0[i] + (float)levels[i / 3].sigma * noise[i];
  for (int kind = 0; kind < 8; kind++) {
    oracle o = {(sumi__prediction)(kind / 2), kind % 2 == 1, x0, noise};
    const sumi__denoiser d = {o.prediction, o.scaled, perfect, &o};
    for (int with_score = 0; with_score < 2; with_score++) {
      assert_ok(ctx, sumi__denoiser_run(&d, 2, 3, x, levels, work, got, with_score ? score : NULL));
      for (int i = 0; i < 6; i++) {
        assert_near(got[i], x0[i], 1e-5);
        if (with_score) assert_near(score[i], (double)-noise[i] / levels[i / 3].sigma, 1e-5);
      }
    }
  }
}

/* ---- Samplers on a mixture of two normal distributions, in each of `SIZE` independent coordinates ---- */

enum { SIZE = 64 };
static const double weights[2] = {0.3, 0.7}, means[2] = {-1.0, 1.5}, stds[2] = {0.3, 0.5};

static double mixture_score(double x, double t) {
  double part[2], slope = 0.0, sum = 0.0;
  for (int i = 0; i < 2; i++) {
    const double std = sumi__ve_sde_std(sigma, t), variance = stds[i] * stds[i] + std * std, far = x - means[i];
    part[i] = log(weights[i]) - 0.5 * far * far / variance - 0.5 * log(variance);
  }
  const double top = fmax(part[0], part[1]);
  for (int i = 0; i < 2; i++) {
    const double std = sumi__ve_sde_std(sigma, t), p = exp(part[i] - top);
    slope -= p * (x - means[i]) / (stds[i] * stds[i] + std * std);
    sum += p;
  }
  return slope / sum;
}

static sumi_status mixture(void *user, int64_t count, int64_t size, const float *x, const sumi__noise_level *levels,
                           float *out) {
  (void)user;
  for (int64_t i = 0; i < count * size; i++) out[i] = (float)mixture_score((double)x[i], levels[i / size].t);
  return SUMI_OK;
}

/* A single normal distribution of mean means[1] and deviation stds[1]: its flow is known in closed form. */
static sumi_status single(void *user, int64_t count, int64_t size, const float *x, const sumi__noise_level *levels,
                          float *out) {
  (void)user;
  for (int64_t i = 0; i < count * size; i++) {
    const double s = levels[i / size].sigma;
    out[i] = (float)(-((double)x[i] - means[1]) / (stds[1] * stds[1] + s * s));
  }
  return SUMI_OK;
}

static double single_flow(double x, double t) {
  const double from = sumi__ve_sde_std(sigma, 1.0), to = sumi__ve_sde_std(sigma, t), own = stds[1] * stds[1];
  return means[1] + (x - means[1]) * sqrt((own + to * to) / (own + from * from));
}

typedef struct noise_source {
  sumi__rng rng;
  size_t count;
} noise_source;

static void draw_noise(void *user, float *out) {
  noise_source *n = user;
  sumi__rng_normal(&n->rng, out, n->count);
}

typedef struct run_options {
  const char *sampler;
  sumi__model_fn model;
  int steps;
  int64_t count, size;
  double tolerance;
  bool (*report)(void *user, const sumi__sampling *s);
  void *user;
} run_options;

static sumi_status run_with(sumi_context *ctx, const run_options *o, sumi_sampler_options options, float *x,
                            double *evaluations) {
  static sumi__noise_level levels[2001];
  const sumi__process process = sumi__ve_process(sigma);
  const sumi__denoiser denoiser = {SUMI__PREDICTS_SCORE, false, o->model, NULL};
  noise_source source = {.count = (size_t)(o->count * o->size)};
  sumi__rng_seed(&source.rng, 77);
  sumi__levels_linear(&process, 1.0, 1e-3, o->steps, levels);
  const sumi__sample_job job = {.sampler = sumi__sampler_find(o->sampler),
                                .denoiser = &denoiser,
                                .process = &process,
                                .steps = o->steps,
                                .levels = levels,
                                .count = o->count,
                                .size = o->size,
                                .options = options,
                                .snr = 0.16,
                                .tolerance = o->tolerance,
                                .noise = draw_noise,
                                .noise_user = &source,
                                .report = o->report,
                                .report_user = o->user};
  assert_non_null(job.sampler);
  return sumi__sample(ctx, &job, x, evaluations);
}

static sumi_status run(sumi_context *ctx, const run_options *o, float *x, double *evaluations) {
  return run_with(ctx, o, (sumi_sampler_options){0}, x, evaluations);
}

/* Samples of the mixture at time t. */
static void draw_mixture(uint64_t seed, double t, float *x, size_t count) {
  sumi__rng rng;
  sumi__rng_seed(&rng, seed);
  const double std = sumi__ve_sde_std(sigma, t);
  for (size_t i = 0; i < count; i++) {
    float u, z[2];
    sumi__rng_uniform(&rng, 0.0f, 1.0f, &u, 1);
    sumi__rng_normal(&rng, z, 2);
    const int k = (double)u < weights[0] ? 0 : 1;
    x[i] = (float)(means[k] + stds[k] * (double)z[0] + std * (double)z[1]);
  }
}

typedef struct moments {
  double mean, deviation, left; /* left: the part below 0 */
} moments;

static moments moments_of(const float *x, size_t count) {
  double sum = 0.0, square = 0.0, left = 0.0;
  for (size_t i = 0; i < count; i++) {
    sum += (double)x[i];
    square += (double)x[i] * (double)x[i];
    left += x[i] < 0.0f;
  }
  const double n = (double)count, mean = sum / n;
  return (moments){mean, sqrt(square / n - mean * mean), left / n};
}

/* Every sampler turns the mixture at t = 1 into the mixture: mean 0.75, deviation 1.2278, 0.3 below zero (0.2997 of
 * the left component and 0.0009 of the right). 19,200 values, so the mean's own error is 0.009. */
static void samplers_draw_the_mixture(void **state) {
  sumi_context *ctx = *state;
  enum { COUNT = 300 };
  static const struct {
    const char *name;
    int steps;
    double tolerance; /* of mean and deviation; the part below zero has half of it */
  } cases[] = {
      {"euler-maruyama", 250, 0.03},
      {"predictor-corrector", 250, 0.03},
      {"ode-rk45", 1, 0.03},
      {"dpmpp-2m", 60, 0.03},
      {"euler", 250, 0.03},
      {"euler-ancestral", 250, 0.03},
      {"heun", 60, 0.03},
      {"dpm2", 60, 0.03},
      {"dpm2-ancestral", 100, 0.03},
      {"lms", 100, 0.03},
      {"ddpm", 250, 0.03},
      {"ddim", 250, 0.03},
      {"dpmpp-2s-ancestral", 60, 0.03},
      {"dpmpp-sde", 100, 0.03},
      {"dpmpp-2m-sde", 250, 0.03},
      {"dpmpp-2m-sde-heun", 250, 0.03},
      {"dpmpp-3m-sde", 250, 0.03},
      {"unipc", 60, 0.03},
      {"deis", 60, 0.03},
  };
  float *x = malloc(COUNT * SIZE * sizeof *x);
  assert_non_null(x);
  size_t known = 0;
  for (size_t i = 0; i < sumi_sampler_count(); i++) known += sumi_sampler_at(i)->digits;
  assert_int_equal(known, sizeof cases / sizeof *cases);
  for (size_t i = 0; i < known; i++) {
    draw_mixture(3, 1.0, x, COUNT * SIZE);
    const run_options o = {cases[i].name, mixture, cases[i].steps, COUNT, SIZE, 1e-5, NULL, NULL};
    double evaluations = 0.0;
    assert_ok(ctx, run(ctx, &o, x, &evaluations));
    const moments m = moments_of(x, COUNT * SIZE);
    print_message("  %s: mean %.4f, deviation %.4f, left %.4f; %g evaluations\n", cases[i].name, m.mean, m.deviation,
                  m.left, evaluations);
    assert_near(m.mean, 0.75, cases[i].tolerance);
    assert_near(m.deviation, 1.2278, cases[i].tolerance);
    assert_near(m.left, 0.3006, cases[i].tolerance / 2.0);
    if (sumi__sampler_find(cases[i].name)->info.evaluations > 0)
      assert_near(evaluations, sumi__sampler_find(cases[i].name)->info.evaluations * cases[i].steps, 0.0);
  }
  free(x);
}

/* However much noise Euler-Maruyama draws, and with none, the marginals are the same. */
static void noise_may_be_more_or_none(void **state) {
  sumi_context *ctx = *state;
  enum { COUNT = 300 };
  static const double etas[] = {-1.0, 0.5, 3.0};
  float *x = malloc(COUNT * SIZE * sizeof *x);
  assert_non_null(x);
  for (int i = 0; i < 3; i++) {
    draw_mixture(3, 1.0, x, COUNT * SIZE);
    const run_options o = {"euler-maruyama", mixture, 400, COUNT, SIZE, 1e-5, NULL, NULL};
    assert_ok(ctx, run_with(ctx, &o, (sumi_sampler_options){.eta = etas[i]}, x, NULL));
    const moments m = moments_of(x, COUNT * SIZE);
    print_message("  eta %g: mean %.4f, deviation %.4f, left %.4f\n", etas[i], m.mean, m.deviation, m.left);
    assert_near(m.mean, 0.75, 0.03);
    assert_near(m.deviation, 1.2278, 0.04);
    assert_near(m.left, 0.3006, 0.015);
  }
  free(x);
}

/* scipy 1.17: solve_ivp(flow, (1, 1e-3), x, method="RK45", rtol=1e-5, atol=1e-5), the score rounded to f32 */
static void ode_follows_scipy(void **state) {
  sumi_context *ctx = *state;
  static const struct {
    int64_t size;
    float from[4];
    double to[4], evaluations;
  } cases[] = {
      {1, {12.5f}, {1.9804706366616973}, 56},
      {1, {-9.25f}, {-0.9829707391493329}, 62},
      {1, {0.75f}, {1.2162848651320863}, 56},
      {4,
       {3.0f, -20.0f, 1.0f, 0.5f},
       {1.3908355472409413, -1.4667652612951445, 1.237224174743482, 1.1948689672423645},
       56},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    float x[4];
    double evaluations;
    memcpy(x, cases[i].from, sizeof x);
    const run_options o = {"ode-rk45", mixture, 1, 1, cases[i].size, 1e-5, NULL, NULL};
    assert_ok(ctx, run(ctx, &o, x, &evaluations));
    for (int64_t k = 0; k < cases[i].size; k++) assert_near(x[k], cases[i].to[k], 2e-6);
    assert_near(evaluations, cases[i].evaluations, 0.0);
  }
}

static void ode_solves_a_known_flow(void **state) {
  sumi_context *ctx = *state;
  static const float from[5] = {-25.0f, -3.0f, 0.1f, 8.0f, 19.0f};
  float x[5];
  memcpy(x, from, sizeof x);
  const run_options o = {"ode-rk45", single, 1, 5, 1, 1e-5, NULL, NULL};
  assert_ok(ctx, run(ctx, &o, x, NULL));
  for (int i = 0; i < 5; i++) assert_near(x[i], single_flow((double)from[i], 1e-3), 5e-5);
}

/* Each sample has steps of its own, so neighbours change nothing, to the last bit. */
static void ode_samples_are_independent(void **state) {
  sumi_context *ctx = *state;
  float together[3] = {12.5f, -9.25f, 0.75f}, alone[3] = {12.5f, -9.25f, 0.75f};
  run_options o = {"ode-rk45", mixture, 1, 3, 1, 1e-5, NULL, NULL};
  assert_ok(ctx, run(ctx, &o, together, NULL));
  o.count = 1;
  for (int i = 0; i < 3; i++) assert_ok(ctx, run(ctx, &o, &alone[i], NULL));
  assert_memory_equal(together, alone, sizeof alone);
}

/* Second order: half the step, a quarter of the error. */
static void dpmpp_2m_converges(void **state) {
  sumi_context *ctx = *state;
  double error[3];
  for (int i = 0; i < 3; i++) {
    float x = 6.0f;
    const run_options o = {"dpmpp-2m", single, 320 << i, 1, 1, 0, NULL, NULL};
    assert_ok(ctx, run(ctx, &o, &x, NULL));
    error[i] = fabs((double)x - single_flow(6.0, 1e-3));
  }
  print_message("  errors %.2e %.2e %.2e\n", error[0], error[1], error[2]);
  assert_true(error[0] < 1e-3 && error[1] < error[0] / 3.2 && error[2] < error[1] / 3.2);
}

/* ---- Callbacks ---- */

typedef struct watch {
  int calls, stop_at;
  double last_t, last_error;
} watch;

static bool look(void *user, const sumi__sampling *s) {
  watch *w = user;
  assert_int_equal(s->step, w->calls);
  assert_true(s->now.t < w->last_t);
  w->last_t = s->now.t;
  /* the clean picture that the score of a single normal distribution predicts is between its mean and x */
  if (s->step > 0) w->last_error = fabs((double)s->x0[0] - means[1]);
  return ++w->calls != w->stop_at;
}

static void callbacks_see_every_step_and_stop(void **state) {
  sumi_context *ctx = *state;
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    if (!sumi_sampler_at(i)->digits) continue;
    float x[2] = {9.0f, -4.0f};
    watch w = {.last_t = 2.0};
    run_options o = {sumi_sampler_at(i)->name, single, 20, 2, 1, 1e-5, look, &w};
    assert_ok(ctx, run(ctx, &o, x, NULL));
    if (sumi_sampler_at(i)->default_steps > 0) assert_int_equal(w.calls, 21);
    assert_near(w.last_t, 1e-3, 0.0);
    assert_true(w.last_error < 3.0);
    w = (watch){.last_t = 2.0, .stop_at = 4};
    assert_int_equal(run(ctx, &o, x, NULL), SUMI_CANCELLED);
    assert_error(ctx, "cancelled after 3 steps");
    assert_int_equal(w.calls, 4);
  }
}

static sumi_status broken(void *user, int64_t count, int64_t size, const float *x, const sumi__noise_level *levels,
                          float *out) {
  (void)user, (void)x, (void)levels;
  for (int64_t i = 0; i < count * size; i++) out[i] = NAN;
  return SUMI_OK;
}

static void ode_gives_up_on_nonsense(void **state) {
  sumi_context *ctx = *state;
  float x = 1.0f;
  const run_options o = {"ode-rk45", broken, 1, 1, 1, 1e-5, NULL, NULL};
  assert_int_equal(run(ctx, &o, &x, NULL), SUMI_FAILED);
  assert_error(ctx, "step has become too small");
}

/* ---- One dimension ---- */

static void demo_moves_forward_and_back(void **state) {
  sumi_context *ctx = *state;
  enum { COUNT = 20000, STEPS = 200 };
  const sumi_demo_1d demo = {2, weights, means, stds, 9.0, STEPS, COUNT, 5};
  float *x = malloc(COUNT * (STEPS + 1) * sizeof *x), *ends = malloc(COUNT * sizeof *ends);
  assert_non_null(x);
  assert_non_null(ends);
  assert_ok(ctx, sumi_demo_1d_forward(ctx, &demo, x));
  for (int i = 0; i < COUNT; i++) ends[i] = x[i * (STEPS + 1)];
  moments m = moments_of(ends, COUNT);
  assert_near(m.mean, 0.75, 0.03);
  assert_near(m.deviation, 1.2278, 0.03);
  for (int i = 0; i < COUNT; i++) ends[i] = x[i * (STEPS + 1) + STEPS];
  m = moments_of(ends, COUNT);
  assert_near(m.mean, 0.75, 0.08);
  assert_near(m.deviation, sqrt(1.2278 * 1.2278 + 9.0), 0.06); /* sqrt(dt), not dt */
  assert_ok(ctx, sumi_demo_1d_reverse(ctx, &demo, x));
  for (int i = 0; i < COUNT; i++) ends[i] = x[i * (STEPS + 1) + STEPS];
  m = moments_of(ends, COUNT);
  print_message("  back: mean %.4f, deviation %.4f, left %.4f\n", m.mean, m.deviation, m.left);
  assert_near(m.mean, 0.75, 0.05);
  assert_near(m.deviation, 1.2278, 0.06);
  assert_near(m.left, 0.3006, 0.02);
  free(x);
  free(ends);
}

static void demo_density_and_score_agree(void **state) {
  (void)state;
  const double heavy[2] = {3.0, 7.0}; /* need not sum to 1 */
  const sumi_demo_1d demo = {2, heavy, means, stds, 1.0, 1, 1, 0};
  for (double t = 0.0; t < 3.0; t += 0.7) {
    double total = 0.0;
    for (double x = -15.0; x <= 15.0; x += 0.01) {
      double p, up, down, score;
      sumi_demo_1d_density(&demo, t, x, &p, &score);
      total += 0.01 * p;
      sumi_demo_1d_density(&demo, t, x + 1e-5, &up, NULL);
      sumi_demo_1d_density(&demo, t, x - 1e-5, &down, NULL);
      if (p > 1e-100) assert_near((log(up) - log(down)) / 2e-5, score, 1e-5 * (1.0 + fabs(score)));
    }
    assert_near(total, 1.0, 1e-6);
  }
}

static void demo_refuses_bad_values(void **state) {
  sumi_context *ctx = *state;
  const double negative[2] = {0.5, -0.5};
  float x[4];
  sumi_demo_1d demo = {2, weights, means, stds, 1.0, 1, 1, 0};
  demo.components = 17;
  assert_int_equal(sumi_demo_1d_forward(ctx, &demo, x), SUMI_INVALID);
  assert_error(ctx, "17 components");
  demo.components = 2;
  demo.weights = negative;
  assert_int_equal(sumi_demo_1d_reverse(ctx, &demo, x), SUMI_INVALID);
  assert_error(ctx, "component 1", "-0.5");
  demo.weights = weights;
  demo.duration = NAN;
  assert_int_equal(sumi_demo_1d_reverse(ctx, &demo, x), SUMI_INVALID);
  assert_error(ctx, "duration");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(process_has_the_published_values),
      cmocka_unit_test(std_in_graphs_holds_for_small_times),
      cmocka_unit_test(loss_of_known_scores),
      cmocka_unit_test(predictions_are_converted),
      cmocka_unit_test(samplers_draw_the_mixture),
      cmocka_unit_test(noise_may_be_more_or_none),
      cmocka_unit_test(ode_follows_scipy),
      cmocka_unit_test(ode_solves_a_known_flow),
      cmocka_unit_test(ode_samples_are_independent),
      cmocka_unit_test(dpmpp_2m_converges),
      cmocka_unit_test(callbacks_see_every_step_and_stop),
      cmocka_unit_test(ode_gives_up_on_nonsense),
      cmocka_unit_test(demo_moves_forward_and_back),
      cmocka_unit_test(demo_density_and_score_agree),
      cmocka_unit_test(demo_refuses_bad_values),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
