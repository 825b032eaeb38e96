#include "tensor/passes.h"

#include <string.h>

static void mark_live(const sumi_graph *g, int n, sumi_tensor *const *outputs, bool *live) {
  for (int i = 0; i < n; i++) live[outputs[i]->node->id] = true;
  for (size_t k = g->n_nodes; k-- > 0;) {
    if (!live[k]) continue;
    const sumi__node *node = g->nodes[k];
    for (int i = 0; i < node->n_inputs; i++) live[node->inputs[i]->node->id] = true;
  }
}

/* A constant's values lie in the arena of its graph: they come along. */
static bool copy_constant(sumi_graph *to, sumi__node *copy) {
  if (copy->op != &sumi__op_constant) return true;
  sumi__leaf_attrs *a = copy->attrs;
  a->data = sumi__arena_copy(&to->arena, a->data, (size_t)sumi_shape_count(&a->shape) * sumi_dtype_bytes(a->dtype));
  return a->data != NULL;
}

static sumi_status clone_node(sumi_graph *to, const sumi__node *node, sumi_tensor **map) {
  sumi_context *ctx = to->ctx;
  sumi__node *copy = sumi__arena_alloc(&to->arena, sizeof *copy);
  if (!copy) return SUMI_NO_MEMORY;
  *copy = *node;
  copy->inputs = sumi__arena_alloc(&to->arena, (size_t)node->n_inputs * sizeof *copy->inputs);
  copy->attrs = sumi__arena_copy(&to->arena, node->attrs, node->attrs_bytes);
  copy->name = node->name ? sumi__arena_strdup(&to->arena, node->name) : NULL;
  if (!copy->inputs || !copy->attrs || (node->name && !copy->name) || !copy_constant(to, copy)) return SUMI_NO_MEMORY;
  for (int i = 0; i < node->n_inputs; i++) copy->inputs[i] = map[node->inputs[i]->id];
  for (int i = 0; i < node->n_outputs; i++) {
    sumi_tensor *t = sumi__arena_copy(&to->arena, node->outputs[i], sizeof *t);
    if (!t) return SUMI_NO_MEMORY;
    t->graph = to;
    t->node = copy;
    t->id = to->n_tensors++;
    copy->outputs[i] = map[node->outputs[i]->id] = t;
  }
  sumi_status status = sumi__grow(ctx, (void **)&to->nodes, &to->nodes_capacity, to->n_nodes + 1, sizeof *to->nodes);
  if (status != SUMI_OK) return status;
  copy->id = (int)to->n_nodes;
  to->nodes[to->n_nodes++] = copy;
  return SUMI_OK;
}

sumi_status sumi__clone_live(sumi_graph *g, int n, sumi_tensor *const *outputs, sumi_graph **out, sumi_tensor ***map) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  *map = sumi__alloc_array(g->ctx, (size_t)g->n_tensors, sizeof **map);
  bool *live = sumi__alloc_array(g->ctx, g->n_nodes, sizeof *live);
  if (!*map || !live) status = SUMI_NO_MEMORY;
  if (status == SUMI_OK) status = sumi_graph_create(g->ctx, out);
  if (status != SUMI_OK) goto done;
  mark_live(g, n, outputs, live);
  for (size_t k = 0; k < g->n_nodes; k++)
    if (live[k]) SUMI_TRY(clone_node(*out, g->nodes[k], *map));
done:
  sumi__free(g->ctx, live);
  return status;
}
