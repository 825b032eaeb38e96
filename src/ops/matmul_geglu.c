/* geglu of a product of rows with a matrix: p = A B + bias (M, 2D), y[m, j] = p[m, j] gelu(p[m, D + j]) (M, D). The
 * compiler makes it of the two, so that p is never written whole.
 * Its attributes are the product's. */
#include "ops/ops.h"

#include <math.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  (void)n;
  return sumi__graph_fail(g, SUMI_INVALID, "matmul_geglu is made by the compiler alone");
}

static int64_t inner_size(const sumi__node *n) { return n->inputs[0]->shape.dims[1]; }

static double element(const sumi__call *c, int64_t row, int64_t column) {
  const sumi__node *n = c->node;
  const bool transposed = ((const sumi__matmul_attrs *)n->attrs)->transpose_b;
  const int64_t k = inner_size(n), columns = 2 * n->outputs[0]->shape.dims[1];
  const float *a = (const float *)c->in[0] + row * k, *b = c->in[1];
  double sum = n->n_inputs > 2 ? (double)((const float *)c->in[2])[column] : 0.0;
  for (int64_t i = 0; i < k; i++) sum += (double)a[i] * (double)b[transposed ? column * k + i : i * columns + column];
  return sum;
}

static sumi_status reference(const sumi__call *c) {
  const int64_t *dims = c->node->outputs[0]->shape.dims;
  float *y = c->out[0];
  for (int64_t row = 0; row < dims[0]; row++)
    for (int64_t j = 0; j < dims[1]; j++) {
      const double gate = element(c, row, dims[1] + j);
      *y++ = (float)(element(c, row, j) * gate * 0.5 * (1.0 + erf(gate * 0.70710678118654752)));
    }
  return SUMI_OK;
}

/* The product's. */
static double flops(const sumi__node *n) { return 4.0 * (double)sumi__count(n->outputs[0]) * (double)inner_size(n); }

const sumi__op sumi__op_matmul_geglu = {.name = "matmul_geglu", .infer = infer, .reference = reference, .flops = flops};
