#include "ops/harness.h"

static sumi_tensor *shifted(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_group_norm_silu(g, x[0], x[1], x[2], x[3], 2, 1e-5f);
}
static sumi_tensor *plain(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_group_norm_silu(g, x[0], NULL, x[1], x[2], 3, 1e-5f);
}

static const op_case list[] = {
    {.name = "group_norm_silu",
     .build = shifted,
     .inputs = {OP_IN(-2, 3, 2, 3, 2, 6),
                {.low = -2, .high = 2, .always_f32 = true, .optional = true, OP_DIMS(2, 6)},
                OP_IN_F32(-1, 1, 6),
                OP_IN_F32(-1, 1, 6)}},
    {.name = "group_norm_silu.plain",
     .build = plain,
     .inputs = {OP_IN(-2, 3, 2, 5, 6), OP_IN_F32(-1, 1, 6), OP_IN_F32(-1, 1, 6)}},
    {.name = "group_norm_silu.large",
     .build = shifted,
     .inputs = {OP_IN(-2, 3, 3, 17, 13, 34), OP_IN_F32(-2, 2, 3, 34), OP_IN_F32(-1, 1, 34), OP_IN_F32(-1, 1, 34)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *c = OP_F32(g, 6);
  return sumi_group_norm_silu(g, OP_F32(g, 2, 3, 6), i == 0 ? OP_F32(g, 6) : OP_F32(g, 1, 6), c, c, 2, 1e-5f);
}

OP_CASES(group_norm_silu, list, bad, {SUMI_SHAPE, "the shift"}, {SUMI_SHAPE, "the shift"});
