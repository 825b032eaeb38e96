#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) { return sumi_geglu(g, x[0]); }

static const op_case list[] = {
    {.name = "geglu", .build = build, .inputs = {OP_IN(-3, 3, 2, 3, 10)}},
    {.name = "geglu.large", .build = build, .inputs = {OP_IN(-3, 3, 5, 17, 282)}, .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  return sumi_geglu(g, i == 0 ? OP_F32(g, 2, 3) : sumi_input(g, NULL, SUMI_F32, SUMI_SCALAR));
}

OP_CASES(geglu, list, bad, {SUMI_SHAPE, "geglu: x is f32[2, 3]"}, {SUMI_SHAPE, "geglu: x is f32[]"});
