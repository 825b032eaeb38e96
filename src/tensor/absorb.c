/* Operators that a product does on its way, so that what lies between the two, which is larger than either end, is
 * never written. Whoever else reads it, a gradient say, still gets it from the operator's own node. */
#include "ops/ops.h"
#include "tensor/passes.h"

typedef struct absorber {
  sumi_graph *g;
  const bool *keep; /* by tensor */
  int *readers;     /* by tensor */
} absorber;

/* ---- Nearest upsampling by two, before a convolution ---- */

static bool doubles(const sumi__node *n) {
  const sumi__upsample_attrs *a = n->attrs;
  return n->op == &sumi__op_upsample_nearest && a->factor_h == 2 && a->factor_w == 2;
}

static bool keeps_size(const sumi__node *n) {
  const sumi__conv_attrs *a = n->attrs;
  return a->kernel_h == 3 && a->kernel_w == 3 && a->stride_h == 1 && a->stride_w == 1 && a->dilation_h == 1 &&
         a->dilation_w == 1 && a->groups == 1 && a->pad_top == 1 && a->pad_left == 1 && a->pad_bottom == 1 &&
         a->pad_right == 1;
}

/* Nine products for four results are half as fast as the 36 that libraries do by the processor's tiles. */
static bool pays(const absorber *w, const sumi__node *conv) {
  return !w->g->ctx->tiles || conv->inputs[0]->dtype != SUMI_BF16;
}

static void absorb_upsampling(absorber *w, sumi__node *conv) {
  const sumi_tensor *large = conv->inputs[0];
  if (!doubles(large->node) || !keeps_size(conv) || !pays(w, conv)) return;
  sumi_tensor *small = large->node->inputs[0];
  conv->op = &sumi__op_conv2d_upsampled;
  conv->inputs[0] = small;
  w->readers[large->id]--;
  w->readers[small->id]++;
}

/* ---- GEGLU, after a product of rows by a matrix ---- */

static bool read_once(const absorber *w, const sumi_tensor *t) { return w->readers[t->id] == 1 && !w->keep[t->id]; }

/* The product whose rows t has, if nobody else reads them; else NULL. */
static sumi__node *product_of(const absorber *w, const sumi_tensor *t) {
  const int64_t columns = t->shape.dims[t->shape.rank - 1];
  while (t->node->op == &sumi__op_reshape && read_once(w, t)) t = t->node->inputs[0];
  sumi__node *n = t->node;
  if (n->op != &sumi__op_matmul || !read_once(w, t)) return NULL;
  const sumi__matmul_attrs *a = n->attrs;
  const bool rows_by_matrix = n->inputs[0]->shape.rank == 2 && n->inputs[1]->shape.rank == 2 && !a->transpose_a;
  return rows_by_matrix && t->shape.dims[1] == columns ? n : NULL;
}

static sumi_status absorb_geglu(absorber *w, sumi__node *geglu) {
  sumi__node *product = product_of(w, geglu->inputs[0]);
  if (!product) return SUMI_OK;
  sumi_shape *shape = sumi__arena_copy(&w->g->arena, &geglu->outputs[0]->shape, sizeof *shape);
  if (!shape) return SUMI_NO_MEMORY;
  w->readers[geglu->inputs[0]->id]--;
  w->readers[product->outputs[0]->id]++;
  product->op = &sumi__op_matmul_geglu;
  product->outputs[0]->shape.dims[1] /= 2;
  geglu->op = &sumi__op_reshape;
  geglu->attrs = shape;
  geglu->attrs_bytes = sizeof *shape;
  geglu->inputs[0] = product->outputs[0];
  return SUMI_OK;
}

sumi_status sumi__absorb_neighbours(sumi_graph *g, const bool *keep) {
  sumi_status status = SUMI_OK;
  absorber w = {.g = g, .keep = keep};
  w.readers = sumi__alloc_array(g->ctx, (size_t)g->n_tensors, sizeof *w.readers);
  if (!w.readers) return SUMI_NO_MEMORY;
  sumi__count_readers(g, w.readers);
  for (size_t k = 0; k < g->n_nodes; k++) {
    sumi__node *n = g->nodes[k];
    if (n->op == &sumi__op_conv2d) absorb_upsampling(&w, n);
    if (n->op == &sumi__op_geglu) SUMI_TRY(absorb_geglu(&w, n));
  }
  sumi__remove_unread(g, keep, w.readers);
done:
  sumi__free(g->ctx, w.readers);
  return status;
}
