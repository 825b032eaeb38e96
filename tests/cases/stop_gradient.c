#include "ops/harness.h"

/* Half of the gradient is stopped. */
static sumi_tensor *build(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_mul(g, sumi_stop_gradient(g, sumi_square(g, x[0])), x[0]);
}

static const op_case list[] = {
    {.name = "stop_gradient", .build = build, .inputs = {OP_IN(-2, 2, 3, 5)}, .no_differences = true},
};

OP_CASES(stop_gradient, list, NULL, OP_NO_FAULTS);
