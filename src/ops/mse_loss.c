/* The mean squared error, f32: mean((x - target)^2). */
#include "ops/ops.h"

sumi_tensor *sumi_mse_loss(sumi_graph *g, sumi_tensor *x, sumi_tensor *target) {
  if (x && target && !sumi_shape_equal(&x->shape, &target->shape)) {
    sumi__graph_fail(g, SUMI_SHAPE, "mse_loss: the target is %s, expected %s as x is", SUMI__SHAPE_STR(&target->shape),
                     SUMI__SHAPE_STR(&x->shape));
    return NULL;
  }
  sumi_tensor *error = sumi_sub(g, sumi_cast(g, x, SUMI_F32), sumi_cast(g, target, SUMI_F32));
  return sumi_mean_all(g, sumi_square(g, error));
}
