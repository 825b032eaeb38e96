/* Euler-Maruyama on the reverse-time SDE (B. Anderson, 1982; Y. Song et al., ICLR 2021, algorithm 1 of its appendix
 * G): x <- x + g^2 s(x, t) dt + g sqrt(dt) z.
 *
 * With eta = k it is the process of the same marginals with k times the noise's variance, drift (1 + k) / 2 g^2 s: none
 * is the probability flow, more than 1 forgets its own errors sooner.
 *
 * As in the MNIST tutorial the result is the last step's mean, without its noise. The tutorial takes `steps` times
 * from 1 to the end and a step after each of them, the last one beyond the end with a step far longer than what noise
 * is left; here `steps` steps lead from 1 to the end. */
#include "diffusion/sampler.h"

#include <math.h>

void sumi__reverse_sde_step(sumi__sampling *s, float *score) {
  const int64_t n = s->count * s->size;
  const double dt = s->now.t - s->next.t, g = s->now.g, k = sumi__eta(s, 1.0);
  const float drift = (float)(0.5 * (1.0 + k) * g * g * dt);
  for (int64_t i = 0; i < n; i++) s->x[i] += drift * score[i];
  if (s->step + 1 == s->job->steps) return;
  sumi__add_fresh_noise(s, sqrt(k * dt) * g, score);
}

static sumi_status step(sumi__sampling *s) {
  const sumi_status status = sumi__score_at(s, s->x, s->now, s->scratch[0]);
  if (status == SUMI_OK) sumi__reverse_sde_step(s, s->scratch[0]);
  return status;
}

const sumi__sampler sumi__sampler_euler_maruyama = {
    .info = {.name = "euler-maruyama",
             .title = "Euler-Maruyama on the reverse SDE (Song et al. 2021)",
             .default_steps = 250,
             .evaluations = 1,
             .random = true,
             .digits = true},
    .scratch = 1,
    .step = step,
};
