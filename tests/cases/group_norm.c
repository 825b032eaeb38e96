#include "ops/harness.h"

static sumi_tensor *affine(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_group_norm(g, x[0], x[1], x[2], 2, 1e-5f);
}
static sumi_tensor *plain(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_group_norm(g, x[0], NULL, NULL, 3, 1e-2f);
}

static const op_case list[] = {
    {.name = "group_norm",
     .build = affine,
     .inputs = {OP_IN(-2, 3, 2, 3, 2, 6), OP_IN_F32(-1, 1, 6), OP_IN_F32(-1, 1, 6)}},
    {.name = "group_norm.plain", .build = plain, .inputs = {OP_IN(-2, 3, 2, 5, 6)}},
    {.name = "group_norm.large",
     .build = affine,
     .inputs = {OP_IN(-2, 3, 3, 17, 13, 34), OP_IN_F32(-1, 1, 34), OP_IN_F32(-1, 1, 34)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *x = OP_F32(g, 2, 3, 6), *c = OP_F32(g, 6);
  switch (i) {
  case 0: return sumi_group_norm(g, x, c, c, 4, 1e-5f);
  case 1: return sumi_group_norm(g, x, OP_F32(g, 5), c, 2, 1e-5f);
  case 2: return sumi_group_norm(g, x, c, NULL, 2, 1e-5f);
  case 3: return sumi_group_norm(g, x, c, c, 0, 1e-5f);
  case 4: return sumi_group_norm(g, x, c, c, 2, -1.0f);
  default: return sumi_group_norm(g, OP_F32(g, 6), c, c, 2, 1e-5f);
  }
}

OP_CASES(group_norm, list, bad, {SUMI_SHAPE, "4 groups do not divide the 6 channels"}, {SUMI_SHAPE, "gamma"},
         {SUMI_INVALID, "gamma and beta go together"}, {SUMI_SHAPE, "0 groups"}, {SUMI_INVALID, "eps -1"},
         {SUMI_SHAPE, "expected (N, ..., C)"});
