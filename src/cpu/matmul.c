/* Matrix products through oneDNN. Many rows by one matrix are one product; equal leading dimensions become one. */
#include "cpu/cpu.h"
#include "cpu/product.h"
#include "ops/attrs.h"

/* Below this many rows, packing the right operand anew in each run costs more than it gains. */
enum { PACK_MIN_ROWS = 32 };

static int64_t product_of(const int64_t *dims, int n) {
  int64_t count = 1;
  for (int i = 0; i < n; i++) count *= dims[i];
  return count;
}

static bool same(const int64_t *a, const int64_t *b, int n) {
  for (int i = 0; i < n; i++)
    if (a[i] != b[i]) return false;
  return true;
}

/* The leading dimensions of t, with ones before them up to `n`. */
static void leading(int64_t *out, int n, const sumi_tensor *t) {
  const int own = t->shape.rank - 2;
  for (int i = 0; i < n; i++) out[i] = i < n - own ? 1 : t->shape.dims[i - (n - own)];
}

static sumi_status plan(const sumi__prep *p, sumi_dtype dtype, sumi_dtype c_dtype, sumi__product_plan *out) {
  const sumi__node *node = p->node;
  const sumi__matmul_attrs *at = node->attrs;
  const sumi_tensor *a = node->inputs[0], *b = node->inputs[1], *y = node->outputs[0];
  sumi__dnn_matmul s = {.batch_dims = y->shape.rank - 2,
                        .m = y->shape.dims[y->shape.rank - 2],
                        .n = y->shape.dims[y->shape.rank - 1],
                        .k = a->shape.dims[a->shape.rank - (at->transpose_a ? 2 : 1)],
                        .transpose_a = at->transpose_a,
                        .transpose_b = at->transpose_b,
                        .dtype = dtype,
                        .c_dtype = c_dtype,
                        .bias = sumi__operands(node) == 3,
                        .adds = sumi__product_adds_inside(p, c_dtype)};
  leading(s.batch_a, s.batch_dims, a);
  leading(s.batch_b, s.batch_dims, b);
  const bool one_b = product_of(s.batch_b, s.batch_dims) == 1;
  if (one_b && (!s.transpose_a || product_of(s.batch_a, s.batch_dims) == 1)) {
    s.m *= product_of(s.batch_a, s.batch_dims);
    s.batch_dims = 0;
    s.pack = s.m >= PACK_MIN_ROWS;
  } else if (same(s.batch_a, s.batch_b, s.batch_dims)) {
    s.batch_a[0] = s.batch_b[0] = product_of(s.batch_a, s.batch_dims);
    s.batch_dims = 1;
  }
  if (!sumi__isa_limited(p->ctx)) return sumi__dnn_matmul_create(p->ctx, &s, &out->dnn);
  if (dtype != SUMI_F32 || c_dtype != SUMI_F32) return SUMI_UNSUPPORTED;
  return sumi__taps_matmul_create(p->ctx, &s, &out->taps);
}

static sumi_status prepare(sumi__prep *p) { return sumi__product_prepare(p, plan, false); }

const sumi__kernel sumi__cpu_matmul_library = {.prepare = prepare,
                                               .pack = sumi__product_pack,
                                               .pack_lent = sumi__product_pack_lent,
                                               .run = sumi__product_run,
                                               .destroy = sumi__product_destroy};
