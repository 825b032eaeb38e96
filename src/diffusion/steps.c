/* The pieces that samplers' steps are put together from. */
#include "diffusion/sampler.h"

#include <math.h>

/* ---- What is made of predictions ---- */

void sumi__euler_step(float *y, const float *x, const float *x0, double sigma, double sigma_next, int64_t n) {
  const float keep = (float)(sigma_next / sigma), make = (float)(1.0 - sigma_next / sigma);
  for (int64_t i = 0; i < n; i++) y[i] = keep * x[i] + make * x0[i];
}

void sumi__slope(const sumi__sampling *s, const float *x, double sigma, float *out) {
  const float each = (float)(1.0 / sigma);
  for (int64_t i = 0; i < s->count * s->size; i++) out[i] = each * (x[i] - s->x0[i]);
}

void sumi__multistep(sumi__sampling *s, double keep, const float *present, const double *weights, int order) {
  const int64_t n = s->count * s->size;
  const float scale = (float)keep, now = (float)weights[0];
  for (int64_t i = 0; i < n; i++) s->x[i] = scale * s->x[i] + now * present[i];
  for (int j = 1; j < order; j++) {
    const float weight = (float)weights[j];
    const float *past = s->past[j - 1].x0;
    for (int64_t i = 0; i < n; i++) s->x[i] += weight * past[i];
  }
}

/* ---- Noise on the way ---- */

void sumi__add_fresh_noise(sumi__sampling *s, double deviation, float *noise) {
  const float spread = (float)(sumi__s_noise(s) * deviation);
  sumi__sampling_noise(s, noise);
  for (int64_t i = 0; i < s->count * s->size; i++) s->x[i] += spread * noise[i];
}

sumi__noise_level sumi__churn(sumi__sampling *s, float *noise) {
  const sumi_sampler_options *o = &s->job->options;
  const double sigma = s->now.sigma, top = o->s_tmax > 0.0 ? o->s_tmax : INFINITY;
  const double gamma = sigma >= o->s_tmin && sigma <= top ? fmin(o->s_churn / s->job->steps, sqrt(2.0) - 1.0) : 0.0;
  if (!(gamma > 0.0)) return s->now;
  const double hat = sigma * (1.0 + gamma);
  sumi__add_fresh_noise(s, sqrt(hat * hat - sigma * sigma), noise);
  return s->job->process->at_sigma(s->job->process, hat);
}

void sumi__ancestral_split(double sigma, double sigma_next, double eta, double *down, double *up) {
  const double part = fmax(1.0 - sigma_next * sigma_next / (sigma * sigma), 0.0);
  *up = fmin(sigma_next, eta * sigma_next * sqrt(part));
  *down = sqrt(sigma_next * sigma_next - *up * *up);
}

void sumi__ancestral_noise(sumi__sampling *s, double up, float *noise) {
  if (up > 0.0) sumi__add_fresh_noise(s, up, noise);
}

sumi_status sumi__ancestral_euler_step(sumi__sampling *s, double eta) {
  double down, up;
  const sumi_status status = sumi__denoise_at(s, s->x, s->now);
  if (status != SUMI_OK) return status;
  sumi__ancestral_split(s->now.sigma, s->next.sigma, eta, &down, &up);
  sumi__euler_step(s->x, s->x, s->x0, s->now.sigma, down, s->count * s->size);
  sumi__ancestral_noise(s, up, s->scratch[0]);
  return SUMI_OK;
}

void sumi__sde_noise(sumi__sampling *s, double eta_h, float *noise) {
  if (eta_h > 0.0) sumi__add_fresh_noise(s, s->next.sigma * sqrt(-expm1(-2.0 * eta_h)), noise);
}
