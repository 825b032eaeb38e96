#include "ops/harness.h"

static sumi_tensor *real(sumi_graph *g, sumi_tensor *const *x) { return sumi_hinge_loss(g, x[0], true); }
static sumi_tensor *not_real(sumi_graph *g, sumi_tensor *const *x) { return sumi_hinge_loss(g, x[0], false); }

static const op_case list[] = {
    {.name = "hinge_loss.real", .build = real, .inputs = {OP_IN(-2, 2, 3, 5)}, .any_type = true},
    {.name = "hinge_loss.not_real", .build = not_real, .inputs = {OP_IN(-2, 2, 3, 5)}, .any_type = true},
};

OP_CASES(hinge_loss, list, NULL, OP_NO_FAULTS);
