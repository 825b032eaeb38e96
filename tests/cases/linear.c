#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_linear(g, x[0], x[1], x[2]); }

static const op_case list[] = {
    {.name = "linear",
     .build = build,
     .inputs = {OP_IN(-1, 1, 2, 3, 5),
                OP_IN(-1, 1, 4, 5),
                {.low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(4)}}},
    {.name = "linear.row",
     .build = build,
     .inputs = {OP_IN(-1, 1, 5),
                OP_IN(-1, 1, 4, 5),
                {.low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(4)}}},
    {.name = "linear.large",
     .build = build,
     .inputs = {OP_IN(-1, 1, 3, 31, 64), OP_IN(-1, 1, 96, 64), OP_IN_F32(-1, 1, 96)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_linear(g, OP_F32(g, 2, 3), OP_F32(g, 4, 5), NULL)
                : sumi_linear(g, OP_F32(g, 2, 5), OP_F32(g, 4, 5, 1), NULL);
}

OP_CASES(linear, list, bad, {SUMI_SHAPE, "linear: [2, 3] by the weight [4, 5]"}, {SUMI_SHAPE, "linear: "});
