#include "ops/harness.h"

static sumi_tensor *to_f32(sumi_graph *g, sumi_tensor *const *x) { return sumi_cast(g, x[0], SUMI_F32); }
static sumi_tensor *through_bf16(sumi_graph *g, sumi_tensor *const *x) { return sumi_cast(g, x[0], SUMI_BF16); }
static sumi_tensor *through_f16(sumi_graph *g, sumi_tensor *const *x) { return sumi_cast(g, x[0], SUMI_F16); }

/* The gradients of casts to 16 bits have been 16 bits wide themselves, unless a fused chain kept them in f32: hence the
 * tolerances, one rounding each. And what is rounded has steps, not slopes. */
static const op_case list[] = {
    {.name = "cast.to_f32", .build = to_f32, .inputs = {OP_IN_INT(SUMI_I32, -100, 100, 3, 5)}, .any_type = true},
    {.name = "cast.from_i64", .build = to_f32, .inputs = {OP_IN_INT(SUMI_I64, -100, 100, 3, 5)}, .any_type = true},
    {.name = "cast.to_bf16",
     .build = through_bf16,
     .inputs = {OP_IN(-2, 2, 3, 5)},
     .any_type = true,
     .golden_tolerance = 4e-3f,
     .f32_tolerance = 4e-3f,
     .no_differences = true},
    {.name = "cast.to_f16",
     .build = through_f16,
     .inputs = {OP_IN(-2, 2, 3, 5)},
     .any_type = true,
     .golden_tolerance = 5e-4f,
     .f32_tolerance = 5e-4f,
     .no_differences = true},
    {.name = "cast.large_bf16",
     .build = through_bf16,
     .inputs = {OP_IN(-2, 2, 5, 7, 613)},
     .any_type = true,
     .f32_tolerance = 4e-3f,
     .no_golden = true},
    {.name = "cast.large_f16",
     .build = through_f16,
     .inputs = {OP_IN(-2, 2, 5, 7, 613)},
     .any_type = true,
     .f32_tolerance = 5e-4f,
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  (void)i;
  return sumi_cast(g, OP_F32(g, 2), SUMI_I32);
}

OP_CASES(cast, list, bad, {SUMI_UNSUPPORTED, "cast to i32"});
