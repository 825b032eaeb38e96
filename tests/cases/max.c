#include "ops/harness.h"

static sumi_tensor *middle(sumi_graph *g, sumi_tensor *const *x) { return sumi_max(g, x[0], 1, (int[]){1}, false); }
static sumi_tensor *ends(sumi_graph *g, sumi_tensor *const *x) { return sumi_max(g, x[0], 2, (int[]){0, -1}, true); }
static sumi_tensor *last(sumi_graph *g, sumi_tensor *const *x) { return sumi_max(g, x[0], 1, (int[]){-1}, true); }

static const op_case list[] = {
    {.name = "max", .build = middle, .inputs = {OP_IN(-2, 2, 2, 5, 3)}},
    {.name = "max.ends", .build = ends, .inputs = {OP_IN(-3, -1, 2, 3, 4)}},
    {.name = "max.ties", .build = last, .inputs = {OP_IN_GRID(-2, 2, 3, 4, 6)}, .no_differences = true},
    {.name = "max.large", .build = middle, .inputs = {OP_IN(-2, 2, 5, 37, 131)}, .no_golden = true},
    {.name = "max.large_last", .build = last, .inputs = {OP_IN_GRID(-2, 2, 30, 5, 7, 613)}, .no_golden = true},
    {.name = "max.large_ends", .build = ends, .inputs = {OP_IN(-2, 2, 5, 37, 131)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  (void)i;
  return sumi_max(g, OP_F32(g, 2, 3), 1, (int[]){2}, false);
}

OP_CASES(max, list, bad, {SUMI_SHAPE, "max: axis 2"});
