/* Matrix product over the last two dimensions, Y = A B + bias, with A or B read transposed if asked for; leading
 * dimensions broadcast as in NumPy's matmul.
 *   dA = dY B^T, dB = A^T dY (each transposed again where the operand is stored so), dbias = dY summed.
 * An operand that is an f32 tensor's copy in the compute type gets its gradient in f32: it is a parameter's, as a
 * rule, and small steps of the optimiser would drown in bf16. */
#include "ops/ops.h"

typedef struct sizes {
  int64_t m, n, k_a, k_b;
} sizes;

static sizes sizes_of(const sumi__node *n) {
  const sumi__matmul_attrs *at = n->attrs;
  const sumi_shape *a = &n->inputs[0]->shape, *b = &n->inputs[1]->shape;
  const int64_t a0 = a->dims[a->rank - 2], a1 = a->dims[a->rank - 1];
  const int64_t b0 = b->dims[b->rank - 2], b1 = b->dims[b->rank - 1];
  return (sizes){.m = at->transpose_a ? a1 : a0,
                 .k_a = at->transpose_a ? a0 : a1,
                 .k_b = at->transpose_b ? b1 : b0,
                 .n = at->transpose_b ? b0 : b1};
}

static sumi_shape leading(const sumi_shape *s) { return sumi_shape_make(s->rank - 2, s->dims); }

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__matmul_attrs *at = n->attrs;
  const sumi_tensor *a = n->inputs[0], *b = n->inputs[1];
  SUMI__INFER(g, (a->dtype == SUMI_F32 || a->dtype == SUMI_BF16) && b->dtype == a->dtype, SUMI_SHAPE,
              "matmul: operands are %s and %s, expected both f32 or both bf16", sumi_dtype_name(a->dtype),
              sumi_dtype_name(b->dtype));
  SUMI__INFER(g, a->shape.rank >= 2 && b->shape.rank >= 2, SUMI_SHAPE,
              "matmul: operands are %s and %s, expected two dimensions or more each", SUMI__SHAPE_STR(&a->shape),
              SUMI__SHAPE_STR(&b->shape));
  const sizes s = sizes_of(n);
  SUMI__INFER(g, s.k_a == s.k_b, SUMI_SHAPE, "matmul: %s%s by %s%s: inner sizes %lld and %lld differ",
              SUMI__SHAPE_STR(&a->shape), at->transpose_a ? " transposed" : "", SUMI__SHAPE_STR(&b->shape),
              at->transpose_b ? " transposed" : "", (long long)s.k_a, (long long)s.k_b);
  const sumi_shape la = leading(&a->shape), lb = leading(&b->shape);
  sumi_shape y;
  SUMI__INFER(g, sumi__broadcast_shapes(&la, &lb, &y), SUMI_SHAPE,
              "matmul: leading dimensions of %s and %s do not broadcast", SUMI__SHAPE_STR(&a->shape),
              SUMI__SHAPE_STR(&b->shape));
  if (n->n_inputs > 2 && !sumi__check_input(g, n, 2, "the bias", SUMI_F32, SUMI_SHAPE(s.n))) return false;
  y.dims[y.rank++] = s.m;
  y.dims[y.rank++] = s.n;
  return sumi__declare(g, n, 0, at->dtype, y);
}

static void one_product(const sumi__matmul_attrs *at, const sizes *s, const float *a, const float *b, const float *bias,
                        float *y) {
  for (int64_t i = 0; i < s->m; i++)
    for (int64_t j = 0; j < s->n; j++) {
      double sum = 0.0;
      for (int64_t k = 0; k < s->k_a; k++)
        sum += (double)a[at->transpose_a ? k * s->m + i : i * s->k_a + k] *
               (double)b[at->transpose_b ? j * s->k_a + k : k * s->n + j];
      y[i * s->n + j] = (float)(sum + (bias ? (double)bias[j] : 0.0));
    }
}

static sumi_status reference(const sumi__call *c) {
  const sizes s = sizes_of(c->node);
  const sumi_shape la = leading(&c->node->inputs[0]->shape), lb = leading(&c->node->inputs[1]->shape);
  const sumi_shape ly = leading(&c->node->outputs[0]->shape);
  int64_t stride_a[SUMI_MAX_RANK], stride_b[SUMI_MAX_RANK];
  sumi__broadcast_strides(&la, &ly, stride_a);
  sumi__broadcast_strides(&lb, &ly, stride_b);
  const float *a = c->in[0], *b = c->in[1], *bias = sumi__operands(c->node) > 2 ? c->in[2] : NULL;
  const int64_t count = sumi_shape_count(&ly);
  for (int64_t e = 0; e < count; e++) {
    int64_t rest = e, at_a = 0, at_b = 0;
    for (int d = ly.rank - 1; d >= 0; d--) {
      at_a += rest % ly.dims[d] * stride_a[d];
      at_b += rest % ly.dims[d] * stride_b[d];
      rest /= ly.dims[d];
    }
    one_product(c->node->attrs, &s, a + at_a * s.m * s.k_a, b + at_b * s.k_a * s.n, bias,
                (float *)c->out[0] + e * s.m * s.n);
  }
  return SUMI_OK;
}

static sumi_tensor *product(sumi_graph *g, sumi_tensor *a, sumi_tensor *b, bool transpose_a, bool transpose_b,
                            sumi_tensor *bias, sumi_dtype dtype) {
  return sumi__build(g, &sumi__op_matmul, bias ? 3 : 2, (sumi_tensor *[]){a, b, bias},
                     &(sumi__matmul_attrs){transpose_a, transpose_b, dtype}, sizeof(sumi__matmul_attrs));
}

static sumi_dtype gradient_dtype(const sumi_tensor *t) { return t->node->op == &sumi__op_cast ? SUMI_F32 : t->dtype; }

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__matmul_attrs *at = n->attrs;
  sumi_tensor *a = n->inputs[0], *b = n->inputs[1], *d = sumi_cast(g, dy[0], a->dtype);
  const bool ta = at->transpose_a, tb = at->transpose_b;
  if (need[0]) {
    const sumi_dtype dtype = gradient_dtype(a);
    sumi_tensor *da = ta ? product(g, b, d, tb, true, NULL, dtype) : product(g, d, b, false, !tb, NULL, dtype);
    dx[0] = sumi__reduce_to(g, da, &a->shape);
  }
  if (need[1]) {
    const sumi_dtype dtype = gradient_dtype(b);
    sumi_tensor *db = tb ? product(g, d, a, true, ta, NULL, dtype) : product(g, a, d, !ta, false, NULL, dtype);
    dx[1] = sumi__reduce_to(g, db, &b->shape);
  }
  if (n->n_inputs > 2 && need[2]) dx[2] = sumi__reduce_to(g, dy[0], &n->inputs[2]->shape);
}

static double flops(const sumi__node *n) { return 2.0 * (double)sumi__count(n->outputs[0]) * (double)sizes_of(n).k_a; }

const sumi__op sumi__op_matmul = {
    .name = "matmul", .flags = SUMI__OP_ADDS, .infer = infer, .reference = reference, .grad = grad, .flops = flops};

sumi_tensor *sumi_matmul(sumi_graph *g, sumi_tensor *a, sumi_tensor *b, bool transpose_a, bool transpose_b,
                         sumi_tensor *bias) {
  if (!sumi__inputs_given(g, "matmul", 2, (sumi_tensor *[]){a, b})) return NULL;
  if (a->shape.rank <= 2 || b->shape.rank != 2 || transpose_a)
    return product(g, sumi__compute_cast(g, a), sumi__compute_cast(g, b), transpose_a, transpose_b, bias, g->compute);
  /* Many rows by one matrix: as a single product, and then so is the gradient of b. */
  sumi_shape shape = a->shape;
  sumi_tensor *rows = sumi_reshape(g, a, SUMI_SHAPE(-1, shape.dims[shape.rank - 1]));
  sumi_tensor *y =
      product(g, sumi__compute_cast(g, rows), sumi__compute_cast(g, b), false, transpose_b, bias, g->compute);
  if (!y) return NULL;
  shape.dims[shape.rank - 1] = y->shape.dims[1];
  return sumi_reshape(g, y, shape);
}

sumi_tensor *sumi_linear(sumi_graph *g, sumi_tensor *x, sumi_tensor *w, sumi_tensor *bias) {
  if (!sumi__inputs_given(g, "linear", 2, (sumi_tensor *[]){x, w})) return NULL;
  if (x->shape.rank < 1 || w->shape.rank != 2 || x->shape.dims[x->shape.rank - 1] != w->shape.dims[1]) {
    sumi__graph_fail(g, SUMI_SHAPE, "linear: %s by the weight %s: expected (..., I) and (O, I)",
                     SUMI__SHAPE_STR(&x->shape), SUMI__SHAPE_STR(&w->shape));
    return NULL;
  }
  if (x->shape.rank > 1) return sumi_matmul(g, x, w, false, true, bias);
  sumi_tensor *y = sumi_matmul(g, sumi_reshape(g, x, SUMI_SHAPE(1, x->shape.dims[0])), w, false, true, bias);
  return sumi_reshape(g, y, SUMI_SHAPE(w->shape.dims[0]));
}
