/* Samplers and schedules of Stable Diffusion: trajectories of diffusers and k-diffusion (tools/oracle/samplers.py),
 * names, schedules, guidance, and what the loop does around the steps. */
#include "support.h"

#include "base/random.h"
#include "diffusion/guidance.h"
#include "diffusion/schedule.h"
#include "io/safetensors.h"

#include <math.h>

#define assert_near(a, b, within)                                                                                      \
  do {                                                                                                                 \
    const double a_ = (double)(a), b_ = (double)(b), within_ = (double)(within);                                       \
    if (!(fabs(a_ - b_) <= within_)) {                                                                                 \
      print_error("%.9g, expected %.9g within %g\n", a_, b_, within_);                                                 \
      _fail(__FILE__, __LINE__);                                                                                       \
    }                                                                                                                  \
  } while (0)

enum { SIZE = 16, KEPT = 8, MOST_STEPS = 64 };

/* ---- Cases by their names ---- */

typedef struct golden {
  const char *name;
  char sampler[64], schedule[64], masked[16];
  sumi_schedule_options options;
  sumi_sampler_options parameters;
  sumi__prediction prediction;
  int steps, first;
} golden;

static sumi_spacing spacing_of(const char *v) {
  return v[0] == 'l' && v[1] == 'e' ? SUMI_SPACING_LEADING
         : v[0] == 't'              ? SUMI_SPACING_TRAILING
                                    : SUMI_SPACING_LINSPACE;
}

static void read_word(golden *g, const char *key, const char *v) {
  const double number = atof(v);
  if (!strcmp(key, "schedule")) {
    strcpy(g->schedule, v);
    g->options.schedule = g->schedule;
  } else if (!strcmp(key, "spacing"))
    g->options.spacing = spacing_of(v);
  else if (!strcmp(key, "offset"))
    g->options.steps_offset = number == 0.0 ? -1 : (int)number;
  else if (!strcmp(key, "final"))
    g->options.final = !strcmp(v, "zero") ? SUMI_FINAL_ZERO : SUMI_FINAL_MIN;
  else if (!strcmp(key, "betas"))
    g->options.betas.schedule = !strcmp(v, "linear") ? SUMI_BETAS_LINEAR : SUMI_BETAS_COSINE;
  else if (!strcmp(key, "zero_snr"))
    g->options.betas.zero_snr = true;
  else if (!strcmp(key, "convention"))
    g->options.convention = SUMI_CONVENTION_KDIFFUSION;
  else if (!strcmp(key, "prediction"))
    g->prediction = v[0] == 'v' ? SUMI__PREDICTS_V : SUMI__PREDICTS_X0;
  else if (!strcmp(key, "mask"))
    strcpy(g->masked, v);
  else if (!strcmp(key, "steps"))
    g->steps = (int)number;
  else if (!strcmp(key, "first"))
    g->first = (int)number;
  else if (!strcmp(key, "eta"))
    g->parameters.eta = number;
  else if (!strcmp(key, "s_noise"))
    g->parameters.s_noise = number;
  else if (!strcmp(key, "churn"))
    g->parameters.s_churn = number;
  else if (!strcmp(key, "tmin"))
    g->parameters.s_tmin = number;
  else if (!strcmp(key, "tmax"))
    g->parameters.s_tmax = number;
  else if (!strcmp(key, "order"))
    g->parameters.order = (int)number;
  else
    fail_msg("a case with an unknown word: %s", key);
}

/* g->options points into *g, which must stay where it is. */
static void read_name(const char *name, golden *g) {
  int at = 0, n = 0;
  char key[32], value[64];
  *g = (golden){.name = name, .prediction = SUMI__PREDICTS_EPS, .steps = 20};
  assert_int_equal(sscanf(name, "%63s%n", g->sampler, &at), 1);
  while (sscanf(name + at, " %31[^=]=%63s%n", key, value, &n) == 2) {
    read_word(g, key, value);
    at += n;
  }
  assert_int_equal(name[at], '\0');
}

/* ---- One trajectory ---- */

typedef struct run {
  const golden *g;
  const sumi__sampler *sampler;
  sumi__rng rng;
  int states, times; /* so far */
  float state[MOST_STEPS + 2][KEPT], time[4 * MOST_STEPS];
} run;

/* As in the script. */
static sumi_status network(void *user, int64_t count, int64_t size, const float *x, const sumi__noise_level *levels,
                           float *out) {
  run *r = user;
  assert_int_equal(count * size, SIZE);
  assert_true(r->times < 4 * MOST_STEPS);
  r->time[r->times++] = (float)levels[0].t;
  for (int i = 0; i < SIZE; i++) out[i] = tanhf(1.1f * x[i] + 0.3f * sinf(0.007f * (float)levels[0].t + (float)i));
  return SUMI_OK;
}

static void draw(void *user, float *out) { sumi__rng_normal(&((run *)user)->rng, out, SIZE); }

static bool record(void *user, const sumi__sampling *s) {
  run *r = user;
  const float scale = (float)sumi__state_scale(r->sampler, s->now.sigma);
  assert_true(r->states < MOST_STEPS + 2);
  for (int i = 0; i < KEPT; i++) r->state[r->states][i] = scale * s->x[i];
  r->states++;
  return true;
}

static void fill_known(float *known, float *mask) {
  for (int i = 0; i < SIZE; i++) {
    known[i] = (float)(sin(i) * 0.8);
    mask[i] = i % 3 == 0 ? 0.0f : i % 3 == 1 ? 1.0f : 0.25f;
  }
}

static void sample(sumi_context *ctx, const golden *g, run *r) {
  float noise[SIZE], x[SIZE], known[SIZE], mask[SIZE];
  sumi__ddpm ddpm;
  sumi__schedule schedule;
  *r = (run){.g = g, .sampler = sumi__sampler_find(g->sampler)};
  assert_non_null(r->sampler);
  assert_ok(ctx, sumi__ddpm_make(ctx, &g->options.betas, &ddpm));
  assert_ok(ctx, sumi__schedule_make(ctx, &ddpm, r->sampler, &g->options, g->steps, &schedule));
  sumi__rng_seed(&r->rng, 5);
  draw(r, noise);
  fill_known(known, mask);
  for (int i = 0; i < SIZE; i++) x[i] = (float)schedule.initial_scale * noise[i];
  if (g->first) sumi__add_noise(schedule.levels[g->first].sigma, SIZE, known, noise, x);
  const sumi__mask masking = {mask, known, noise, !strcmp(g->masked, "blend")};
  const sumi__denoiser denoiser = {g->prediction, true, network, r};
  const sumi__sample_job job = {.sampler = r->sampler,
                                .denoiser = &denoiser,
                                .process = &schedule.process,
                                .steps = schedule.steps,
                                .levels = schedule.levels,
                                .first = g->first,
                                .stride = schedule.stride,
                                .count = 1,
                                .size = SIZE,
                                .options = g->parameters,
                                .lower_order_final = g->options.convention == SUMI_CONVENTION_DIFFUSERS,
                                .mask = g->masked[0] ? &masking : NULL,
                                .noise = draw,
                                .noise_user = r,
                                .report = record,
                                .report_user = r};
  assert_ok(ctx, sumi__sample(ctx, &job, x, NULL));
  sumi__schedule_free(ctx, &schedule);
  sumi__ddpm_free(ctx, &ddpm);
}

/* ---- Against the golden values ---- */

static float *read_tensor(sumi_context *ctx, const sumi_safetensors *file, const char *name, int64_t *rows) {
  const sumi_safetensors_tensor *t;
  assert_ok(ctx, sumi__safetensors_get(file, name, &t));
  *rows = t->dims[0];
  float *values = malloc((size_t)t->count * sizeof *values);
  assert_non_null(values);
  assert_ok(ctx, sumi__safetensors_read_f32(file, t, values));
  return values;
}

/* The largest deviation of a state, in parts of the largest number in it. */
static double state_error(const float *got, const float *expected) {
  double error = 0.0, top = 0.0;
  for (int i = 0; i < KEPT; i++) {
    error = fmax(error, fabs((double)got[i] - (double)expected[i]));
    top = fmax(top, fabs((double)expected[i]));
  }
  return isfinite((double)got[0]) ? error / top : INFINITY;
}

/* How far the whole trajectory is off; the timesteps that the network was told in *time_error. */
static double trajectory_error(sumi_context *ctx, const sumi_safetensors *file, const golden *g, double *time_error) {
  static run r;
  char name[256];
  int64_t rows, evaluations;
  double worst = 0.0;
  float *expected = read_tensor(ctx, file, g->name, &rows);
  snprintf(name, sizeof name, "%s/t", g->name);
  float *times = read_tensor(ctx, file, name, &evaluations);
  sample(ctx, g, &r);
  *time_error = r.times == evaluations ? 0.0 : INFINITY;
  for (int i = 0; i < r.times && i < evaluations; i++)
    *time_error = fmax(*time_error, fabs((double)r.time[i] - (double)times[i]));
  const bool ends_alone = rows == 2 && g->parameters.s_churn > 0.0;
  if (!ends_alone && rows != r.states) worst = INFINITY;
  for (int64_t i = 0; i < rows && i < r.states; i++) {
    const int64_t mine = ends_alone && i == 1 ? r.states - 1 : i;
    worst = fmax(worst, state_error(r.state[mine], expected + i * KEPT));
  }
  free(expected);
  free(times);
  return worst;
}

static void trajectories_are_those_of_the_references(void **state) {
  sumi_context *ctx = *state;
  sumi_safetensors *file;
  int cases = 0, bad = 0;
  double worst = 0.0;
  assert_ok(ctx, sumi_safetensors_open(ctx, SUMI_TESTS "/golden/samplers.safetensors", &file));
  for (size_t i = 0; i < sumi_safetensors_count(file); i++) {
    const char *name = sumi_safetensors_tensor_at(file, i)->name;
    if (strchr(name, '/')) continue; /* timesteps and tables */
    golden g;
    double time_error;
    read_name(name, &g);
    const double error = trajectory_error(ctx, file, &g, &time_error);
    worst = fmax(worst, error);
    cases++;
    if (error <= 1e-5 && time_error <= 1e-3) continue;
    print_error("  %s: %.2e, timesteps %.2e\n", name, error, time_error);
    bad++;
  }
  print_message("  %d cases, the worst off by %.2e\n", cases, worst);
  assert_true(cases > 200);
  assert_int_equal(bad, 0);
  sumi_safetensors_close(file);
}

/* Some of the thousand differ in the last bits, where a root or a product is rounded the other way; with zero_snr each
 * such bit passes through a division of two numbers near 1. */
static void sigmas_are_those_of_diffusers(void **state) {
  sumi_context *ctx = *state;
  static const struct {
    const char *name;
    sumi_betas betas;
  } cases[] = {{"sigmas/scaled_linear", {0}},
               {"sigmas/linear", {.schedule = SUMI_BETAS_LINEAR}},
               {"sigmas/cosine", {.schedule = SUMI_BETAS_COSINE}},
               {"sigmas/zero_snr", {.zero_snr = true}}};
  sumi_safetensors *file;
  assert_ok(ctx, sumi_safetensors_open(ctx, SUMI_TESTS "/golden/samplers.safetensors", &file));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sumi__ddpm ddpm;
    int64_t count;
    double worst = 0.0;
    float *expected = read_tensor(ctx, file, cases[i].name, &count);
    assert_ok(ctx, sumi__ddpm_make(ctx, &cases[i].betas, &ddpm));
    assert_int_equal(count, ddpm.count);
    int same = 0;
    for (int t = 0; t < ddpm.count; t++) {
      worst = fmax(worst, fabs(ddpm.sigma[t] / (double)expected[t] - 1.0));
      same += ddpm.sigma[t] == (double)expected[t];
    }
    print_message("  %s: %d the same, the worst off by %.2e\n", cases[i].name, same, worst);
    assert_true(worst < (cases[i].betas.zero_snr ? 1e-5 : 5e-7));
    sumi__ddpm_free(ctx, &ddpm);
    free(expected);
  }
  sumi_safetensors_close(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sigmas_are_those_of_diffusers),
      cmocka_unit_test(trajectories_are_those_of_the_references),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
