/* Reverse-mode differentiation: walks the nodes from the loss backwards and asks each operator for its gradient as
 * nodes of the same graph. A segment (sumi_segment_begin) is built a second time when the walk comes to its last node,
 * and its gradient made of the copies: programs run nodes in the order in which they were made, so that the copies'
 * values live no longer than the segment's own gradient takes (T. Chen et al., "Training deep nets with sublinear
 * memory cost", 2016). */
#include "ops/ops.h"

#include <string.h>

typedef struct pass {
  sumi_graph *g;
  int n_before;        /* tensors that existed before the gradient's own */
  bool *depends;       /* by tensor: on one of the x */
  sumi_tensor **grads; /* by tensor: d loss / d tensor so far */
  sumi_tensor **again; /* by tensor: its second making, where there is one */
  int segment;         /* that was made again last */
} pass;

static void mark_dependents(pass *p, size_t n_nodes, int n, sumi_tensor *const *x) {
  for (int i = 0; i < n; i++) p->depends[x[i]->id] = true;
  for (size_t k = 0; k < n_nodes; k++) {
    const sumi__node *node = p->g->nodes[k];
    bool any = false;
    for (int i = 0; i < node->n_inputs; i++) any |= p->depends[node->inputs[i]->id];
    if (!any || (node->op->flags & SUMI__OP_NO_GRAD)) continue;
    for (int i = 0; i < node->n_outputs; i++)
      if (sumi__is_float(node->outputs[i]->dtype)) p->depends[node->outputs[i]->id] = true;
  }
}

static void accumulate(pass *p, sumi_tensor *t, sumi_tensor *dt) {
  if (!dt) return;
  /* A gradient on its way through a cast (a bf16 copy of an f32 weight) stays as precise as it came. */
  if (t->node->op != &sumi__op_cast || dt->dtype != SUMI_F32) dt = sumi_cast(p->g, dt, t->dtype);
  if (dt && !sumi_shape_equal(&dt->shape, &t->shape)) {
    sumi__graph_fail(p->g, SUMI_SHAPE, "gradient of an input of %s has the shape %s, expected %s", t->node->op->name,
                     SUMI__SHAPE_STR(&dt->shape), SUMI__SHAPE_STR(&t->shape));
    return;
  }
  p->grads[t->id] = p->grads[t->id] ? sumi_add(p->g, p->grads[t->id], dt) : dt;
}

/* ---- Segments ---- */

/* Makes a node again, of inputs that were made again where they are the segment's own. */
static void make_again(pass *p, const sumi__node *node) {
  sumi_tensor *inputs[SUMI__MAX_INPUTS];
  if (node->op->flags & SUMI__OP_LEAF) return;
  for (int i = 0; i < node->n_inputs; i++) {
    sumi_tensor *again = p->again[node->inputs[i]->id];
    inputs[i] = again ? again : node->inputs[i];
  }
  const sumi_tensor *first = sumi__build(p->g, node->op, node->n_inputs, inputs, node->attrs, node->attrs_bytes);
  for (int i = 0; first && i < node->n_outputs; i++) p->again[node->outputs[i]->id] = first->node->outputs[i];
}

/* The node that the gradient of `node` is made of. */
static const sumi__node *kept_or_again(pass *p, const sumi__node *node) {
  if (node->segment == 0) return node;
  if (node->segment != p->segment) {
    int first = node->id;
    while (first > 0 && p->g->nodes[first - 1]->segment == node->segment) first--;
    for (int k = first; k <= node->id; k++) make_again(p, p->g->nodes[k]);
    p->segment = node->segment;
  }
  const sumi_tensor *again = p->again[node->outputs[0]->id];
  return again ? again->node : node;
}

static void differentiate(pass *p, const sumi__node *node) {
  sumi_tensor *dy[SUMI__MAX_OUTPUTS] = {NULL}, *dx[SUMI__MAX_INPUTS] = {NULL};
  bool need[SUMI__MAX_INPUTS] = {false}, any_dy = false, any_need = false;
  if (node->op->flags & (SUMI__OP_LEAF | SUMI__OP_NO_GRAD)) return;
  for (int i = 0; i < node->n_outputs; i++) any_dy |= (dy[i] = p->grads[node->outputs[i]->id]) != NULL;
  for (int i = 0; i < node->n_inputs; i++) any_need |= need[i] = p->depends[node->inputs[i]->id];
  if (!any_dy || !any_need) return;
  if (!node->op->grad) {
    sumi__graph_fail(p->g, SUMI_UNSUPPORTED, "operator %s has no gradient", node->op->name);
    return;
  }
  const sumi__node *values = kept_or_again(p, node);
  if (p->g->status != SUMI_OK) return;
  node->op->grad(p->g, values, dy, need, dx);
  for (int i = 0; i < node->n_inputs; i++)
    if (need[i]) accumulate(p, node->inputs[i], dx[i]);
}

sumi_status sumi_grad(sumi_graph *g, sumi_tensor *loss, int n, sumi_tensor *const *x, sumi_tensor **dx) {
  sumi_status status = SUMI_OK;
  pass p = {.g = g};
  for (int i = 0; i < n; i++) dx[i] = NULL;
  SUMI_TRY(sumi_graph_status(g));
  SUMI_CHECK(g->ctx, loss && loss->graph == g, SUMI_INVALID, "gradient: the loss is not a tensor of this graph");
  SUMI_CHECK(g->ctx, sumi__count(loss) == 1, SUMI_SHAPE, "gradient: the loss has the shape %s, expected one number",
             SUMI__SHAPE_STR(&loss->shape));
  for (int i = 0; i < n; i++)
    SUMI_CHECK(g->ctx, x[i] && x[i]->graph == g && sumi__is_float(x[i]->dtype), SUMI_INVALID,
               "gradient: x[%d] is not a floating-point tensor of this graph", i);
  p.n_before = g->n_tensors;
  p.depends = sumi__alloc_array(g->ctx, (size_t)p.n_before, sizeof *p.depends);
  p.grads = sumi__alloc_array(g->ctx, (size_t)p.n_before, sizeof *p.grads);
  p.again = sumi__alloc_array(g->ctx, (size_t)p.n_before, sizeof *p.again);
  SUMI_CHECK(g->ctx, p.depends && p.grads && p.again, SUMI_NO_MEMORY, "gradient: out of memory");

  const int last = loss->node->id;
  mark_dependents(&p, (size_t)last + 1, n, x);
  p.grads[loss->id] = sumi__full(g, loss->dtype, loss->shape, 1.0f);
  for (int k = last; k >= 0 && g->status == SUMI_OK; k--) differentiate(&p, g->nodes[k]);
  for (int i = 0; i < n; i++) {
    sumi_tensor *grad = p.grads[x[i]->id];
    dx[i] = grad ? sumi_cast(g, grad, x[i]->dtype) : sumi__full(g, x[i]->dtype, x[i]->shape, 0.0f);
  }
  SUMI_TRY(sumi_graph_status(g));
done:
  sumi__free(g->ctx, p.depends);
  sumi__free(g->ctx, p.grads);
  sumi__free(g->ctx, p.again);
  return status;
}
