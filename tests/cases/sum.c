#include "ops/harness.h"

static sumi_tensor *middle(sumi_graph *g, sumi_tensor *const *x) { return sumi_sum(g, x[0], 1, (int[]){1}, false); }
static sumi_tensor *ends(sumi_graph *g, sumi_tensor *const *x) { return sumi_sum(g, x[0], 2, (int[]){-1, 0}, true); }
static sumi_tensor *last(sumi_graph *g, sumi_tensor *const *x) { return sumi_sum(g, x[0], 1, (int[]){-1}, true); }
static sumi_tensor *first(sumi_graph *g, sumi_tensor *const *x) { return sumi_sum(g, x[0], 2, (int[]){0, 1}, false); }
static sumi_tensor *all(sumi_graph *g, sumi_tensor *const *x) { return sumi_sum_all(g, x[0]); }

static const op_case list[] = {
    {.name = "sum", .build = middle, .inputs = {OP_IN(-2, 2, 2, 3, 4)}},
    {.name = "sum.ends", .build = ends, .inputs = {OP_IN(-2, 2, 2, 3, 4)}},
    {.name = "sum.last", .build = last, .inputs = {OP_IN(-2, 2, 2, 3, 4)}},
    {.name = "sum.all", .build = all, .inputs = {OP_IN(-2, 2, 2, 3, 4)}},
    {.name = "sum.large", .build = middle, .inputs = {OP_IN(-2, 2, 5, 37, 131)}, .no_golden = true},
    {.name = "sum.large_ends", .build = ends, .inputs = {OP_IN(-2, 2, 5, 37, 131)}, .no_golden = true},
    {.name = "sum.large_last", .build = last, .inputs = {OP_IN(-2, 2, 5, 7, 613)}, .no_golden = true},
    {.name = "sum.large_first", .build = first, .inputs = {OP_IN(-2, 2, 40, 17, 33)}, .no_golden = true},
    {.name = "sum.large_all", .build = all, .inputs = {OP_IN(-2, 2, 5, 7, 613)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_sum(g, OP_F32(g, 2, 3), 1, (int[]){2}, false)
                : sumi_sum(g, OP_F32(g, 2, 3), 2, (int[]){1, -1}, false);
}

OP_CASES(sum, list, bad, {SUMI_SHAPE, "sum: axis 2"}, {SUMI_SHAPE, "sum: axis -1 is out of range or given twice"});
