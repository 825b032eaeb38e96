#include "ops/harness.h"

static sumi_tensor *first(sumi_graph *g, sumi_tensor *const *x) { return sumi_concat(g, 3, x, 0); }
static sumi_tensor *last(sumi_graph *g, sumi_tensor *const *x) { return sumi_concat(g, 2, x, -1); }
static sumi_tensor *middle(sumi_graph *g, sumi_tensor *const *x) { return sumi_concat(g, 2, x, 1); }

static const op_case list[] = {
    {.name = "concat", .build = first, .inputs = {OP_IN(-2, 2, 2, 3), OP_IN(-2, 2, 1, 3), OP_IN(-2, 2, 4, 3)}},
    {.name = "concat.last", .build = last, .inputs = {OP_IN(-2, 2, 2, 3, 2), OP_IN(-2, 2, 2, 3, 5)}},
    {.name = "concat.middle", .build = middle, .inputs = {OP_IN(-2, 2, 2, 3, 2), OP_IN(-2, 2, 2, 1, 2)}},
    {.name = "concat.mixed", .build = last, .inputs = {OP_IN(-2, 2, 2, 2), OP_IN_F32(-2, 2, 2, 3)}},
    {.name = "concat.large",
     .build = last,
     .inputs = {OP_IN(-2, 2, 30, 11, 40), OP_IN(-2, 2, 30, 11, 25)},
     .no_golden = true},
    {.name = "concat.large_first",
     .build = first,
     .inputs = {OP_IN(-2, 2, 2, 4099), OP_IN(-2, 2, 1, 4099), OP_IN(-2, 2, 3, 4099)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *const xs[] = {OP_F32(g, 2, 3), OP_F32(g, 2, 4), OP_F32(g, 2, 3, 1), OP_I32(g, 2, 3)};
  switch (i) {
  case 0: return sumi_concat(g, 2, xs, 0);
  case 1: return sumi_concat(g, 2, xs, 2);
  case 2: return sumi_concat(g, 3, xs, 1);
  case 3: return sumi_concat(g, 0, xs, 0);
  case 4: return sumi_concat(g, 65, xs, 0);
  default: return sumi_concat(g, 2, (sumi_tensor *[]){xs[0], xs[3]}, 0);
  }
}

OP_CASES(concat, list, bad, {SUMI_SHAPE, "concat: input 1 is f32[2, 4], expected f32[2, 3] up to axis 0"},
         {SUMI_SHAPE, "concat: the axis is out of range for the shape [2, 3]"}, {SUMI_SHAPE, "concat: input 2"},
         {SUMI_INVALID, "concat: 0 inputs"}, {SUMI_INVALID, "concat: 65 inputs"}, {SUMI_SHAPE, "is i32[2, 3]"});
