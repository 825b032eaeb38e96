/* The discriminator's hinge loss (Lim and Ye 2017, arXiv:1705.02894): mean(max(0, 1 - x)) for what is real,
 * mean(max(0, 1 + x)) for what is not. */
#include "ops/ops.h"

sumi_tensor *sumi_hinge_loss(sumi_graph *g, sumi_tensor *x, bool real) {
  sumi_tensor *short_of = sumi_affine(g, sumi_cast(g, x, SUMI_F32), real ? -1.0f : 1.0f, 1.0f);
  return sumi_mean_all(g, sumi_relu(g, short_of));
}
