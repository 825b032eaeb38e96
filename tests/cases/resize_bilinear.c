#include "ops/harness.h"

static sumi_tensor *up(sumi_graph *g, sumi_tensor *const *x) { return sumi_resize_bilinear(g, x[0], 5, 7, false); }
static sumi_tensor *down(sumi_graph *g, sumi_tensor *const *x) { return sumi_resize_bilinear(g, x[0], 3, 2, false); }
static sumi_tensor *corners(sumi_graph *g, sumi_tensor *const *x) { return sumi_resize_bilinear(g, x[0], 5, 7, true); }
static sumi_tensor *large(sumi_graph *g, sumi_tensor *const *x) { return sumi_resize_bilinear(g, x[0], 17, 23, false); }

static const op_case list[] = {
    {.name = "resize_bilinear.up", .build = up, .inputs = {OP_IN(-2, 2, 2, 3, 4, 2)}},
    {.name = "resize_bilinear.down", .build = down, .inputs = {OP_IN(-2, 2, 1, 7, 5, 2)}},
    {.name = "resize_bilinear.corners", .build = corners, .inputs = {OP_IN(-2, 2, 2, 3, 4, 2)}},
    {.name = "resize_bilinear.large", .build = large, .inputs = {OP_IN(-2, 2, 2, 9, 11, 37)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return i == 0 ? sumi_resize_bilinear(g, OP_F32(g, 2, 3, 4), 2, 2, false)
                : sumi_resize_bilinear(g, OP_F32(g, 2, 3, 4, 1), 0, 2, false);
}

OP_CASES(resize_bilinear, list, bad, {SUMI_SHAPE, "resize_bilinear: "}, {SUMI_OK, "resize_bilinear: "});
