#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_embedding(g, x[0], x[1]); }

static const op_case list[] = {
    {.name = "embedding", .build = build, .inputs = {OP_IN(-2, 2, 5, 3), OP_IN_INT(SUMI_I32, 0, 5, 7)}},
    {.name = "embedding.tokens", .build = build, .inputs = {OP_IN(-2, 2, 6, 4), OP_IN_INT(SUMI_I64, 0, 6, 2, 3)}},
    {.name = "embedding.large",
     .build = build,
     .inputs = {OP_IN(-2, 2, 60, 70), OP_IN_INT(SUMI_I64, 0, 60, 4, 77)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  switch (i) {
  case 0: return sumi_embedding(g, OP_F32(g, 4), OP_I32(g, 3));
  case 1: return sumi_embedding(g, OP_F32(g, 4, 2), OP_F32(g, 3));
  default: return sumi_embedding(g, OP_F32(g, 4, 2), OP_I32(g, 1, 1, 1, 1, 1, 3));
  }
}

OP_CASES(embedding, list, bad, {SUMI_SHAPE, "the table is f32[4]"}, {SUMI_SHAPE, "ids are f32[3]"},
         {SUMI_SHAPE, "at most 5 dimensions"});
