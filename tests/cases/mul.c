#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_mul(g, x[0], x[1]); }

static const op_case list[] = {
    {.name = "mul", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 3, 5), OP_IN(-2.0f, 2.0f, 3, 5)}},
    {.name = "mul.rows", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 2, 3, 5), OP_IN(-2.0f, 2.0f, 5)}},
    {.name = "mul.both", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 2, 1, 5), OP_IN(-2.0f, 2.0f, 3, 1)}},
    {.name = "mul.mixed", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 4, 3), OP_IN_F32(-2.0f, 2.0f, 1, 3)}},
    {.name = "mul.large",
     .build = build,
     .inputs = {OP_IN(-2.0f, 2.0f, 5, 7, 613), OP_IN(-2.0f, 2.0f, 5, 1, 613)},
     .no_golden = true},
    {.name = "mul.large_scalar",
     .build = build,
     .inputs = {OP_IN(-2.0f, 2.0f, 1), OP_IN(-2.0f, 2.0f, 3, 4099)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_mul(g, OP_F32(g, 2, 3), OP_F32(g, 2)) : sumi_mul(g, OP_F32(g, 2), OP_F32(g, 0));
}

OP_CASES(mul, list, bad, {SUMI_SHAPE, "mul: shapes [2, 3] and [2] do not broadcast"}, {SUMI_SHAPE, "input: "});
