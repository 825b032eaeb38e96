#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_dropout(g, x[0], x[1], 0.3f); }

static const op_case list[] = {
    {.name = "dropout", .build = build, .inputs = {OP_IN(-2, 2, 5, 7), OP_IN_INT(SUMI_I64, 0, 10000000, 2)}},
    {.name = "dropout.large",
     .build = build,
     .inputs = {OP_IN(-2, 2, 31, 1013), OP_IN_INT(SUMI_I64, 0, 10000000, 2)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  switch (i) {
  case 0: return sumi_dropout(g, OP_F32(g, 3), OP_I64(g, 2), 1.0f);
  case 1: return sumi_dropout(g, OP_F32(g, 3), OP_I64(g, 2), -0.5f);
  default: return sumi_dropout(g, OP_F32(g, 3), OP_I64(g, 2, 1), 0.5f);
  }
}

OP_CASES(dropout, list, bad, {SUMI_INVALID, "dropout: p is 1"}, {SUMI_INVALID, "dropout: p is -0.5"},
         {SUMI_SHAPE, "the state is i64[2, 1]"});
