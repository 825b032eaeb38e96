/* Stochastic gradient descent with momentum, as torch.optim.SGD without dampening:
 *   g <- g + wd w;  b <- mu b + g;  w <- w - lr b, or with Nesterov's w <- w - lr (g + mu b) */
#include "train/optimizer.h"

static void update(const sumi__update *u) {
  const float decay = (float)u->options->weight_decay, mu = (float)u->options->momentum, lr = (float)u->lr;
  const bool nesterov = u->options->nesterov;
  float *restrict w = u->w, *restrict b = u->moments[0];
  const float *restrict grad = u->g;
  for (int64_t i = 0; i < u->count; i++) {
    const float g = grad[i] * u->grad_scale + decay * w[i];
    b[i] = mu * b[i] + g;
    w[i] -= lr * (nesterov ? g + mu * b[i] : b[i]);
  }
}

const sumi__optimizer_rule sumi__optimizer_sgd = {"sgd", 1, {"momentum_buffer"}, update};
