/* Random numbers as operators: Philox4x32-10 of the state, the node's stream and the element's index (ops/random.h).
 * No gradient flows to the state. */
#include "ops/random.h"
#include "ops/ops.h"

bool sumi__infer_random_state(sumi_graph *g, const sumi__op *op, const sumi_tensor *state) {
  SUMI__INFER(g, state->dtype == SUMI_I64 && state->shape.rank == 1 && state->shape.dims[0] == 2, SUMI_SHAPE,
              "%s: the state is %s%s, expected i64[2], a seed and a counter", op->name, sumi_dtype_name(state->dtype),
              SUMI__SHAPE_STR(&state->shape));
  return true;
}

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__random_attrs *a = n->attrs;
  return sumi__infer_random_state(g, n->op, n->inputs[0]) && sumi__declare(g, n, 0, SUMI_F32, a->shape);
}

static sumi_tensor *build(sumi_graph *g, const sumi__op *op, sumi_tensor *state, sumi_shape shape) {
  sumi__random_attrs a = {.stream = g->n_streams++, .shape = shape};
  return sumi__build(g, op, 1, &state, &a, sizeof a);
}

static sumi_status uniform(const sumi__call *c) {
  const sumi__random_attrs *a = c->node->attrs;
  const int64_t count = sumi__count(c->node->outputs[0]);
  float *y = c->out[0];
  uint32_t lanes[4] = {0};
  for (int64_t i = 0; i < count; i++) {
    if (i % 4 == 0) sumi__random_block(c->in[0], a->stream, i / 4, lanes);
    y[i] = sumi__random_unit(lanes[i % 4]);
  }
  return SUMI_OK;
}

static sumi_status normal(const sumi__call *c) {
  const sumi__random_attrs *a = c->node->attrs;
  const int64_t count = sumi__count(c->node->outputs[0]);
  float *y = c->out[0], four[4] = {0};
  uint32_t lanes[4];
  for (int64_t i = 0; i < count; i++) {
    if (i % 4 == 0) {
      sumi__random_block(c->in[0], a->stream, i / 4, lanes);
      sumi__random_normals(lanes[0], lanes[1], four);
      sumi__random_normals(lanes[2], lanes[3], four + 2);
    }
    y[i] = four[i % 4];
  }
  return SUMI_OK;
}

const sumi__op sumi__op_random_uniform = {
    .name = "random_uniform", .flags = SUMI__OP_NO_GRAD, .infer = infer, .reference = uniform};
const sumi__op sumi__op_random_normal = {
    .name = "random_normal", .flags = SUMI__OP_NO_GRAD, .infer = infer, .reference = normal};

sumi_tensor *sumi_random_uniform(sumi_graph *g, sumi_tensor *state, sumi_shape shape) {
  return build(g, &sumi__op_random_uniform, state, shape);
}

sumi_tensor *sumi_random_normal(sumi_graph *g, sumi_tensor *state, sumi_shape shape) {
  return build(g, &sumi__op_random_normal, state, shape);
}
