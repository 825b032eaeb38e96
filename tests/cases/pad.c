#include "ops/harness.h"

static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_pad(g, x[0], (int64_t[]){0, 1, 2}, (int64_t[]){1, 0, 3});
}
static sumi_tensor *picture(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_pad(g, x[0], (int64_t[]){0, 0, 0, 0}, (int64_t[]){0, 1, 1, 0});
}

static const op_case list[] = {
    {.name = "pad", .build = build, .inputs = {OP_IN(-2, 2, 2, 2, 3)}, .any_type = true},
    {.name = "pad.large",
     .build = picture,
     .inputs = {OP_IN(-2, 2, 3, 12, 13, 20)},
     .any_type = true,
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  const int64_t much = i == 0 ? -1 : i == 1 ? INT64_MAX : INT64_C(1) << 58;
  return sumi_pad(g, OP_F32(g, 2, 3), (int64_t[]){0, much}, (int64_t[]){much, 0});
}

OP_CASES(pad, list, bad, {SUMI_SHAPE, "pad: "}, {SUMI_SHAPE, "pad: "}, {SUMI_SHAPE, "pad: its result"});
