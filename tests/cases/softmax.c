#include "ops/harness.h"

static sumi_tensor *last(sumi_graph *g, sumi_tensor *const *x) { return sumi_softmax(g, x[0], -1); }
static sumi_tensor *middle(sumi_graph *g, sumi_tensor *const *x) { return sumi_softmax(g, x[0], 1); }

static const op_case list[] = {
    {.name = "softmax", .build = last, .inputs = {OP_IN(-3, 3, 3, 7)}},
    {.name = "softmax.middle", .build = middle, .inputs = {OP_IN(-3, 3, 2, 5, 3)}},
    {.name = "softmax.far", .build = last, .inputs = {OP_IN(-200, 200, 4, 9)}, .difference_step = 0.02f},
    {.name = "softmax.large", .build = last, .inputs = {OP_IN(-3, 3, 11, 5, 77)}, .no_golden = true},
    {.name = "softmax.large_middle", .build = middle, .inputs = {OP_IN(-3, 3, 3, 65, 33)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_softmax(g, OP_F32(g, 2, 3), 2) : sumi_softmax(g, sumi_input(g, NULL, SUMI_F32, SUMI_SCALAR), 0);
}

OP_CASES(softmax, list, bad, {SUMI_SHAPE, "softmax: axis 2"}, {SUMI_SHAPE, "softmax: operand is f32[]"});
