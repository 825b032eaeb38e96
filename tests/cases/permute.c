#include "ops/harness.h"

static sumi_tensor *rotate(sumi_graph *g, sumi_tensor *const *x) { return sumi_permute(g, x[0], (int[]){2, 0, 1}); }
static sumi_tensor *heads(sumi_graph *g, sumi_tensor *const *x) { return sumi_permute(g, x[0], (int[]){0, 2, 1, -1}); }
/* Dimensions of size 1 move, values do not: a view, which the square then reads. */
static sumi_tensor *nothing_moves(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_square(g, sumi_permute(g, sumi_silu(g, x[0]), (int[]){1, 3, 0, 2}));
}

static const op_case list[] = {
    {.name = "permute", .build = rotate, .inputs = {OP_IN(-2, 2, 2, 3, 4)}, .any_type = true},
    {.name = "permute.heads", .build = heads, .inputs = {OP_IN(-2, 2, 2, 3, 2, 5)}, .any_type = true},
    {.name = "permute.nothing_moves", .build = nothing_moves, .inputs = {OP_IN(-2, 2, 1, 3, 5, 1)}},
    {.name = "permute.large",
     .build = rotate,
     .inputs = {OP_IN(-2, 2, 33, 70, 19)},
     .any_type = true,
     .no_golden = true},
    {.name = "permute.large_heads",
     .build = heads,
     .inputs = {OP_IN(-2, 2, 3, 37, 5, 24)},
     .any_type = true,
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_permute(g, OP_F32(g, 2, 3), (int[]){0, 0}) : sumi_permute(g, OP_F32(g, 2, 3), (int[]){0, 2});
}

OP_CASES(permute, list, bad, {SUMI_SHAPE, "permute: axis 1"}, {SUMI_SHAPE, "permute: axis 1"});
