#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_mse_loss(g, x[0], x[1]); }

static const op_case list[] = {
    {.name = "mse_loss", .build = build, .inputs = {OP_IN(-2, 2, 2, 3, 4), OP_IN(-2, 2, 2, 3, 4)}, .any_type = true},
    {.name = "mse_loss.large",
     .build = build,
     .inputs = {OP_IN(-2, 2, 9, 7, 313), OP_IN(-2, 2, 9, 7, 313)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  (void)i;
  return sumi_mse_loss(g, OP_F32(g, 2, 3), OP_F32(g, 3));
}

OP_CASES(mse_loss, list, bad, {SUMI_SHAPE, "mse_loss: the target is [3], expected [2, 3]"});
