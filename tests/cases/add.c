#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_add(g, x[0], x[1]); }

static const op_case list[] = {
    {.name = "add", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 3, 5), OP_IN(-2.0f, 2.0f, 3, 5)}},
    {.name = "add.rows", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 2, 3, 5), OP_IN(-2.0f, 2.0f, 5)}},
    {.name = "add.both", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 2, 1, 5), OP_IN(-2.0f, 2.0f, 3, 1)}},
    {.name = "add.mixed", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 4, 3), OP_IN_F32(-2.0f, 2.0f, 1, 3)}},
    {.name = "add.large",
     .build = build,
     .inputs = {OP_IN(-2.0f, 2.0f, 5, 7, 613), OP_IN(-2.0f, 2.0f, 5, 1, 613)},
     .no_golden = true},
    {.name = "add.large_scalar",
     .build = build,
     .inputs = {OP_IN(-2.0f, 2.0f, 1), OP_IN(-2.0f, 2.0f, 3, 4099)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_add(g, OP_F32(g, 2, 3), OP_F32(g, 2)) : sumi_add(g, OP_F32(g, 2), OP_F32(g, 0));
}

OP_CASES(add, list, bad, {SUMI_SHAPE, "add: shapes [2, 3] and [2] do not broadcast"}, {SUMI_SHAPE, "input: "});
