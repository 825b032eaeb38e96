#include "ops/harness.h"

#include <math.h>

static sumi_tensor *plain(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_attention(g, x[0], x[1], x[2], NULL, 0.0f, false);
}
static sumi_tensor *causal(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_attention(g, x[0], x[1], x[2], NULL, 0.3f, true);
}
static sumi_tensor *masked(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_attention(g, x[0], x[1], x[2], x[3], 0.0f, false);
}

static const op_case list[] = {
    {.name = "attention",
     .build = plain,
     .inputs = {OP_IN(-2, 2, 2, 3, 2, 4), OP_IN(-2, 2, 2, 5, 2, 4), OP_IN(-2, 2, 2, 5, 2, 4)}},
    {.name = "attention.causal",
     .build = causal,
     .inputs = {OP_IN(-2, 2, 1, 4, 2, 3), OP_IN(-2, 2, 1, 4, 2, 3), OP_IN(-2, 2, 1, 4, 2, 3)}},
    {.name = "attention.masked",
     .build = masked,
     .inputs = {OP_IN(-2, 2, 2, 3, 2, 4),
                OP_IN(-2, 2, 2, 5, 2, 4),
                OP_IN(-2, 2, 2, 5, 2, 4),
                {.low = -3, .high = 3, .always_f32 = true, .no_grad = true, .optional = true, OP_DIMS(2, 1, 1, 5)}}},
    {.name = "attention.large",
     .build = plain,
     .inputs = {OP_IN(-2, 2, 2, 67, 3, 20), OP_IN(-2, 2, 2, 77, 3, 20), OP_IN(-2, 2, 2, 77, 3, 20)},
     .no_golden = true},
    {.name = "attention.large_causal",
     .build = causal,
     .inputs = {OP_IN(-2, 2, 2, 77, 2, 32), OP_IN(-2, 2, 2, 77, 2, 32), OP_IN(-2, 2, 2, 77, 2, 32)},
     .no_golden = true},
    {.name = "attention.large_masked",
     .build = masked,
     .inputs = {OP_IN(-2, 2, 1, 131, 2, 16),
                OP_IN(-2, 2, 1, 140, 2, 16),
                OP_IN(-2, 2, 1, 140, 2, 16),
                {.low = -3, .high = 3, .always_f32 = true, .no_grad = true, OP_DIMS(131, 140)}},
     .no_golden = true},
};

static sumi_tensor *bad(sumi_graph *g, int i) {
  sumi_tensor *q = OP_F32(g, 2, 3, 2, 4), *k = OP_F32(g, 2, 5, 2, 4);
  switch (i) {
  case 0: return sumi_attention(g, q, OP_F32(g, 2, 5, 2, 3), k, NULL, 0.0f, false);
  case 1: return sumi_attention(g, q, k, OP_F32(g, 2, 4, 2, 4), NULL, 0.0f, false);
  case 2: return sumi_attention(g, OP_F32(g, 3, 2, 4), k, k, NULL, 0.0f, false);
  case 3: return sumi_attention(g, q, k, k, OP_F32(g, 3, 4), 0.0f, false);
  default: return sumi_attention(g, q, k, k, NULL, INFINITY, false);
  }
}

OP_CASES(attention, list, bad, {SUMI_SHAPE, "differ"}, {SUMI_SHAPE, "differ"},
         {SUMI_SHAPE, "expected (N, tokens, heads, width) each"}, {SUMI_SHAPE, "the mask is"}, {SUMI_INVALID, "scale"});
