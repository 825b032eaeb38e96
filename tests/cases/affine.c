#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_affine(g, x[0], -1.5f, 0.25f); }

static const op_case list[] = {
    {.name = "affine", .build = build, .inputs = {OP_IN(-2, 2, 3, 5)}},
    {.name = "affine.large", .build = build, .inputs = {OP_IN(-2, 2, 5, 7, 613)}, .no_golden = true},
};

OP_CASES(affine, list, NULL, OP_NO_FAULTS);
