/* Adam (Kingma and Ba 2015), with the weight decay of its name added to the gradient (L2), as torch.optim.Adam:
 *   g <- g + wd w;  m <- m + (1 - b1)(g - m);  v <- b2 v + (1 - b2) g^2
 *   w <- w - lr/(1 - b1^t) m / (sqrt(v)/sqrt(1 - b2^t) + eps) */
#include "train/adam.h"

static void update(const sumi__update *u) { sumi__adam_update(u, (float)u->options->weight_decay, 1.0f); }

const sumi__optimizer_rule sumi__optimizer_adam = {"adam", 2, {"exp_avg", "exp_avg_sq"}, update};
