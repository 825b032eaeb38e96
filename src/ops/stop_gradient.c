/* The same value, behind which differentiation does not look: a view, nothing runs. */
#include "ops/ops.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  return sumi__declare(g, n, 0, n->inputs[0]->dtype, n->inputs[0]->shape);
}

static bool view(const sumi__node *n, size_t *offset) {
  (void)n;
  *offset = 0;
  return true;
}

const sumi__op sumi__op_stop_gradient = {
    .name = "stop_gradient", .flags = SUMI__OP_NO_GRAD, .infer = infer, .view = view};

sumi_tensor *sumi_stop_gradient(sumi_graph *g, sumi_tensor *x) {
  return sumi__unary(g, &sumi__op_stop_gradient, x, NULL, 0);
}
