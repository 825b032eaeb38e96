#include "ops/harness.h"

static sumi_tensor *plain(sumi_graph *g, sumi_tensor *const *x) { return sumi_cross_entropy(g, x[0], x[1], 0.0f); }
static sumi_tensor *smooth(sumi_graph *g, sumi_tensor *const *x) { return sumi_cross_entropy(g, x[0], x[1], 0.1f); }

static const op_case list[] = {
    {.name = "cross_entropy",
     .build = plain,
     .inputs = {OP_IN(-3, 3, 4, 7), OP_IN_INT(SUMI_I32, 0, 7, 4)},
     .any_type = true},
    {.name = "cross_entropy.smooth",
     .build = smooth,
     .inputs = {OP_IN(-3, 3, 4, 7), OP_IN_INT(SUMI_I64, 0, 7, 4)},
     .any_type = true},
    {.name = "cross_entropy.far",
     .build = smooth,
     .inputs = {OP_IN(-300, 300, 4, 7), OP_IN_INT(SUMI_I64, 0, 7, 4)},
     .any_type = true,
     .difference_step = 0.1f},
    {.name = "cross_entropy.large",
     .build = smooth,
     .inputs = {OP_IN(-3, 3, 130, 77), OP_IN_INT(SUMI_I64, 0, 77, 130)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *logits = OP_F32(g, 4, 7);
  switch (i) {
  case 0: return sumi_cross_entropy(g, logits, OP_I32(g, 3), 0.0f);
  case 1: return sumi_cross_entropy(g, OP_F32(g, 4), OP_I32(g, 4), 0.0f);
  case 2: return sumi_cross_entropy(g, logits, OP_F32(g, 4), 0.0f);
  default: return sumi_cross_entropy(g, logits, OP_I32(g, 4), 1.5f);
  }
}

OP_CASES(cross_entropy, list, bad, {SUMI_SHAPE, "labels are i32[3], expected i32 or i64 [4]"},
         {SUMI_SHAPE, "logits are f32[4]"}, {SUMI_SHAPE, "labels are f32[4]"}, {SUMI_INVALID, "smoothing 1.5"});
