#include "diffusion/ddpm.h"

#include <math.h>

enum { MAX_COUNT = 100000 };
static const double half_pi = 1.5707963267948966192313216916398;

/* torch.linspace in f32: from both ends to the middle. */
static float even(float first, float last, int count, int i) {
  const float step = (last - first) / (float)(count - 1);
  return i < count / 2 ? first + step * (float)i : last - step * (float)(count - 1 - i);
}

/* A. Nichol and P. Dhariwal (2021), equation 17. */
static double cosine(double t) {
  const double c = cos((t + 0.008) / 1.008 * half_pi);
  return c * c;
}

static float beta_at(const sumi_betas *b, int count, double start, double end, int i) {
  if (b->schedule == SUMI_BETAS_LINEAR) return even((float)start, (float)end, count, i);
  if (b->schedule == SUMI_BETAS_COSINE)
    return (float)fmin(1.0 - cosine((double)(i + 1) / count) / cosine((double)i / count), 0.999);
  const float root = even((float)sqrt(start), (float)sqrt(end), count, i);
  return root * root;
}

/* Products of 1 - beta: the sum runs in f64, each is rounded to f32. */
static void cumulate(const float *beta, int count, float *abar) {
  double product = 1.0;
  for (int i = 0; i < count; i++) abar[i] = (float)(product *= (double)(1.0f - beta[i]));
}

/* S. Lin et al., "Common diffusion noise schedules and sample steps are flawed" (2023), algorithm 1. */
static void rescale(float *beta, float *abar, int count) {
  cumulate(beta, count, abar);
  for (int i = 0; i < count; i++) abar[i] = sqrtf(abar[i]);
  const float first = abar[0], last = abar[count - 1], stretch = first / (first - last);
  for (int i = 0; i < count; i++) {
    const float root = (abar[i] - last) * stretch;
    abar[i] = root * root;
  }
  for (int i = count - 1; i > 0; i--) beta[i] = 1.0f - abar[i] / abar[i - 1];
  beta[0] = 1.0f - abar[0];
}

sumi_status sumi__ddpm_make(sumi_context *ctx, const sumi_betas *b, sumi__ddpm *out) {
  sumi_status status = SUMI_OK;
  float *beta = NULL;
  const int count = b->count ? b->count : 1000;
  const double start = b->start != 0.0 ? b->start : 0.00085, end = b->end != 0.0 ? b->end : 0.012;
  *out = (sumi__ddpm){.count = count, .zero_snr = b->zero_snr};
  SUMI_CHECK(ctx, count >= 2 && count <= MAX_COUNT, SUMI_INVALID, "betas: %d timesteps, expected 2 to %d", count,
             MAX_COUNT);
  SUMI_CHECK(ctx, start > 0.0 && start <= end && end < 1.0, SUMI_INVALID,
             "betas from %g to %g, expected 0 < start <= end < 1", start, end);
  beta = sumi__alloc_array(ctx, 2 * (size_t)count, sizeof *beta);
  out->sigma = sumi__alloc_array(ctx, 2 * (size_t)count, sizeof *out->sigma);
  if (!beta || !out->sigma) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  out->log_sigma = out->sigma + count;
  float *abar = beta + count;
  for (int i = 0; i < count; i++) beta[i] = beta_at(b, count, start, end, i);
  if (b->zero_snr) rescale(beta, abar, count);
  cumulate(beta, count, abar);
  if (b->zero_snr) abar[count - 1] = 0x1p-24f;
  for (int i = 0; i < count; i++) {
    const float sigma = sqrtf((1.0f - abar[i]) / abar[i]);
    SUMI_CHECK(ctx, sigma > 0.0f && isfinite(sigma) && (i == 0 || (double)sigma > out->sigma[i - 1]), SUMI_INVALID,
               "betas: the noise does not grow at timestep %d", i);
    out->sigma[i] = (double)sigma;
    out->log_sigma[i] = log((double)sigma);
  }
done:
  sumi__free(ctx, beta);
  if (status != SUMI_OK) sumi__ddpm_free(ctx, out);
  return status;
}

void sumi__ddpm_free(sumi_context *ctx, sumi__ddpm *d) {
  sumi__free(ctx, d->sigma);
  *d = (sumi__ddpm){0};
}

/* The timestep at or before t that has one after it. */
static int before(const sumi__ddpm *d, double t) {
  const double last = (double)(d->count - 2);
  return (int)fmin(fmax(floor(t), 0.0), last);
}

double sumi__ddpm_sigma(const sumi__ddpm *d, double t) {
  const int i = before(d, t);
  const double w = fmin(fmax(t - i, 0.0), 1.0);
  if (w == 0.0 || w == 1.0) return d->sigma[w == 0.0 ? i : i + 1];
  return exp((1.0 - w) * d->log_sigma[i] + w * d->log_sigma[i + 1]);
}

double sumi__ddpm_time(const sumi__ddpm *d, double sigma) {
  const double l = log(fmax(sigma, 1e-10));
  int low = 0, high = d->count - 1; /* the last timestep at or below l that has one after it */
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (d->log_sigma[middle] <= l)
      low = middle;
    else
      high = middle;
  }
  const double w = (l - d->log_sigma[low]) / (d->log_sigma[low + 1] - d->log_sigma[low]);
  return low + fmin(fmax(w, 0.0), 1.0);
}

double sumi__ddpm_g(const sumi__ddpm *d, double t) {
  const int i = before(d, t);
  return sumi__ddpm_sigma(d, t) * sqrt(2.0 * (d->log_sigma[i + 1] - d->log_sigma[i]));
}
