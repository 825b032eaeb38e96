#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_mean(g, x[0], 2, (int[]){0, 2}, false); }
static sumi_tensor *all(sumi_graph *g, sumi_tensor *const *x) { return sumi_mean_all(g, x[0]); }

static const op_case list[] = {
    {.name = "mean", .build = build, .inputs = {OP_IN(-2, 2, 2, 3, 4)}},
    {.name = "mean.all", .build = all, .inputs = {OP_IN(-2, 2, 2, 3, 4)}},
    {.name = "mean.large", .build = build, .inputs = {OP_IN(-1, 2, 19, 7, 113)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  (void)i;
  return sumi_mean(g, OP_F32(g, 2, 3), 1, (int[]){-3}, false);
}

OP_CASES(mean, list, bad, {SUMI_SHAPE, "axis -3"});
