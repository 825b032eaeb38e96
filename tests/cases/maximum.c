#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_maximum(g, x[0], x[1]); }

static const op_case list[] = {
    {.name = "maximum", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 3, 5), OP_IN(-2.0f, 2.0f, 3, 5)}},
    {.name = "maximum.rows", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 2, 3, 5), OP_IN(-2.0f, 2.0f, 5)}},
    {.name = "maximum.both", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 2, 1, 5), OP_IN(-2.0f, 2.0f, 3, 1)}},
    {.name = "maximum.mixed", .build = build, .inputs = {OP_IN(-2.0f, 2.0f, 4, 3), OP_IN_F32(-2.0f, 2.0f, 1, 3)}},
    {.name = "maximum.ties",
     .build = build,
     .inputs = {OP_IN_GRID(-2.0f, 2.0f, 8, 16), OP_IN_GRID(-2.0f, 2.0f, 8, 16)}},
    {.name = "maximum.large",
     .build = build,
     .inputs = {OP_IN(-2.0f, 2.0f, 5, 7, 613), OP_IN(-2.0f, 2.0f, 5, 1, 613)},
     .no_golden = true},
    {.name = "maximum.large_scalar",
     .build = build,
     .inputs = {OP_IN(-2.0f, 2.0f, 1), OP_IN(-2.0f, 2.0f, 3, 4099)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_maximum(g, OP_F32(g, 2, 3), OP_F32(g, 2)) : sumi_maximum(g, OP_F32(g, 2), OP_F32(g, 0));
}

OP_CASES(maximum, list, bad, {SUMI_SHAPE, "maximum: shapes [2, 3] and [2] do not broadcast"}, {SUMI_SHAPE, "input: "});
