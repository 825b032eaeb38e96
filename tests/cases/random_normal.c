#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_random_normal(g, x[0], SUMI_SHAPE(3, 7));
}
/* The second one of a graph is another stream. */
static sumi_tensor *second(sumi_graph *g, sumi_tensor *const *x) {
  sumi_tensor *a = sumi_random_normal(g, x[0], SUMI_SHAPE(5));
  sumi_tensor *b = sumi_random_normal(g, x[0], SUMI_SHAPE(5));
  return sumi_sub(g, a, b);
}
static sumi_tensor *large(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_random_normal(g, x[0], SUMI_SHAPE(31, 1013));
}

static const op_case list[] = {
    {.name = "random_normal", .build = build, .inputs = {OP_IN_INT(SUMI_I64, 0, 10000000, 2)}},
    {.name = "random_normal.second", .build = second, .inputs = {OP_IN_INT(SUMI_I64, -1000, 1000, 2)}},
    {.name = "random_normal.large", .build = large, .inputs = {OP_IN_INT(SUMI_I64, 0, 10000000, 2)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  switch (i) {
  case 0: return sumi_random_normal(g, OP_I64(g, 3), SUMI_SHAPE(2));
  case 1: return sumi_random_normal(g, OP_I32(g, 2), SUMI_SHAPE(2));
  default: return sumi_random_normal(g, OP_I64(g, 2), SUMI_SHAPE(2, -1));
  }
}

OP_CASES(random_normal, list, bad, {SUMI_SHAPE, "random_normal: the state is i64[3]"},
         {SUMI_SHAPE, "the state is i32[2]"}, {SUMI_SHAPE, "random_normal: its result would have the shape [2, -1]"});
