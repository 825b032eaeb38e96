/* Stochastic gradient descent with momentum, as torch.optim.SGD without dampening:
 *   g <- g + wd w;  b <- mu b + g;  w <- w - lr b, or with Nesterov's w <- w - lr (g + mu b) */
#include "cpu/optimizer.h"
#include "train/optimizer.h"

static void update(const sumi__update *u) {
  const sumi__sgd_step step = {.grad_scale = u->grad_scale,
                               .decay = (float)u->options->weight_decay,
                               .mu = (float)u->options->momentum,
                               .lr = (float)u->lr,
                               .nesterov = u->options->nesterov};
  SUMI__ISA_PICK(u->ctx, sumi__cpu_sgd_update)(u->w, u->moments[0], u->g, u->count, &step);
}

const sumi__optimizer_rule sumi__optimizer_sgd = {"sgd", 1, {"momentum_buffer"}, update};
