#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_square(g, sumi_reshape(g, sumi_silu(g, x[0]), SUMI_SHAPE(4, -1)));
}

static const op_case list[] = {
    {.name = "reshape", .build = build, .inputs = {OP_IN(-2, 2, 2, 3, 6)}},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *x = OP_F32(g, 2, 3);
  switch (i) {
  case 0: return sumi_reshape(g, x, SUMI_SHAPE(4, 2));
  case 1: return sumi_reshape(g, x, SUMI_SHAPE(4, -1));
  case 2: return sumi_reshape(g, x, SUMI_SHAPE(-1, -1));
  case 3: return sumi_reshape(g, x, SUMI_SHAPE(INT64_MAX, 2, 3));
  case 4: return sumi_reshape(g, x, SUMI_SHAPE(1, 1, 1, 1, 1, 2, 3));
  default: return sumi_reshape(g, x, SUMI_SHAPE(0, 6));
  }
}

OP_CASES(reshape, list, bad, {SUMI_SHAPE, "reshape: [2, 3] does not fit into [4, 2]"},
         {SUMI_SHAPE, "reshape: [2, 3] does not fit into [4, -1]"}, {SUMI_SHAPE, "not a valid shape"},
         {SUMI_SHAPE, "not a valid shape"}, {SUMI_SHAPE, "rank -1"}, {SUMI_SHAPE, "not a valid shape"});
