#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_avg_pool2d(g, x[0], 2, 2); }
static sumi_tensor *overlapping(sumi_graph *g, sumi_tensor *const *x) { return sumi_avg_pool2d(g, x[0], 3, 2); }

static const op_case list[] = {
    {.name = "avg_pool2d", .build = build, .inputs = {OP_IN(-2, 2, 2, 4, 5, 3)}},
    {.name = "avg_pool2d.overlapping", .build = overlapping, .inputs = {OP_IN(-2, 2, 1, 7, 6, 2)}},
    {.name = "avg_pool2d.large", .build = overlapping, .inputs = {OP_IN(-2, 2, 3, 13, 15, 37)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  switch (i) {
  case 0: return sumi_avg_pool2d(g, OP_F32(g, 2, 3, 4), 2, 2);
  case 1: return sumi_avg_pool2d(g, OP_F32(g, 2, 3, 4, 1), 4, 2);
  default: return sumi_avg_pool2d(g, OP_F32(g, 2, 3, 4, 1), 2, 0);
  }
}

OP_CASES(avg_pool2d, list, bad, {SUMI_SHAPE, "avg_pool2d: "}, {SUMI_SHAPE, "avg_pool2d: "}, {SUMI_OK, "avg_pool2d: "});
