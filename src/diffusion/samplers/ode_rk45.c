/* The probability-flow ODE dx/dt = -g^2 s(x, t) / 2 (Y. Song et al., ICLR 2021, section 4.3) by Dormand and Prince's
 * embedded pair of orders 5 and 4 (1980), with the first step and the step control of E. Hairer, S. Norsett and
 * G. Wanner, "Solving ordinary differential equations I", section II.4, in the form of scipy's
 * solve_ivp(method="RK45").
 *
 * The tutorial gives the whole batch to the solver as one vector, so that all samples share their steps; here each
 * sample has its own, and does not depend on those beside it. The batch goes on until the last has arrived. State and
 * sums are f64; the network is f32. */
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

enum { STAGES = 6 };
static const double nodes[STAGES] = {0.0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0};
static const double coupling[STAGES][STAGES - 1] = {
    {0.0},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
};
static const double solution[STAGES] = {35.0 / 384, 0.0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84};
/* fifth order minus fourth; the last is for the slope at the new point */
static const double difference[STAGES + 1] = {-71.0 / 57600,    0.0,         71.0 / 16695, -71.0 / 1920,
                                              17253.0 / 339200, -22.0 / 525, 1.0 / 40};
static const double safety = 0.9, shrink_limit = 0.2, growth_limit = 10.0;

/* One sample's progress. */
typedef struct track {
  double t, h;         /* where it is; the length of the step it tries next, above 0 */
  double target, step; /* of the present try: where it leads, and target - t */
  bool rejected, done;
} track;

typedef struct solver {
  track *tracks;              /* (count) */
  double *y;                  /* (count, size) */
  double *slopes[STAGES + 1]; /* (count, size) each */
  sumi__noise_level *levels;  /* (count) */
} solver;

static void end(sumi__sampling *s) {
  solver *o = s->state;
  if (!o) return;
  for (int k = 0; k <= STAGES; k++) sumi__free(s->ctx, o->slopes[k]);
  sumi__free(s->ctx, o->y);
  sumi__free(s->ctx, o->tracks);
  sumi__free(s->ctx, o->levels);
  sumi__free(s->ctx, o);
}

/* slope = dx/dt at the points s->scratch[0] and times o->levels[i].t. */
static sumi_status slope_at(sumi__sampling *s, double *slope) {
  solver *o = s->state;
  float *score = s->scratch[1];
  for (int64_t i = 0; i < s->count; i++) o->levels[i] = s->job->process->level(s->job->process, o->levels[i].t);
  const sumi_status status = sumi__score_each(s, s->scratch[0], o->levels, score);
  if (status != SUMI_OK) return status;
  for (int64_t i = 0; i < s->count; i++) {
    const double factor = -0.5 * o->levels[i].g * o->levels[i].g;
    for (int64_t k = i * s->size; k < (i + 1) * s->size; k++) slope[k] = factor * (double)score[k];
  }
  return SUMI_OK;
}

/* The root mean square of a[i]/scale[i] with scale = tolerance (1 + |y|), as relative and absolute are the same. */
static double scaled_norm(const double *a, const double *y, double tolerance, int64_t size) {
  double sum = 0.0;
  for (int64_t i = 0; i < size; i++) {
    const double q = a[i] / (tolerance * (1.0 + fabs(y[i])));
    sum += q * q;
  }
  return sqrt(sum / (double)size);
}

static double first_guess(double d0, double d1, double span) {
  return fmin(d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1, span);
}

/* Hairer's choice of the first step, for each sample: one more evaluation, a small explicit Euler step away. */
static sumi_status choose_first_steps(sumi__sampling *s) {
  solver *o = s->state;
  const double tolerance = s->job->tolerance, span = s->now.t - s->next.t;
  const double *f0 = o->slopes[0];
  double *f1 = o->slopes[1];
  for (int64_t i = 0; i < s->count; i++) {
    const int64_t at = i * s->size;
    const double d0 = scaled_norm(o->y + at, o->y + at, tolerance, s->size);
    const double d1 = scaled_norm(f0 + at, o->y + at, tolerance, s->size);
    const double h = first_guess(d0, d1, span);
    for (int64_t k = at; k < at + s->size; k++) s->scratch[0][k] = (float)(o->y[k] - h * f0[k]);
    o->levels[i].t = s->now.t - h;
    o->tracks[i] = (track){.t = s->now.t, .h = h};
  }
  const sumi_status status = slope_at(s, f1);
  if (status != SUMI_OK) return status;
  for (int64_t i = 0; i < s->count; i++) {
    const int64_t at = i * s->size;
    const double h = o->tracks[i].h, d1 = scaled_norm(f0 + at, o->y + at, tolerance, s->size);
    for (int64_t k = at; k < at + s->size; k++) f1[k] -= f0[k];
    const double d2 = scaled_norm(f1 + at, o->y + at, tolerance, s->size) / h;
    const double steepest = fmax(d1, d2);
    const double next = steepest <= 1e-15 ? fmax(1e-6, h * 1e-3) : pow(0.01 / steepest, 0.2);
    o->tracks[i].h = fmin(fmin(100.0 * h, next), span);
  }
  return SUMI_OK;
}

static sumi_status begin(sumi__sampling *s) {
  const size_t n = (size_t)s->count * (size_t)s->size;
  solver *o = sumi__alloc_zero(s->ctx, sizeof *o);
  if (!o) return SUMI_NO_MEMORY;
  s->state = o;
  o->tracks = sumi__alloc_array(s->ctx, (size_t)s->count, sizeof *o->tracks);
  o->levels = sumi__alloc_array(s->ctx, (size_t)s->count, sizeof *o->levels);
  o->y = sumi__alloc_array(s->ctx, n, sizeof *o->y);
  if (!o->tracks || !o->levels || !o->y) return SUMI_NO_MEMORY;
  for (int k = 0; k <= STAGES; k++)
    if (!(o->slopes[k] = sumi__alloc_array(s->ctx, n, sizeof(double)))) return SUMI_NO_MEMORY;
  for (size_t k = 0; k < n; k++) o->y[k] = (double)s->x[k];
  memcpy(s->scratch[0], s->x, n * sizeof *s->x);
  for (int64_t i = 0; i < s->count; i++) o->levels[i] = s->now;
  const sumi_status status = slope_at(s, o->slopes[0]);
  return status == SUMI_OK ? choose_first_steps(s) : status;
}

/* The point of a stage: y + h (sum of weights[j] slopes[j]), into s->scratch[0]. */
static void stage_point(sumi__sampling *s, const double *weights, int used, double node) {
  const solver *o = s->state;
  for (int64_t i = 0; i < s->count; i++) {
    const track *r = &o->tracks[i];
    const double h = r->done ? 0.0 : r->step;
    o->levels[i].t = r->t + h * node;
    for (int64_t k = i * s->size; k < (i + 1) * s->size; k++) {
      double sum = 0.0;
      for (int j = 0; j < used; j++) sum += weights[j] * o->slopes[j][k];
      s->scratch[0][k] = (float)(o->y[k] + h * sum);
    }
  }
}

/* The length of the next try, no further than the end. Errors: FAILED where it vanishes beside t. */
static sumi_status aim(sumi__sampling *s, track *r) {
  const double last = s->next.t, least = 10.0 * (r->t - nextafter(r->t, -INFINITY));
  if (r->h < least) {
    if (r->rejected)
      return sumi__fail(s->ctx, SUMI_FAILED,
                        "the ODE solver's step has become too small at t = %g: the tolerance %g asks for more than "
                        "the network's precision",
                        r->t, s->job->tolerance);
    r->h = least;
  }
  r->target = fmax(r->t - r->h, last);
  r->step = r->target - r->t;
  r->h = -r->step;
  return SUMI_OK;
}

/* The error of sample i's try in units of the tolerance; the new point goes to `point` (size). */
static double judge(const sumi__sampling *s, int64_t i, double *point) {
  const solver *o = s->state;
  const double h = o->tracks[i].step, tolerance = s->job->tolerance;
  double sum = 0.0;
  for (int64_t k = 0; k < s->size; k++) {
    const int64_t at = i * s->size + k;
    double moved = 0.0, error = difference[STAGES] * o->slopes[STAGES][at];
    for (int j = 0; j < STAGES; j++) {
      moved += solution[j] * o->slopes[j][at];
      error += difference[j] * o->slopes[j][at];
    }
    point[k] = o->y[at] + h * moved;
    const double q = h * error / (tolerance * (1.0 + fmax(fabs(o->y[at]), fabs(point[k]))));
    sum += q * q;
  }
  return sqrt(sum / (double)s->size);
}

/* Accepts sample i's try or makes its next one shorter. `point` is work of (size). */
static void settle(sumi__sampling *s, int64_t i, double *point) {
  solver *o = s->state;
  track *r = &o->tracks[i];
  const double error = judge(s, i, point);
  if (!(error < 1.0)) { /* also when it is not a number */
    r->h *= fmax(shrink_limit, isfinite(error) ? safety * pow(error, -0.2) : shrink_limit);
    r->rejected = true;
    return;
  }
  const double factor = error == 0.0 ? growth_limit : fmin(growth_limit, safety * pow(error, -0.2));
  const size_t bytes = (size_t)s->size * sizeof *point;
  r->t = r->target;
  r->h *= r->rejected ? fmin(1.0, factor) : factor;
  r->rejected = false;
  r->done = r->t <= s->next.t;
  memcpy(o->y + i * s->size, point, bytes);
  memcpy(o->slopes[0] + i * s->size, o->slopes[STAGES] + i * s->size, bytes); /* first same as last */
  for (int64_t k = 0; k < s->size; k++) s->x[i * s->size + k] = (float)point[k];
}

/* One try for every sample that has not arrived. */
static sumi_status step(sumi__sampling *s) {
  sumi_status status = SUMI_OK;
  solver *o = s->state;
  for (int64_t i = 0; i < s->count; i++)
    if (!o->tracks[i].done) SUMI_TRY(aim(s, &o->tracks[i]));
  for (int k = 1; k < STAGES; k++) {
    stage_point(s, coupling[k], k, nodes[k]);
    SUMI_TRY(slope_at(s, o->slopes[k]));
  }
  stage_point(s, solution, STAGES, 1.0);
  SUMI_TRY(slope_at(s, o->slopes[STAGES]));
  double furthest = s->next.t;
  s->done = true;
  for (int64_t i = 0; i < s->count; i++) {
    track *r = &o->tracks[i];
    /* The slopes of the second stage have been used: they are the work for the new point. */
    if (!r->done) settle(s, i, o->slopes[1] + i * s->size);
    s->done = s->done && r->done;
    furthest = fmax(furthest, r->t);
  }
  s->now = s->job->process->level(s->job->process, furthest);
done:
  return status;
}

const sumi__sampler sumi__sampler_ode_rk45 = {
    .info = {.name = "ode-rk45",
             .title = "probability-flow ODE, adaptive Dormand-Prince 5(4) (Song et al. 2021)",
             .digits = true},
    .scratch = 2,
    .step = step,
    .begin = begin,
    .end = end,
};
