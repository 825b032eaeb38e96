#include "ops/harness.h"

static sumi_tensor *plain(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_conv_transpose2d(g, x[0], x[1], NULL, NULL, 0, 0);
}
static sumi_tensor *doubling(sumi_graph *g, sumi_tensor *const *x) {
  const sumi_conv_options options = {
      .stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  return sumi_conv_transpose2d(g, x[0], x[1], x[2], &options, 1, 1);
}
static sumi_tensor *uneven(sumi_graph *g, sumi_tensor *const *x) {
  const sumi_conv_options options = {
      .stride_h = 2, .stride_w = 3, .pad_top = 1, .pad_right = 2, .dilation_h = 2, .groups = 2};
  return sumi_conv_transpose2d(g, x[0], x[1], x[2], &options, 0, 2);
}

static const op_case list[] = {
    {.name = "conv_transpose2d", .build = plain, .inputs = {OP_IN(-1, 1, 2, 3, 4, 3), OP_IN(-1, 1, 3, 2, 3, 2)}},
    {.name = "conv_transpose2d.doubling",
     .build = doubling,
     .inputs = {OP_IN(-1, 1, 1, 3, 3, 3),
                OP_IN(-1, 1, 3, 3, 3, 2),
                {.low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(2)}}},
    {.name = "conv_transpose2d.uneven",
     .build = uneven,
     .inputs = {OP_IN(-1, 1, 1, 3, 3, 4),
                OP_IN(-1, 1, 4, 2, 3, 3),
                {.low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(6)}}},
    {.name = "conv_transpose2d.large",
     .build = doubling,
     .inputs = {OP_IN(-1, 1, 2, 7, 8, 32), OP_IN(-1, 1, 32, 3, 3, 24), OP_IN_F32(-1, 1, 24)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *x = OP_F32(g, 1, 5, 5, 4), *w = OP_F32(g, 4, 3, 3, 6);
  switch (i) {
  case 0: return sumi_conv_transpose2d(g, x, OP_F32(g, 6, 3, 3, 4), NULL, NULL, 0, 0);
  case 1: return sumi_conv_transpose2d(g, x, w, NULL, NULL, 1, 0);
  case 2: return sumi_conv_transpose2d(g, x, w, OP_F32(g, 4), NULL, 0, 0);
  default: return sumi_conv_transpose2d(g, OP_F32(g, 5, 5, 4), w, NULL, NULL, 0, 0);
  }
}

OP_CASES(conv_transpose2d, list, bad, {SUMI_SHAPE, "expected [N, "}, {SUMI_INVALID, "output paddings 1, 0"},
         {SUMI_SHAPE, "the bias"}, {SUMI_SHAPE, "expected four dimensions"});
