#include "diffusion/denoiser.h"

#include <math.h>

/* x0 = skip x + out F. */
typedef struct mix {
  double skip, out;
} mix;

static mix mix_for(sumi__prediction prediction, double sigma) {
  const double a = 1.0 / sqrt(1.0 + sigma * sigma);
  switch (prediction) {
  case SUMI__PREDICTS_SCORE: return (mix){1.0, sigma * sigma};
  case SUMI__PREDICTS_EPS: return (mix){1.0, -sigma};
  case SUMI__PREDICTS_V: return (mix){a * a, -a * sigma};
  case SUMI__PREDICTS_X0: break;
  }
  return (mix){0.0, 1.0};
}

static void combine(float *y, double scale_x, const float *x, double scale_f, const float *f, int64_t size) {
  const float a = (float)scale_x, b = (float)scale_f;
  for (int64_t i = 0; i < size; i++) y[i] = a * x[i] + b * f[i];
}

sumi_status sumi__denoiser_run(const sumi__denoiser *d, int64_t count, int64_t size, const float *x,
                               const sumi__noise_level *levels, float *work, float *x0, float *score) {
  float *f = score ? score : x0; /* the network writes here; its output is replaced by what is made of it */
  if (d->scaled_input)
    for (int64_t i = 0; i < count; i++) {
      const double a = 1.0 / sqrt(1.0 + levels[i].sigma * levels[i].sigma);
      combine(work + i * size, a, x + i * size, 0.0, x + i * size, size);
    }
  const sumi_status status = d->model(d->user, count, size, d->scaled_input ? work : x, levels, f);
  if (status != SUMI_OK) return status;
  for (int64_t i = 0; i < count; i++) {
    const mix m = mix_for(d->prediction, levels[i].sigma);
    const double variance = levels[i].sigma * levels[i].sigma;
    const int64_t at = i * size;
    combine(x0 + at, m.skip, x + at, m.out, f + at, size);
    if (score) combine(score + at, (m.skip - 1.0) / variance, x + at, m.out / variance, f + at, size);
  }
  return SUMI_OK;
}

void sumi__denoiser_output(sumi__prediction prediction, double sigma, int64_t size, const float *x, const float *x0,
                           float *out) {
  const mix m = mix_for(prediction, sigma);
  combine(out, -m.skip / m.out, x, 1.0 / m.out, x0, size);
}

void sumi__denoiser_apply(sumi__prediction prediction, double sigma, int64_t size, const float *x, const float *f,
                          float *x0) {
  const mix m = mix_for(prediction, sigma);
  combine(x0, m.skip, x, m.out, f, size);
}
