/* Sums that a product makes itself: y = A B + c is written once, and not written, read again with c and written again.
 * The sum's node becomes a view of the product. Where c is made after the product nothing is done: the product would
 * have to wait, and its operands, which may be larger, would be alive so much longer. */
#include "ops/ops.h"
#include "tensor/passes.h"

#include <string.h>

typedef struct folder {
  sumi_graph *g;
  const bool *keep; /* by tensor */
  int *readers;     /* by tensor */
} folder;

static bool read_once(const folder *f, const sumi_tensor *t) { return f->readers[t->id] == 1 && !f->keep[t->id]; }

/* The product whose values t has, under another shape perhaps, if nobody else reads them; else NULL. */
static sumi__node *product_of(const folder *f, const sumi_tensor *t) {
  while (t->node->op == &sumi__op_reshape && read_once(f, t)) t = t->node->inputs[0];
  sumi__node *n = t->node;
  return (n->op->flags & SUMI__OP_ADDS) && !n->adds && read_once(f, t) ? n : NULL;
}

/* Whether c, read as if it were of that shape, is whole rows of it, equally many times each. */
static bool repeats_rows(const sumi_tensor *c, const sumi_shape *shape) {
  const int rank = shape->rank, missing = rank - c->shape.rank;
  bool repeats = false;
  for (int i = 0; i < rank; i++) {
    const int64_t size = i < missing ? 1 : c->shape.dims[i - missing];
    if (size == shape->dims[i] && (!repeats || size == 1 || i == rank - 1)) continue;
    if (size != 1 || i == rank - 1) return false;
    repeats = true;
  }
  return true;
}

/* Whether c is computed while the sum's chain passes over it, and never written, if the sum stays as it is. */
static bool joins_chain(const folder *f, const sumi_tensor *c) {
  const sumi__op *op = c->node->op;
  return op->scalar && (read_once(f, c) || op == &sumi__op_broadcast || op == &sumi__op_cast);
}

static sumi_tensor *without_reshapes(sumi_tensor *t) {
  while (t->node->op == &sumi__op_reshape) t = t->node->inputs[0];
  return t;
}

static bool fits(const folder *f, const sumi__node *product, const sumi__node *sum, sumi_tensor *c) {
  const sumi_tensor *y = product->outputs[0], *total = sum->outputs[0];
  if (without_reshapes(c)->node->id > product->id) return false;
  if (y->dtype != total->dtype || c->dtype != y->dtype || sumi__count(y) != sumi__count(total)) return false;
  if (sumi_shape_equal(&c->shape, &total->shape)) return !joins_chain(f, c);
  return y->shape.dims[y->shape.rank - 1] == total->shape.dims[total->shape.rank - 1] && repeats_rows(c, &total->shape);
}

static sumi_status fold(folder *f, sumi__node *product, sumi__node *sum, sumi_tensor *c) {
  const size_t n = (size_t)product->n_inputs;
  sumi_tensor **inputs = sumi__arena_alloc(&f->g->arena, (n + 1) * sizeof *inputs);
  sumi_shape *shape = sumi__arena_copy(&f->g->arena, &sum->outputs[0]->shape, sizeof *shape);
  if (!inputs || !shape) return SUMI_NO_MEMORY;
  memcpy(inputs, product->inputs, n * sizeof *inputs);
  inputs[n] = c;
  product->inputs = inputs;
  product->n_inputs++;
  product->adds = true;
  sum->op = &sumi__op_reshape;
  sum->attrs = shape;
  sum->attrs_bytes = sizeof *shape;
  sum->inputs[0] = product->outputs[0];
  sum->n_inputs = 1;
  return SUMI_OK;
}

/* Of two products the later one takes the other as its addend. */
static sumi_status fold_sum(folder *f, sumi__node *sum) {
  sumi_tensor *const operands[2] = {sum->inputs[0], sum->inputs[1]};
  for (int i = 0; i < 2; i++) {
    sumi__node *product = product_of(f, operands[i]);
    sumi_tensor *c = without_reshapes(operands[1 - i]);
    if (!product || !fits(f, product, sum, operands[1 - i])) continue;
    f->readers[operands[i]->id]--;
    f->readers[operands[1 - i]->id]--;
    f->readers[product->outputs[0]->id]++;
    f->readers[c->id]++;
    return fold(f, product, sum, c);
  }
  return SUMI_OK;
}

sumi_status sumi__fold_addends(sumi_graph *g, const bool *keep) {
  sumi_status status = SUMI_OK;
  folder f = {.g = g, .keep = keep};
  f.readers = sumi__alloc_array(g->ctx, (size_t)g->n_tensors, sizeof *f.readers);
  if (!f.readers) return SUMI_NO_MEMORY;
  sumi__count_readers(g, f.readers);
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k]->op == &sumi__op_add) SUMI_TRY(fold_sum(&f, g->nodes[k]));
  sumi__remove_unread(g, keep, f.readers); /* reshapes through which sums read their operands */
done:
  sumi__free(g->ctx, f.readers);
  return status;
}
