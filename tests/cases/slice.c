#include "ops/harness.h"

static sumi_tensor *middle(sumi_graph *g, sumi_tensor *const *x) { return sumi_slice(g, x[0], 1, 1, 4); }
static sumi_tensor *last(sumi_graph *g, sumi_tensor *const *x) { return sumi_slice(g, x[0], -1, 2, 5); }
/* In one piece: a view, read and written around. */
static sumi_tensor *view(sumi_graph *g, sumi_tensor *const *x) {
  sumi_tensor *y = sumi_silu(g, x[0]);
  return sumi_mul(g, sumi_slice(g, y, 0, 1, 3), sumi_slice(g, y, 0, 2, 4));
}

static const op_case list[] = {
    {.name = "slice", .build = middle, .inputs = {OP_IN(-2, 2, 2, 5, 3)}, .any_type = true},
    {.name = "slice.last", .build = last, .inputs = {OP_IN(-2, 2, 2, 3, 7)}, .any_type = true},
    {.name = "slice.view", .build = view, .inputs = {OP_IN(-2, 2, 4, 5)}},
    {.name = "slice.large", .build = middle, .inputs = {OP_IN(-2, 2, 30, 7, 161)}, .any_type = true, .no_golden = true},
    {.name = "slice.large_view", .build = view, .inputs = {OP_IN(-2, 2, 4, 4099)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *x = OP_F32(g, 2, 5);
  switch (i) {
  case 0: return sumi_slice(g, x, 2, 0, 1);
  case 1: return sumi_slice(g, x, 1, 3, 3);
  case 2: return sumi_slice(g, x, 1, 0, 6);
  default: return sumi_slice(g, x, 1, -1, 3);
  }
}

OP_CASES(slice, list, bad, {SUMI_SHAPE, "slice: the axis is out of range for the shape [2, 5]"},
         {SUMI_SHAPE, "slice: [3, 3) is not a range within axis 1"}, {SUMI_SHAPE, "slice: [0, 6)"},
         {SUMI_SHAPE, "slice: [-1, 3)"});
