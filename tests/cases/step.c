#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_step(g, x[0], 0.5f); }

static const op_case list[] = {
    {.name = "step", .build = build, .inputs = {OP_IN(-2, 2, 3, 7)}},
    {.name = "step.at_threshold", .build = build, .inputs = {OP_IN_GRID(-2, 2, 8, 16)}},
    {.name = "step.large", .build = build, .inputs = {OP_IN(-2, 2, 5, 7, 613)}, .no_golden = true},
};

OP_CASES(step, list, NULL, OP_NO_FAULTS);
