#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_broadcast(g, x[0], SUMI_SHAPE(2, 3, 4, 5));
}
static sumi_tensor *large(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_broadcast(g, x[0], SUMI_SHAPE(7, 6, 601));
}

static const op_case list[] = {
    {.name = "broadcast", .build = build, .inputs = {OP_IN(-2, 2, 3, 1, 5)}},
    {.name = "broadcast.last", .build = build, .inputs = {OP_IN(-2, 2, 2, 1, 4, 1)}},
    {.name = "broadcast.large", .build = large, .inputs = {OP_IN(-2, 2, 6, 1)}, .no_golden = true},
    {.name = "broadcast.large_rows", .build = large, .inputs = {OP_IN(-2, 2, 7, 1, 601)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  switch (i) {
  case 0: return sumi_broadcast(g, OP_F32(g, 2, 3), SUMI_SHAPE(2, 4));
  case 1: return sumi_broadcast(g, OP_F32(g, 2, 3), SUMI_SHAPE(3));
  default: return sumi_broadcast(g, OP_F32(g, 2, 1), SUMI_SHAPE(2, -1));
  }
}

OP_CASES(broadcast, list, bad, {SUMI_SHAPE, "broadcast: [2, 3] does not repeat to [2, 4]"},
         {SUMI_SHAPE, "broadcast: [2, 3] does not repeat to [3]"}, {SUMI_SHAPE, "not valid"});
