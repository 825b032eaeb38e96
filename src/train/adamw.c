/* AdamW (Loshchilov and Hutter 2019), as torch.optim.AdamW: w <- w (1 - lr wd), then Adam's step without decay. */
#include "train/adam.h"

static void update(const sumi__update *u) {
  sumi__adam_update(u, 0.0f, (float)(1.0 - u->lr * u->options->weight_decay));
}

const sumi__optimizer_rule sumi__optimizer_adamw = {"adamw", 2, {"exp_avg", "exp_avg_sq"}, update};
