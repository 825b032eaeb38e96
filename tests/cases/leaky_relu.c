#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_leaky_relu(g, x[0], 0.2f); }

static const op_case list[] = {
    {.name = "leaky_relu", .build = build, .inputs = {OP_IN(-2, 2, 3, 7)}},
    {.name = "leaky_relu.kink", .build = build, .inputs = {OP_IN_GRID(-2, 2, 8, 16)}},
    {.name = "leaky_relu.large", .build = build, .inputs = {OP_IN(-2, 2, 5, 7, 613)}, .no_golden = true},
};

OP_CASES(leaky_relu, list, NULL, OP_NO_FAULTS);
