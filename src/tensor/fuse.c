/* Elementwise chains. Each chain reads its inputs and writes its result once, whatever happens in between. */
#include "ops/ops.h"
#include "tensor/passes.h"

#include <string.h>

typedef struct fuser {
  sumi_graph *g;
  const bool *keep; /* by tensor */
  int *readers;     /* by tensor: reads by nodes that still stand */
  bool *gone;       /* by node: absorbed by every reader */
} fuser;

/* A chain under construction. Nodes are added from the result backwards. */
typedef struct chain {
  const sumi__node *nodes[SUMI__FUSED_MAX_OPS];
  int n_nodes;
  sumi_tensor *inputs[SUMI__FUSED_MAX_INPUTS];
  int reads[SUMI__FUSED_MAX_INPUTS]; /* how often the chain's nodes read that input */
  int n_inputs;
} chain;

static bool elementwise(const sumi__node *n) { return n->op->scalar != NULL; }

/* Nodes that a chain repeats for free while it loads their operand. */
static bool is_load(const sumi__node *n) {
  if (n->op == &sumi__op_broadcast) return true;
  return n->op == &sumi__op_cast && n->outputs[0]->dtype == SUMI_F32;
}

static bool add_input(chain *c, sumi_tensor *t) {
  for (int i = 0; i < c->n_inputs; i++)
    if (c->inputs[i] == t) {
      c->reads[i]++;
      return true;
    }
  if (c->n_inputs == SUMI__FUSED_MAX_INPUTS) return false;
  c->inputs[c->n_inputs] = t;
  c->reads[c->n_inputs++] = 1;
  return true;
}

/* Takes the node into the chain in place of the input that it makes; false (chain unchanged) if there is no room. */
static bool absorb(chain *c, int input, const sumi__node *n) {
  chain grown = *c;
  if (grown.n_nodes == SUMI__FUSED_MAX_OPS) return false;
  grown.nodes[grown.n_nodes++] = n;
  grown.n_inputs--;
  grown.inputs[input] = grown.inputs[grown.n_inputs];
  grown.reads[input] = grown.reads[grown.n_inputs];
  for (int i = 0; i < n->n_inputs; i++)
    if (!add_input(&grown, n->inputs[i])) return false;
  *c = grown;
  return true;
}

/* The latest-made input whose producer may join, or -1: taking the latest first lets a producer that several nodes
 * of the chain read be seen after all of these have joined. */
static int next_candidate(const fuser *f, const chain *c, const sumi_shape *shape, const bool *refused) {
  int best = -1;
  for (int i = 0; i < c->n_inputs; i++) {
    const sumi_tensor *t = c->inputs[i];
    if (!elementwise(t->node) || f->keep[t->id] || refused[t->id]) continue;
    if (!sumi_shape_equal(&t->shape, shape)) continue;
    if (f->readers[t->id] != c->reads[i] && !is_load(t->node)) continue;
    if (best < 0 || t->node->id > c->inputs[best]->node->id) best = i;
  }
  return best;
}

static int index_of(const chain *c, const sumi__node *made, const sumi_tensor *t) {
  for (int i = 0; i < c->n_inputs; i++)
    if (c->inputs[i] == t) return i;
  for (int i = 0; i < c->n_nodes; i++)
    if (c->nodes[i]->outputs[0] == t) return made->n_inputs + (c->n_nodes - 1 - i);
  return -1;
}

/* Writes the chain over its last node. Nodes were gathered from the result backwards, each after all its readers. */
static sumi_status replace(fuser *f, sumi__node *root, const chain *c) {
  sumi__fused_attrs *a = sumi__arena_alloc(&f->g->arena, sizeof *a);
  sumi_tensor **inputs = sumi__arena_copy(&f->g->arena, c->inputs, (size_t)c->n_inputs * sizeof *inputs);
  sumi__node *original = sumi__arena_copy(&f->g->arena, root, sizeof *root);
  if (!a || !inputs || !original) return SUMI_NO_MEMORY;
  root->op = &sumi__op_fused;
  root->attrs = a;
  root->attrs_bytes = sizeof *a;
  root->inputs = inputs;
  root->n_inputs = c->n_inputs;
  a->n_ops = c->n_nodes;
  for (int k = 0; k < c->n_nodes; k++) {
    const sumi__node *n = c->nodes[c->n_nodes - 1 - k];
    if (n == root) n = original;
    a->ops[k].op = n->op;
    a->ops[k].attrs = n->attrs;
    for (int i = 0; i < n->n_inputs; i++) a->ops[k].args[i] = index_of(c, root, n->inputs[i]);
  }
  return SUMI_OK;
}

static sumi_status fuse_from(fuser *f, sumi__node *root, bool *refused) {
  chain c = {.n_nodes = 1, .nodes = {root}};
  for (int i = 0; i < root->n_inputs; i++) add_input(&c, root->inputs[i]);
  memset(refused, 0, (size_t)f->g->n_tensors * sizeof *refused);
  for (int i; (i = next_candidate(f, &c, &root->outputs[0]->shape, refused)) >= 0;) {
    sumi_tensor *t = c.inputs[i];
    const int reads = c.reads[i];
    if (!absorb(&c, i, t->node)) {
      refused[t->id] = true;
      continue;
    }
    f->readers[t->id] -= reads;
    if (f->readers[t->id] == 0) {
      f->gone[t->node->id] = true; /* its reads now are the chain's */
    } else {
      for (int k = 0; k < t->node->n_inputs; k++) f->readers[t->node->inputs[k]->id]++; /* a repeated load */
    }
  }
  return replace(f, root, &c);
}

static void remove_gone(fuser *f) {
  size_t kept = 0;
  for (size_t k = 0; k < f->g->n_nodes; k++) {
    if (f->gone[k]) continue;
    f->g->nodes[kept] = f->g->nodes[k];
    f->g->nodes[kept]->id = (int)kept;
    kept++;
  }
  f->g->n_nodes = kept;
}

sumi_status sumi__fuse_elementwise(sumi_graph *g, const bool *keep) {
  sumi_status status = SUMI_OK;
  fuser f = {.g = g, .keep = keep};
  f.readers = sumi__alloc_array(g->ctx, (size_t)g->n_tensors, sizeof *f.readers);
  f.gone = sumi__alloc_array(g->ctx, g->n_nodes, sizeof *f.gone);
  bool *refused = sumi__alloc_array(g->ctx, (size_t)g->n_tensors, sizeof *refused);
  if (!f.readers || !f.gone || !refused) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  sumi__count_readers(g, f.readers);
  for (size_t k = g->n_nodes; k-- > 0;)
    if (!f.gone[k] && elementwise(g->nodes[k])) SUMI_TRY(fuse_from(&f, g->nodes[k], refused));
  remove_gone(&f);
done:
  sumi__free(g->ctx, f.readers);
  sumi__free(g->ctx, f.gone);
  sumi__free(g->ctx, refused);
  return status;
}

/* ---- The operator that chains become ---- */

static bool infer(sumi_graph *g, sumi__node *n) {
  (void)n;
  return sumi__graph_fail(g, SUMI_INVALID, "fused chains are made by the compiler alone");
}

const sumi__op sumi__op_fused = {.name = "fused", .infer = infer};
