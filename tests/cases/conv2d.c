#include "ops/harness.h"

static sumi_tensor *conv(sumi_graph *g, sumi_tensor *const *x, sumi_conv_options options) {
  return sumi_conv2d(g, x[0], x[1], x[2], &options);
}
static sumi_tensor *plain(sumi_graph *g, sumi_tensor *const *x) { return sumi_conv2d(g, x[0], x[1], NULL, NULL); }
static sumi_tensor *same(sumi_graph *g, sumi_tensor *const *x) {
  return conv(g, x, (sumi_conv_options){.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1});
}
/* Downsampling as diffusers' autoencoders do it: zeros at the bottom and the right alone. */
static sumi_tensor *uneven(sumi_graph *g, sumi_tensor *const *x) {
  return conv(g, x, (sumi_conv_options){.stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1});
}
static sumi_tensor *dilated(sumi_graph *g, sumi_tensor *const *x) {
  return conv(g, x, (sumi_conv_options){.dilation_h = 2, .dilation_w = 3, .pad_left = 2, .pad_right = 1});
}
static sumi_tensor *grouped(sumi_graph *g, sumi_tensor *const *x) {
  return conv(g, x, (sumi_conv_options){.groups = 2, .pad_top = 1, .stride_w = 2});
}

static const op_case list[] = {
    {.name = "conv2d", .build = plain, .inputs = {OP_IN(-1, 1, 2, 5, 4, 3), OP_IN(-1, 1, 4, 3, 2, 3)}},
    {.name = "conv2d.same",
     .build = same,
     .inputs = {OP_IN(-1, 1, 1, 4, 4, 2),
                OP_IN(-1, 1, 3, 3, 3, 2),
                {.low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(3)}}},
    {.name = "conv2d.pointwise", .build = plain, .inputs = {OP_IN(-1, 1, 2, 3, 3, 4), OP_IN(-1, 1, 5, 1, 1, 4)}},
    {.name = "conv2d.uneven",
     .build = uneven,
     .inputs = {OP_IN(-1, 1, 1, 6, 4, 2),
                OP_IN(-1, 1, 3, 3, 3, 2),
                {.low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(3)}}},
    {.name = "conv2d.dilated",
     .build = dilated,
     .inputs = {OP_IN(-1, 1, 1, 6, 7, 2),
                OP_IN(-1, 1, 2, 3, 3, 2),
                {.low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(2)}}},
    {.name = "conv2d.grouped",
     .build = grouped,
     .inputs = {OP_IN(-1, 1, 2, 4, 5, 4),
                OP_IN(-1, 1, 6, 2, 3, 2),
                {.low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(6)}}},
    {.name = "conv2d.large",
     .build = same,
     .inputs = {OP_IN(-1, 1, 2, 13, 12, 37), OP_IN(-1, 1, 35, 3, 3, 37), OP_IN_F32(-1, 1, 35)},
     .no_golden = true},
    {.name = "conv2d.large_uneven",
     .build = uneven,
     .inputs = {OP_IN(-1, 1, 2, 14, 12, 16), OP_IN(-1, 1, 32, 3, 3, 16), OP_IN_F32(-1, 1, 32)},
     .no_golden = true},
    {.name = "conv2d.large_grouped",
     .build = grouped,
     .inputs = {OP_IN(-1, 1, 2, 9, 12, 32), OP_IN(-1, 1, 24, 3, 3, 16), OP_IN_F32(-1, 1, 24)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *x = OP_F32(g, 1, 5, 5, 4), *w = OP_F32(g, 6, 3, 3, 4);
  switch (i) {
  case 0: return sumi_conv2d(g, x, OP_F32(g, 6, 3, 3, 3), NULL, NULL);
  case 1: return sumi_conv2d(g, OP_F32(g, 1, 5, 4), w, NULL, NULL);
  case 2: return sumi_conv2d(g, x, OP_F32(g, 6, 3, 4), NULL, NULL);
  case 3: return sumi_conv2d(g, OP_F32(g, 1, 2, 5, 4), w, NULL, NULL);
  case 4: return sumi_conv2d(g, x, w, OP_F32(g, 5), NULL);
  case 5: return sumi_conv2d(g, x, w, NULL, &(sumi_conv_options){.stride_h = -1});
  case 6: return sumi_conv2d(g, x, w, NULL, &(sumi_conv_options){.pad_top = -1});
  case 7: return sumi_conv2d(g, x, w, NULL, &(sumi_conv_options){.groups = 4});
  default: return sumi_conv2d(g, x, w, NULL, &(sumi_conv_options){.dilation_w = INT32_MAX});
  }
}

OP_CASES(conv2d, list, bad, {SUMI_SHAPE, "expected 3 input channels"}, {SUMI_SHAPE, "expected four dimensions"},
         {SUMI_SHAPE, "expected (O, KH, KW, I/groups)"}, {SUMI_SHAPE, "does not fit"}, {SUMI_SHAPE, "the bias"},
         {SUMI_INVALID, "strides -1"}, {SUMI_INVALID, "paddings -1"}, {SUMI_SHAPE, "4 groups"}, {SUMI_OK, "conv2d: "});
