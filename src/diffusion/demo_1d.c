/* Diffusion on the line: Brownian motion forward, and back along the exact score (B. Anderson, 1982). A demonstration
 * that circulates leaves the square root of dt out of the noise and starts the way back from N(0, 1); here the noise
 * of a step has the standard deviation sqrt(dt), and time runs back from the spread that it has reached. */
#include "sumi/diffusion.h"

#include "base/base.h"
#include "base/random.h"

#include <math.h>

static const double two_pi = 6.283185307179586476925286766559;

static sumi_status check(sumi_context *ctx, const sumi_demo_1d *d) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, d->components >= 1 && d->components <= 16, SUMI_INVALID,
             "a mixture of %d components, expected 1 to 16", d->components);
  for (int i = 0; i < d->components; i++)
    SUMI_CHECK(ctx,
               d->weights[i] > 0.0 && isfinite(d->weights[i]) && isfinite(d->means[i]) && d->stds[i] >= 0.0 &&
                   isfinite(d->stds[i]),
               SUMI_INVALID, "component %d has weight %g, mean %g, std %g: expected weight > 0 and std >= 0", i,
               d->weights[i], d->means[i], d->stds[i]);
  SUMI_CHECK(ctx, d->duration > 0.0 && isfinite(d->duration), SUMI_INVALID, "duration %g, expected above 0",
             d->duration);
  SUMI_CHECK(ctx, d->steps >= 1 && d->steps <= 1000000, SUMI_INVALID, "%d steps, expected 1 to 1000000", d->steps);
  SUMI_CHECK(ctx, d->count >= 1 && d->count <= 1000000, SUMI_INVALID, "%lld trajectories, expected 1 to 1000000",
             (long long)d->count);
done:
  return status;
}

static double total_weight(const sumi_demo_1d *d) {
  double total = 0.0;
  for (int i = 0; i < d->components; i++) total += d->weights[i];
  return total;
}

void sumi_demo_1d_density(const sumi_demo_1d *d, double t, double x, double *density, double *score) {
  double exponents[16], top = -INFINITY, sum = 0.0, slope = 0.0;
  for (int i = 0; i < d->components; i++) { /* in logarithms, so that the score holds where the density vanishes */
    const double variance = d->stds[i] * d->stds[i] + t, far = x - d->means[i];
    exponents[i] = log(d->weights[i]) - 0.5 * far * far / variance - 0.5 * log(two_pi * variance);
    top = fmax(top, exponents[i]);
  }
  for (int i = 0; i < d->components; i++) {
    const double part = exp(exponents[i] - top);
    sum += part;
    slope -= part * (x - d->means[i]) / (d->stds[i] * d->stds[i] + t);
  }
  if (density) *density = sum * exp(top) / total_weight(d);
  if (score) *score = slope / sum;
}

static double normal(sumi__rng *rng) {
  float z;
  sumi__rng_normal(rng, &z, 1);
  return (double)z;
}

static double sample_mixture(const sumi_demo_1d *d, sumi__rng *rng) {
  float u;
  sumi__rng_uniform(rng, 0.0f, 1.0f, &u, 1);
  double left = (double)u * total_weight(d);
  int i = 0;
  while (i + 1 < d->components && left >= d->weights[i]) left -= d->weights[i++];
  return d->means[i] + d->stds[i] * normal(rng);
}

sumi_status sumi_demo_1d_forward(sumi_context *ctx, const sumi_demo_1d *d, float *x) {
  const sumi_status status = check(ctx, d);
  if (status != SUMI_OK) return status;
  sumi__rng rng;
  sumi__rng_seed(&rng, d->seed);
  const double spread = sqrt(d->duration / d->steps);
  for (int64_t i = 0; i < d->count; i++, x += d->steps + 1) {
    double at = sample_mixture(d, &rng);
    x[0] = (float)at;
    for (int k = 1; k <= d->steps; k++) x[k] = (float)(at += spread * normal(&rng));
  }
  return SUMI_OK;
}

/* Mean and variance of x(0). */
static void moments(const sumi_demo_1d *d, double *mean, double *variance) {
  double first = 0.0, second = 0.0;
  for (int i = 0; i < d->components; i++) {
    first += d->weights[i] * d->means[i];
    second += d->weights[i] * (d->means[i] * d->means[i] + d->stds[i] * d->stds[i]);
  }
  *mean = first / total_weight(d);
  *variance = fmax(second / total_weight(d) - *mean * *mean, 0.0);
}

sumi_status sumi_demo_1d_reverse(sumi_context *ctx, const sumi_demo_1d *d, float *x) {
  const sumi_status status = check(ctx, d);
  if (status != SUMI_OK) return status;
  sumi__rng rng;
  sumi__rng_seed(&rng, d->seed);
  const double dt = d->duration / d->steps;
  double mean, variance;
  moments(d, &mean, &variance);
  for (int64_t i = 0; i < d->count; i++, x += d->steps + 1) {
    double at = mean + sqrt(variance + d->duration) * normal(&rng);
    x[0] = (float)at;
    for (int k = 1; k <= d->steps; k++) {
      double score;
      sumi_demo_1d_density(d, dt * (d->steps - k + 1), at, NULL, &score);
      at += score * dt;
      if (k < d->steps) at += sqrt(dt) * normal(&rng);
      x[k] = (float)at;
    }
  }
  return SUMI_OK;
}
