#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_clamp(g, x[0], -0.5f, 1.0f); }

static const op_case list[] = {
    {.name = "clamp", .build = build, .inputs = {OP_IN(-2, 2, 3, 7)}},
    {.name = "clamp.ends", .build = build, .inputs = {OP_IN_GRID(-2, 2, 8, 16)}},
    {.name = "clamp.large", .build = build, .inputs = {OP_IN(-2, 2, 5, 7, 613)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  (void)i;
  return sumi_clamp(g, OP_F32(g, 2), 1.0f, 0.0f);
}

OP_CASES(clamp, list, bad, {SUMI_INVALID, "expected low <= high"});
