/* Dropout (Srivastava et al. 2014): each element is zero with probability p, the others are scaled by 1/(1-p), so that
 * the mean stays. dx = the same dropout, with the same numbers, of dy. */
#include "ops/ops.h"
#include "ops/random.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__random_attrs *a = n->attrs;
  const sumi_tensor *x = n->inputs[0];
  SUMI__INFER(g, sumi__is_float(x->dtype), SUMI_SHAPE, "dropout: operand is %s, expected f32, bf16 or f16",
              sumi_dtype_name(x->dtype));
  SUMI__INFER(g, a->p >= 0.0f && a->p < 1.0f, SUMI_INVALID, "dropout: p is %g, expected 0 or more, below 1",
              (double)a->p);
  return sumi__infer_random_state(g, n->op, n->inputs[1]) && sumi__declare(g, n, 0, x->dtype, x->shape);
}

static sumi_status reference(const sumi__call *c) {
  const sumi__random_attrs *a = c->node->attrs;
  const int64_t count = sumi__count(c->node->outputs[0]);
  const float *x = c->in[0], scale = 1.0f / (1.0f - a->p);
  float *y = c->out[0];
  uint32_t lanes[4] = {0};
  for (int64_t i = 0; i < count; i++) {
    if (i % 4 == 0) sumi__random_block(c->in[1], a->stream, i / 4, lanes);
    y[i] = sumi__random_keeps(lanes[i % 4], a->p) ? x[i] * scale : 0.0f;
  }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  sumi_tensor *const inputs[] = {dy[0], n->inputs[1]};
  if (need[0]) dx[0] = sumi__build(g, n->op, 2, inputs, n->attrs, n->attrs_bytes);
}

const sumi__op sumi__op_dropout = {.name = "dropout", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_dropout(sumi_graph *g, sumi_tensor *x, sumi_tensor *state, float p) {
  const sumi__random_attrs a = {.stream = g->n_streams++, .p = p};
  return sumi__build(g, &sumi__op_dropout, 2, (sumi_tensor *[]){x, state}, &a, sizeof a);
}
