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

static void absorb_upsampling(absorber *w, sumi__node *conv) {
  const sumi_tensor *large = conv->inputs[0];
  if (!doubles(large->node) || !keeps_size(conv)) return;
  sumi_tensor *small = large->node->inputs[0];
  conv->op = &sumi__op_conv2d_upsampled;
  conv->inputs[0] = small;
  w->readers[large->id]--;
  w->readers[small->id]++;
}

sumi_status sumi__absorb_neighbours(sumi_graph *g, const bool *keep) {
  absorber w = {.g = g, .keep = keep};
  w.readers = sumi__alloc_array(g->ctx, (size_t)g->n_tensors, sizeof *w.readers);
  if (!w.readers) return SUMI_NO_MEMORY;
  sumi__count_readers(g, w.readers);
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k]->op == &sumi__op_conv2d) absorb_upsampling(&w, g->nodes[k]);
  sumi__remove_unread(g, keep, w.readers);
  sumi__free(g->ctx, w.readers);
  return SUMI_OK;
}
