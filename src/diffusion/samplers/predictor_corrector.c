/* Predictor-corrector (Y. Song et al., ICLR 2021, algorithms 2 and 4): at each time first a step of Langevin dynamics,
 * x <- x + e s + sqrt(2 e) z, then Euler-Maruyama's step.
 *
 * The Langevin step is e = 2 (snr |z| / |s|)^2. The MNIST tutorial takes the batch's mean of |s|, which makes each
 * sample depend on those beside it; here each sample has its own. |z| is sqrt(size), as in the tutorial. */
#include "diffusion/sampler.h"

#include <math.h>

static void langevin(sumi__sampling *s, const float *score, const float *noise) {
  for (int64_t i = 0; i < s->count; i++) {
    const int64_t at = i * s->size;
    double square = 0.0;
    for (int64_t k = 0; k < s->size; k++) square += (double)score[at + k] * (double)score[at + k];
    /* A score of zero is a sample at a mode: nothing says how far it may go, so it stays. */
    const double e = square > 0.0 ? 2.0 * s->job->snr * s->job->snr * (double)s->size / square : 0.0;
    const float drift = (float)e, spread = (float)sqrt(2.0 * e);
    for (int64_t k = 0; k < s->size; k++) s->x[at + k] += drift * score[at + k] + spread * noise[at + k];
  }
}

static sumi_status step(sumi__sampling *s) {
  float *score = s->scratch[0], *noise = s->scratch[1];
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi__score_at(s, s->x, s->now, score));
  sumi__sampling_noise(s, noise);
  langevin(s, score, noise);
  SUMI_TRY(sumi__score_at(s, s->x, s->now, score));
  sumi__reverse_sde_step(s, score);
done:
  return status;
}

const sumi__sampler sumi__sampler_predictor_corrector = {
    .info = {.name = "predictor-corrector",
             .title = "Langevin corrector and Euler-Maruyama predictor (Song et al. 2021)",
             .default_steps = 250,
             .evaluations = 2,
             .random = true,
             .digits = true},
    .scratch = 2,
    .step = step,
};
