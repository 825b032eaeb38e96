#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_upsample_nearest(g, x[0], 2, 3); }

static const op_case list[] = {
    {.name = "upsample_nearest", .build = build, .inputs = {OP_IN(-2, 2, 2, 2, 3, 3)}},
    {.name = "upsample_nearest.large", .build = build, .inputs = {OP_IN(-2, 2, 2, 9, 7, 37)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_upsample_nearest(g, OP_F32(g, 2, 3, 4), 2, 2)
                : sumi_upsample_nearest(g, OP_F32(g, 2, 3, 4, 1), 0, 2);
}

OP_CASES(upsample_nearest, list, bad, {SUMI_SHAPE, "upsample_nearest: "}, {SUMI_OK, "upsample_nearest: "});
