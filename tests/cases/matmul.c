#include "ops/harness.h"

static sumi_tensor *nn(sumi_graph *g, sumi_tensor *const *x) { return sumi_matmul(g, x[0], x[1], false, false, NULL); }
static sumi_tensor *nt(sumi_graph *g, sumi_tensor *const *x) { return sumi_matmul(g, x[0], x[1], false, true, x[2]); }
static sumi_tensor *tn(sumi_graph *g, sumi_tensor *const *x) { return sumi_matmul(g, x[0], x[1], true, false, NULL); }
static sumi_tensor *tt(sumi_graph *g, sumi_tensor *const *x) { return sumi_matmul(g, x[0], x[1], true, true, x[2]); }

#define BIAS(n)                                                                                                        \
  { .low = -1, .high = 1, .always_f32 = true, .optional = true, OP_DIMS(n) }

static const op_case list[] = {
    {.name = "matmul", .build = nn, .inputs = {OP_IN(-1, 1, 3, 5), OP_IN(-1, 1, 5, 4)}},
    {.name = "matmul.nt", .build = nt, .inputs = {OP_IN(-1, 1, 2, 3, 5), OP_IN(-1, 1, 2, 4, 5), BIAS(4)}},
    {.name = "matmul.tn", .build = tn, .inputs = {OP_IN(-1, 1, 2, 1, 5, 3), OP_IN(-1, 1, 3, 5, 4)}},
    {.name = "matmul.tt", .build = tt, .inputs = {OP_IN(-1, 1, 5, 3), OP_IN(-1, 1, 2, 4, 5), BIAS(4)}},
    {.name = "matmul.large", .build = nn, .inputs = {OP_IN(-1, 1, 67, 130), OP_IN(-1, 1, 130, 71)}, .no_golden = true},
    {.name = "matmul.large_nt",
     .build = nt,
     .inputs = {OP_IN(-1, 1, 3, 33, 64), OP_IN(-1, 1, 70, 64), OP_IN_F32(-1, 1, 70)},
     .no_golden = true},
    {.name = "matmul.large_tn",
     .build = tn,
     .inputs = {OP_IN(-1, 1, 3, 64, 33), OP_IN(-1, 1, 3, 64, 40)},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *a = OP_F32(g, 2, 3, 5);
  switch (i) {
  case 0: return sumi_matmul(g, a, OP_F32(g, 2, 4, 5), false, false, NULL);
  case 1: return sumi_matmul(g, a, OP_F32(g, 3, 5, 4), false, false, NULL);
  case 2: return sumi_matmul(g, a, OP_F32(g, 5), false, false, NULL);
  default: return sumi_matmul(g, a, OP_F32(g, 5, 4), false, false, OP_F32(g, 5));
  }
}

OP_CASES(matmul, list, bad, {SUMI_SHAPE, "inner sizes 5 and 4 differ"},
         {SUMI_SHAPE, "leading dimensions of [2, 3, 5] and [3, 5, 4] do not broadcast"},
         {SUMI_SHAPE, "expected two dimensions or more"}, {SUMI_SHAPE, "the bias"});
