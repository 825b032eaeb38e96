#include "ops/harness.h"

static sumi_tensor *affine(sumi_graph *g, sumi_tensor *const *x) { return sumi_layer_norm(g, x[0], x[1], x[2], 1e-5f); }
static sumi_tensor *plain(sumi_graph *g, sumi_tensor *const *x) { return sumi_layer_norm(g, x[0], NULL, NULL, 1e-2f); }

static const op_case list[] = {
    {.name = "layer_norm",
     .build = affine,
     .inputs = {OP_IN(-2, 3, 2, 3, 7), OP_IN_F32(-1, 1, 7), OP_IN_F32(-1, 1, 7)}},
    {.name = "layer_norm.plain", .build = plain, .inputs = {OP_IN(-2, 3, 5, 6)}},
    {.name = "layer_norm.large",
     .build = affine,
     .inputs = {OP_IN(-2, 3, 67, 141), OP_IN_F32(-1, 1, 141), OP_IN_F32(-1, 1, 141)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *x = OP_F32(g, 3, 6), *c = OP_F32(g, 6);
  switch (i) {
  case 0: return sumi_layer_norm(g, x, OP_F32(g, 3), c, 1e-5f);
  case 1: return sumi_layer_norm(g, x, NULL, c, 1e-5f);
  default: return sumi_layer_norm(g, x, c, c, -1.0f);
  }
}

OP_CASES(layer_norm, list, bad, {SUMI_SHAPE, "gamma"}, {SUMI_INVALID, "gamma and beta go together"},
         {SUMI_INVALID, "eps -1"});
