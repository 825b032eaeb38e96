/* From a network's output to the predicted clean picture and the score: the one place that knows what networks
 * predict. With x = x0 + sigma n, and a = 1/sqrt(1 + sigma^2) where a network was trained on a x:
 *
 *   SCORE  the score of p(x), -n/sigma                       x0 = x + sigma^2 F
 *   EPS    the noise n                                       x0 = x - sigma F
 *   V      a n - a sigma x0 (Salimans and Ho, 2022)          x0 = a^2 x - a sigma F
 *   X0     the picture itself                                x0 = F
 *
 * All are x0 = skip x + out F, and the score is (x0 - x) / sigma^2 (Tweedie's formula). */
#ifndef SUMI_SRC_DIFFUSION_DENOISER_H
#define SUMI_SRC_DIFFUSION_DENOISER_H

#include "base/base.h"
#include "diffusion/process.h"

typedef enum sumi__prediction {
  SUMI__PREDICTS_SCORE,
  SUMI__PREDICTS_EPS,
  SUMI__PREDICTS_V,
  SUMI__PREDICTS_X0
} sumi__prediction;

/* Runs the network: x and out (count, size); levels[i] is that of sample i. */
typedef sumi_status (*sumi__model_fn)(void *user, int64_t count, int64_t size, const float *x,
                                      const sumi__noise_level *levels, float *out);

typedef struct sumi__denoiser {
  sumi__prediction prediction;
  bool scaled_input; /* the network sees a x (variance preserving), not x */
  sumi__model_fn model;
  void *user;
} sumi__denoiser;

/* x, work, x0, score (count, size); score may be NULL; work is overwritten. Nothing may overlap.
 * Errors: those of the model. */
sumi_status sumi__denoiser_run(const sumi__denoiser *d, int64_t count, int64_t size, const float *x,
                               const sumi__noise_level *levels, float *work, float *x0, float *score);

/* For samplers that combine the network's outputs: out (size) = the output F for which x0 is predicted at x, and
 * x0 (size) = what F predicts. out may be x0, x0 may be f. */
void sumi__denoiser_output(sumi__prediction prediction, double sigma, int64_t size, const float *x, const float *x0,
                           float *out);
void sumi__denoiser_apply(sumi__prediction prediction, double sigma, int64_t size, const float *x, const float *f,
                          float *x0);

#endif
