/* UniPC (W. Zhao et al., "UniPC: a unified predictor-corrector framework for fast sampling of diffusion models", 2023)
 * on predicted pictures, B(h) = e^h - 1, order 2 by default (diffusers' UniPCMultistepScheduler, bh2). When the network
 * has been asked at the end of a step, that prediction first corrects the step, then takes part in the next. The order
 * falls towards the end as in diffusers. */
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

enum { MOST = 3 };

/* Solves a w = b, of `n` rows, by Gauss's elimination with pivots. */
static void solve(int n, double a[MOST][MOST], double *b, double *w) {
  for (int k = 0; k < n; k++) {
    int pivot = k;
    for (int i = k + 1; i < n; i++)
      if (fabs(a[i][k]) > fabs(a[pivot][k])) pivot = i;
    for (int j = 0; j < n; j++) {
      const double kept = a[k][j];
      a[k][j] = a[pivot][j];
      a[pivot][j] = kept;
    }
    const double kept = b[k];
    b[k] = b[pivot];
    b[pivot] = kept;
    for (int i = k + 1; i < n; i++) {
      const double factor = a[i][k] / a[k][k];
      for (int j = k; j < n; j++) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    w[k] = b[k];
    for (int j = k + 1; j < n; j++) w[k] -= a[k][j] * w[j];
    w[k] /= a[k][k];
  }
}

/* The weights rho of equation 5 and theorem 3.1: `count` of them for points at ratios r. */
static void weigh(int count, const double *r, double h, double *w) {
  double a[MOST][MOST], b[MOST], factorial = 1.0, phi = expm1(-h) / -h - 1.0;
  for (int i = 0; i < count; i++) {
    for (int j = 0; j < count; j++) a[i][j] = pow(r[j], i);
    b[i] = phi * factorial / expm1(-h);
    factorial *= i + 2;
    phi = phi / -h - 1.0 / factorial;
  }
  solve(count, a, b, w);
}

/* y = the step from x at sigma to sigma_next with prediction m0 alone. */
static double start(sumi__sampling *s, float *y, const float *x, const float *m0, double sigma, double sigma_next) {
  sumi__euler_step(y, x, m0, sigma, sigma_next, s->count * s->size);
  return log(sigma / sigma_next);
}

static void add_difference(float *y, double weight, const float *m, const float *m0, int64_t n) {
  const float w = (float)weight;
  for (int64_t i = 0; i < n; i++) y[i] += w * (m[i] - m0[i]);
}

/* s->x, predicted to be at s->now by the last step from scratch 0, is made again with the prediction at s->now. */
static void correct(sumi__sampling *s, int order) {
  const int64_t n = s->count * s->size;
  const double from = s->past[0].level.sigma;
  const float *m0 = s->past[0].x0;
  const double h = start(s, s->x, s->scratch[0], m0, from, s->now.sigma), scale = -expm1(-h);
  double r[MOST], w[MOST] = {0.5};
  for (int j = 1; j < order; j++) r[j - 1] = log(from / s->past[j].level.sigma) / h;
  r[order - 1] = 1.0;
  if (order > 1) weigh(order, r, h, w);
  for (int j = 1; j < order; j++) add_difference(s->x, scale * w[j - 1] / r[j - 1], s->past[j].x0, m0, n);
  add_difference(s->x, scale * w[order - 1], s->x0, m0, n);
}

static void predict(sumi__sampling *s, int order) {
  const int64_t n = s->count * s->size;
  memcpy(s->scratch[0], s->x, (size_t)n * sizeof *s->x);
  const double h = start(s, s->x, s->scratch[0], s->x0, s->now.sigma, s->next.sigma), scale = -expm1(-h);
  double r[MOST], w[MOST] = {0.5};
  for (int j = 1; j < order; j++) r[j - 1] = log(s->now.sigma / s->past[j - 1].level.sigma) / h;
  if (order > 2) weigh(order - 1, r, h, w);
  for (int j = 1; j < order; j++) add_difference(s->x, scale * w[j - 1] / r[j - 1], s->past[j - 1].x0, s->x0, n);
}

/* The order of a step: fewer at the beginning, and towards the end no more than there are steps left. */
static int order_of(const sumi__sampling *s, int step) {
  const int wanted = sumi__order(s, 2, MOST), left = s->job->steps - step, known = step - s->job->first + 1;
  const int order = wanted < known ? wanted : known;
  return order < left ? order : left;
}

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  if (s->past_count > 0) correct(s, order_of(s, s->step - 1));
  predict(s, order_of(s, s->step));
  return SUMI_OK;
}

static const char *const aliases[] = {"UniPC", "uni pc", "UniPCMultistep", NULL};

const sumi__sampler sumi__sampler_unipc = {
    .info = {.name = "unipc",
             .title = "UniPC, a corrector for every predictor (Zhao et al. 2023)",
             .default_steps = 20,
             .evaluations = 1,
             .digits = true,
             .latent = true,
             .aliases = aliases},
    .scratch = 1,
    .history = 3,
    .habits = {.grid = SUMI__GRID_SOLVER, .spacing = SUMI_SPACING_LINSPACE, .scaled = true, .rounds_karras = true},
    .step = step,
};
