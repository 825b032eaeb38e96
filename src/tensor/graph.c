#include "tensor/graph.h"

#include "ops/ops.h"
#include "tensor/load.h"

#include <stdio.h>
#include <string.h>

sumi_status sumi_graph_create(sumi_context *ctx, sumi_graph **out) {
  *out = NULL;
  sumi_graph *g = sumi__alloc_zero(ctx, sizeof *g);
  if (!g) return SUMI_NO_MEMORY;
  g->ctx = ctx;
  g->owners = 1;
  sumi__arena_init(&g->arena, ctx);
  *out = g;
  return SUMI_OK;
}

void sumi_graph_free(sumi_graph *g) {
  if (!g || --g->owners > 0) return;
  sumi_context *ctx = g->ctx;
  sumi__arena_free(&g->arena);
  sumi__free(ctx, g->nodes);
  sumi__free(ctx, g);
}

sumi_status sumi_graph_status(const sumi_graph *g) {
  if (g->status != SUMI_OK) sumi__fail(g->ctx, g->status, "%s", g->error);
  return g->status;
}

void sumi_graph_set_compute(sumi_graph *g, sumi_dtype dtype) {
  if (dtype != SUMI_F32 && dtype != SUMI_BF16) {
    sumi__graph_fail(g, SUMI_UNSUPPORTED, "compute type %s: expected f32 or bf16", sumi_dtype_name(dtype));
    return;
  }
  g->compute = dtype;
}

void sumi_segment_begin(sumi_graph *g) { g->segment = ++g->n_segments; }
void sumi_segment_end(sumi_graph *g) { g->segment = 0; }

sumi_dtype sumi_tensor_dtype(const sumi_tensor *t) { return t->dtype; }
sumi_shape sumi_tensor_shape(const sumi_tensor *t) { return t->shape; }

bool sumi__graph_fail(sumi_graph *g, sumi_status code, const char *format, ...) {
  if (g->status != SUMI_OK) return false;
  g->status = code;
  va_list args;
  va_start(args, format);
  vsnprintf(g->error, sizeof g->error, format, args);
  va_end(args);
  return false;
}

static void *graph_memory(sumi_graph *g, void *memory) {
  if (!memory) sumi__graph_fail(g, SUMI_NO_MEMORY, "%s", g->ctx->error);
  return memory;
}

bool sumi__declare(sumi_graph *g, sumi__node *n, int i, sumi_dtype dtype, sumi_shape shape) {
  SUMI__INFER(g, sumi__shape_valid(&shape), SUMI_SHAPE, "%s: its result would have the shape %s", n->op->name,
              SUMI__SHAPE_STR(&shape));
  sumi_tensor *t = graph_memory(g, sumi__arena_alloc(&g->arena, sizeof *t));
  if (!t) return false;
  t->graph = g;
  t->node = n;
  t->output = i;
  t->id = g->n_tensors++;
  t->dtype = dtype;
  t->shape = shape;
  n->outputs[i] = t;
  if (n->n_outputs <= i) n->n_outputs = i + 1;
  return true;
}

bool sumi__inputs_given(sumi_graph *g, const char *who, int n, sumi_tensor *const *inputs) {
  for (int i = 0; i < n; i++) SUMI__INFER(g, inputs[i], SUMI_INVALID, "%s: input %d is NULL", who, i);
  return true;
}

static bool inputs_usable(sumi_graph *g, const sumi__op *op, int n_inputs, sumi_tensor *const *inputs) {
  if (g->status != SUMI_OK) return false;
  SUMI__INFER(g, n_inputs <= SUMI__MAX_INPUTS, SUMI_UNSUPPORTED, "%s: %d inputs, at most %d are possible", op->name,
              n_inputs, (int)SUMI__MAX_INPUTS);
  if (!sumi__inputs_given(g, op->name, n_inputs, inputs)) return false;
  for (int i = 0; i < n_inputs; i++) {
    SUMI__INFER(g, inputs[i]->graph == g, SUMI_INVALID, "%s: input %d belongs to another graph", op->name, i);
  }
  return true;
}

int64_t sumi__addend_repeats(const sumi__node *n) {
  return n->adds ? sumi__count(n->outputs[0]) / sumi__count(sumi__addend(n)) : 1;
}

sumi_tensor *sumi__build(sumi_graph *g, const sumi__op *op, int n_inputs, sumi_tensor *const *inputs, const void *attrs,
                         size_t attrs_bytes) {
  if (!inputs_usable(g, op, n_inputs, inputs)) return NULL;
  sumi__node *n = graph_memory(g, sumi__arena_alloc(&g->arena, sizeof *n));
  if (!n) return NULL;
  n->op = op;
  n->n_inputs = n_inputs;
  n->attrs_bytes = attrs_bytes;
  n->segment = g->segment;
  n->inputs = graph_memory(g, sumi__arena_copy(&g->arena, inputs, (size_t)n_inputs * sizeof *inputs));
  n->attrs = graph_memory(g, sumi__arena_copy(&g->arena, attrs, attrs_bytes));
  if (!n->inputs || !n->attrs) return NULL;
  if (!op->infer(g, n)) return NULL;
  if (sumi__grow(g->ctx, (void **)&g->nodes, &g->nodes_capacity, g->n_nodes + 1, sizeof *g->nodes) != SUMI_OK) {
    sumi__graph_fail(g, SUMI_NO_MEMORY, "%s", g->ctx->error);
    return NULL;
  }
  n->id = (int)g->n_nodes;
  g->nodes[g->n_nodes++] = n;
  return n->outputs[0];
}

/* ---- Leaves ---- */

static bool infer_leaf(sumi_graph *g, sumi__node *n) {
  const sumi__leaf_attrs *a = n->attrs;
  SUMI__INFER(g, sumi_dtype_bytes(a->dtype) > 0, SUMI_INVALID, "%s: there is no type %d", n->op->name, (int)a->dtype);
  return sumi__declare(g, n, 0, a->dtype, a->shape);
}

const sumi__op sumi__op_input = {.name = "input", .flags = SUMI__OP_LEAF | SUMI__OP_NO_FOLD, .infer = infer_leaf};
const sumi__op sumi__op_param = {.name = "param", .flags = SUMI__OP_LEAF, .infer = infer_leaf};
const sumi__op sumi__op_constant = {.name = "constant", .flags = SUMI__OP_LEAF, .infer = infer_leaf};

static sumi_tensor *leaf(sumi_graph *g, const sumi__op *op, const char *name, const sumi__leaf_attrs *attrs) {
  sumi_tensor *t = sumi__build(g, op, 0, NULL, attrs, sizeof *attrs);
  if (t && name) t->node->name = graph_memory(g, sumi__arena_strdup(&g->arena, name));
  return t;
}

sumi_tensor *sumi_input(sumi_graph *g, const char *name, sumi_dtype dtype, sumi_shape shape) {
  return leaf(g, &sumi__op_input, name, &(sumi__leaf_attrs){dtype, shape, NULL});
}

sumi_tensor *sumi_param(sumi_graph *g, sumi_weights *weights, const char *name) {
  const int64_t i = sumi_weights_find(weights, name);
  if (i < 0) {
    sumi__graph_fail(g, SUMI_NOT_FOUND, "there is no parameter '%s' among the weights", name);
    return NULL;
  }
  const sumi__weight *w = sumi__weights_at(weights, (size_t)i);
  if (w->lent) return sumi__load(g, weights, w, SUMI_F32);
  for (size_t k = 0; k < g->n_nodes; k++) { /* the same name gives the same tensor */
    const sumi__node *n = g->nodes[k];
    if (n->op == &sumi__op_param && ((const sumi__leaf_attrs *)n->attrs)->data == w->data) return n->outputs[0];
  }
  return leaf(g, &sumi__op_param, name, &(sumi__leaf_attrs){w->dtype, w->shape, w->data});
}

sumi_tensor *sumi_constant(sumi_graph *g, sumi_dtype dtype, sumi_shape shape, const void *data) {
  if (!sumi__shape_valid(&shape)) {
    sumi__graph_fail(g, SUMI_SHAPE, "constant: the shape is not valid");
    return NULL;
  }
  const size_t bytes = (size_t)sumi_shape_count(&shape) * sumi_dtype_bytes(dtype);
  void *copy = graph_memory(g, sumi__arena_copy(&g->arena, data, bytes));
  return copy ? leaf(g, &sumi__op_constant, NULL, &(sumi__leaf_attrs){dtype, shape, copy}) : NULL;
}

/* ---- Helpers of operators ---- */

sumi_tensor *sumi__full(sumi_graph *g, sumi_dtype dtype, sumi_shape shape, float value) {
  sumi_tensor *one = sumi_constant(g, SUMI_F32, SUMI_SCALAR, &value);
  return sumi_cast(g, sumi_broadcast(g, one, shape), dtype);
}

sumi_tensor *sumi__reduce_to(sumi_graph *g, sumi_tensor *t, const sumi_shape *shape) {
  if (!t || sumi_shape_equal(&t->shape, shape)) return t;
  int axes[SUMI_MAX_RANK], n = 0;
  for (int i = 0; i < t->shape.rank; i++) {
    const int j = i - (t->shape.rank - shape->rank);
    if (j < 0 || (shape->dims[j] == 1 && t->shape.dims[i] != 1)) axes[n++] = i;
  }
  return sumi_reshape(g, n ? sumi_sum(g, t, n, axes, false) : t, *shape);
}

sumi_tensor *sumi__float_cast(sumi_graph *g, sumi_tensor *t, sumi_dtype dtype) {
  return t && !sumi__is_float(t->dtype) ? t : sumi_cast(g, t, dtype);
}

sumi_tensor *sumi__compute_cast(sumi_graph *g, sumi_tensor *t) {
  if (t && t->node->op == &sumi__op_load) return sumi__load_as(g, t, g->compute);
  return sumi__float_cast(g, t, g->compute);
}
