/* From a graph to a program: copy, fuse, choose kernels, place values, and compute what never changes. */
#include "ops/ops.h"
#include "tensor/account.h"
#include "tensor/load.h"
#include "tensor/profile.h"
#include "tensor/program.h"

#include <limits.h>
#include <string.h>

static sumi_status make_ports(sumi_program *p, sumi_graph *g, sumi_tensor *const *map, int n,
                              sumi_tensor *const *outputs) {
  size_t inputs = 0;
  for (size_t k = 0; k < g->n_nodes; k++) inputs += g->nodes[k]->op == &sumi__op_input;
  p->ports = sumi__alloc_array(p->ctx, inputs + (size_t)n, sizeof *p->ports);
  if (!p->ports) return SUMI_NO_MEMORY;
  for (size_t k = 0; k < g->n_nodes; k++) {
    sumi_tensor *t = g->nodes[k]->outputs[0];
    if (g->nodes[k]->op != &sumi__op_input || !map[t->id]) continue;
    p->ports[p->n_ports].theirs = t;
    p->ports[p->n_ports].input = true;
    p->ports[p->n_ports++].ours = map[t->id];
  }
  for (int i = 0; i < n; i++) {
    p->ports[p->n_ports].theirs = outputs[i];
    p->ports[p->n_ports++].ours = map[outputs[i]->id];
  }
  return SUMI_OK;
}

static sumi_status fuse(sumi_program *p) {
  sumi_status status = SUMI_OK;
  bool *keep = sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *keep);
  if (!keep) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < p->n_ports; i++) keep[p->ports[i].ours->id] = true;
  status = sumi__absorb_neighbours(p->g, keep);
  if (status == SUMI_OK) status = sumi__fold_addends(p->g, keep);
  if (status == SUMI_OK) status = sumi__fuse_elementwise(p->g, keep);
  sumi__free(p->ctx, keep);
  return status;
}

/* Decides for every tensor whose memory it is and whether it ever changes. */
static sumi_status classify(sumi_program *p, bool frozen) {
  p->values = sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *p->values);
  if (!p->values) return SUMI_NO_MEMORY;
  for (size_t k = 0; k < p->g->n_nodes; k++) {
    const sumi__node *n = p->g->nodes[k];
    const sumi__leaf_attrs *leaf = n->attrs;
    size_t offset = 0;
    const bool weight = n->op == &sumi__op_param || n->op == &sumi__op_load;
    bool fixed = !(n->op->flags & SUMI__OP_NO_FOLD) && (frozen || !weight);
    for (int i = 0; i < n->n_inputs; i++) fixed = fixed && sumi__root_of(p, n->inputs[i])->fixed;
    for (int i = 0; i < n->n_outputs; i++) {
      sumi__value *v = sumi__value_of(p, n->outputs[i]);
      v->root = n->outputs[i];
      v->fixed = fixed;
      v->buffer = -1;
      if (n->op == &sumi__op_input)
        v->place = SUMI__PLACE_OWN;
      else if (n->op->flags & SUMI__OP_LEAF)
        v->place = SUMI__PLACE_LENT, v->data = leaf->data;
      else
        v->place = fixed ? SUMI__PLACE_OWN : SUMI__PLACE_ARENA;
    }
    if (!sumi__node_is_view(n, &offset)) continue;
    sumi__value *v = sumi__value_of(p, n->outputs[0]), *of = sumi__value_of(p, n->inputs[0]);
    v->root = of->root;
    v->view_offset = of->view_offset + offset;
  }
  return SUMI_OK;
}

/* ---- Lifetimes ---- */

static bool in_arena(const sumi_program *p, const sumi_tensor *t) {
  return sumi__root_of(p, t)->place == SUMI__PLACE_ARENA;
}

/* last[id of a root]: the last step that reads it; INT_MAX for outputs. */
static void find_last_reads(const sumi_program *p, int *last) {
  for (size_t s = 0; s < p->n_steps; s++) {
    const sumi__node *n = p->steps[s].call.node;
    for (int i = 0; i < n->n_outputs; i++) last[sumi__value_of(p, n->outputs[i])->root->id] = (int)s;
    for (int i = 0; i < n->n_inputs; i++) last[sumi__value_of(p, n->inputs[i])->root->id] = (int)s;
  }
  for (size_t i = 0; i < p->n_ports; i++) last[sumi__value_of(p, p->ports[i].ours)->root->id] = INT_MAX;
}

/* Whether another input reads the same memory, in another order (a slice of it, repeated, say) or, of a product, in
 * any: writing over it would then change what is still to be read. */
static bool read_otherwise(const sumi_program *p, const sumi__node *n, int input) {
  const sumi_tensor *taken = n->inputs[input];
  for (int i = 0; i < n->n_inputs; i++) {
    const sumi_tensor *t = n->inputs[i];
    if (i == input || sumi__value_of(p, t)->root != sumi__value_of(p, taken)->root) continue;
    if (n->adds || (t != taken && !sumi_shape_equal(&t->shape, &taken->shape))) return true;
  }
  return false;
}

static bool may_take_over(const sumi__step *s, int input) {
  const sumi__node *n = s->call.node;
  return s->kernel->in_place || (s->prep.adds_in_place && n->inputs[input] == sumi__addend(n));
}

/* The buffer of an input that the step may write its result over, or -1. */
static int buffer_to_take_over(const sumi_program *p, size_t s, const int *last) {
  const sumi__node *n = p->steps[s].call.node;
  if (n->n_outputs != 1) return -1;
  for (int i = 0; i < n->n_inputs; i++) {
    const sumi_tensor *root = sumi__value_of(p, n->inputs[i])->root;
    if (!may_take_over(&p->steps[s], i) || !in_arena(p, root) || last[root->id] != (int)s) continue;
    if (n->inputs[i]->dtype != n->outputs[0]->dtype) continue;
    const size_t bytes = sumi__tensor_bytes(n->outputs[0]);
    if (sumi__tensor_bytes(n->inputs[i]) != bytes || sumi__tensor_bytes(root) != bytes) continue;
    if (read_otherwise(p, n, i)) continue;
    return sumi__value_of(p, root)->buffer;
  }
  return -1;
}

static void assign_buffers(sumi_program *p, const int *last) {
  const int end = p->n_steps ? (int)p->n_steps - 1 : 0;
  for (size_t s = 0; s < p->n_steps; s++) {
    const sumi__node *n = p->steps[s].call.node;
    for (int i = 0; i < n->n_outputs; i++) {
      sumi__value *v = sumi__value_of(p, n->outputs[i]);
      if (v->place != SUMI__PLACE_ARENA) continue;
      const int until = last[n->outputs[i]->id] > end ? end : last[n->outputs[i]->id];
      v->buffer = buffer_to_take_over(p, s, last);
      if (v->buffer < 0) {
        v->buffer = (int)p->n_buffers++;
        p->buffers[v->buffer] = (sumi__buffer){.bytes = sumi__tensor_bytes(n->outputs[i]), .first = (int)s};
      }
      p->buffers[v->buffer].last = until;
    }
  }
}

/* The most that is alive at once of what nobody asked for. The memory of an output counts until the step that makes it,
 * if that takes over another value's. */
static sumi_status measure_inner(sumi_program *p, const int *last) {
  sumi__buffer *inner = sumi__alloc_array(p->ctx, p->n_buffers, sizeof *inner);
  if (!inner) return SUMI_NO_MEMORY;
  memcpy(inner, p->buffers, p->n_buffers * sizeof *inner);
  for (size_t s = 0; s < p->n_steps; s++) {
    const sumi__node *n = p->steps[s].call.node;
    for (int i = 0; i < n->n_outputs; i++) {
      const sumi__value *v = sumi__value_of(p, n->outputs[i]);
      if (v->place != SUMI__PLACE_ARENA || last[n->outputs[i]->id] != INT_MAX) continue;
      sumi__buffer *b = &inner[v->buffer];
      if (b->first == (int)s)
        b->bytes = 0;
      else
        b->last = (int)s - 1;
    }
  }
  const sumi_status status = sumi__most_alive(p->ctx, inner, p->n_buffers, (int)p->n_steps, &p->info.inner_bytes);
  sumi__free(p->ctx, inner);
  return status;
}

static sumi_status plan_memory(sumi_program *p) {
  sumi_status status = SUMI_OK;
  int *last = sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *last);
  p->buffers = sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *p->buffers);
  if (!last || !p->buffers) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  find_last_reads(p, last);
  assign_buffers(p, last);
  SUMI_TRY(
      sumi__plan(p->ctx, p->buffers, p->n_buffers, (int)p->n_steps, &p->info.arena_bytes, &p->info.lower_bound_bytes));
  SUMI_TRY(measure_inner(p, last));
done:
  sumi__free(p->ctx, last);
  return status;
}

/* ---- Memory ---- */

/* Inputs, and what the arena holds. What is computed once gets its memory when it is computed. */
static sumi_status allocate_values(sumi_program *p) {
  p->arena = sumi__alloc(p->ctx, p->info.arena_bytes);
  if (!p->arena) return SUMI_NO_MEMORY;
  for (size_t k = 0; k < p->g->n_nodes; k++) {
    const sumi__node *n = p->g->nodes[k];
    for (int i = 0; i < n->n_outputs; i++) {
      sumi__value *v = sumi__value_of(p, n->outputs[i]);
      if (v->root != n->outputs[i]) continue;
      if (v->place == SUMI__PLACE_ARENA) v->data = p->arena + p->buffers[v->buffer].offset;
      if (v->place != SUMI__PLACE_OWN || v->fixed) continue;
      p->info.input_bytes += sumi__tensor_bytes(n->outputs[i]);
      v->data = sumi__alloc_zero(p->ctx, sumi__tensor_bytes(n->outputs[i]));
      if (!v->data) return SUMI_NO_MEMORY;
    }
  }
  return SUMI_OK;
}

/* What is packed before each run lies in the scratch memory, behind the kernel's own part. */
static size_t scratch_of(const sumi_program *p, const sumi__step *s) {
  size_t bytes = sumi__align_up(s->prep.scratch_bytes, 64);
  for (int i = 0; i < s->call.node->n_inputs; i++)
    if (s->prep.packed_bytes[i] && !sumi__root_of(p, s->call.node->inputs[i])->fixed)
      bytes += sumi__align_up(s->prep.packed_bytes[i], 64);
  return bytes;
}

static sumi_status allocate(sumi_program *p) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(allocate_values(p));
  p->scratch = sumi__alloc(p->ctx, p->info.scratch_bytes);
  if (!p->scratch) status = SUMI_NO_MEMORY;
done:
  return status;
}

/* The pointers of all steps, and those that callers ask for. */
static sumi_status resolve(sumi_program *p) {
  sumi_status status = SUMI_OK;
  for (size_t s = 0; s < p->n_steps; s++) SUMI_TRY(sumi__step_resolve(p, &p->steps[s]));
  for (int t = 0; t < p->g->n_tensors; t++) {
    sumi__value *v = &p->values[t];
    if (!v->root || v->root->id == t) continue;
    const sumi__value *root = sumi__value_of(p, v->root);
    v->data = root->data ? (char *)root->data + v->view_offset : NULL;
  }
done:
  return status;
}

static sumi_status check_request(sumi_backend *backend, sumi_graph *g, int n, sumi_tensor *const *outputs) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi_graph_status(g));
  SUMI_CHECK(g->ctx, backend->ctx == g->ctx, SUMI_INVALID, "compile: graph and backend are of different contexts");
  SUMI_CHECK(g->ctx, n > 0, SUMI_INVALID, "compile: no outputs are asked for");
  for (int i = 0; i < n; i++)
    SUMI_CHECK(g->ctx, outputs[i] && outputs[i]->graph == g, SUMI_INVALID,
               "compile: output %d is not a tensor of this graph", i);
done:
  return status;
}

/* All that is known of a program before it has memory. The number of threads is the context's by then. */
static sumi_status describe(sumi_program *p, sumi_graph *g, int n, sumi_tensor *const *outputs,
                            const sumi_compile_options *chosen) {
  sumi_status status = SUMI_OK;
  sumi_tensor **map = NULL;
  p->ctx = g->ctx;
  p->theirs = g;
  g->owners++;
  SUMI_TRY(sumi__clone_live(g, n, outputs, &p->g, &map));
  SUMI_TRY(make_ports(p, g, map, n, outputs));
  if (p->backend->fuses && !chosen->reference) SUMI_TRY(fuse(p));
  SUMI_TRY(classify(p, chosen->frozen));
  SUMI_TRY(sumi__make_steps(p, chosen));
  SUMI_TRY(plan_memory(p));
  for (size_t s = 0; s < p->n_steps; s++) {
    const size_t bytes = scratch_of(p, &p->steps[s]);
    if (bytes > p->info.scratch_bytes) p->info.scratch_bytes = bytes;
  }
done:
  sumi__free(g->ctx, map);
  return status;
}

static sumi_compile_options chosen_options(const sumi_graph *g, const sumi_compile_options *options) {
  sumi_compile_options chosen = options ? *options : (sumi_compile_options){0};
  if (chosen.winograd == SUMI_WINOGRAD_DEFAULT) chosen.winograd = g->ctx->options.winograd;
  return chosen;
}

static sumi_status begin(sumi_backend *backend, sumi_graph *g, int n, sumi_tensor *const *outputs, sumi_program **out) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(check_request(backend, g, n, outputs));
  *out = sumi__alloc_zero(g->ctx, sizeof **out);
  SUMI_TRY(*out ? SUMI_OK : SUMI_NO_MEMORY);
  (*out)->backend = backend;
done:
  return status;
}

sumi_status sumi__compile_account(sumi_backend *backend, sumi_graph *g, int n, sumi_tensor *const *outputs,
                                  const sumi_compile_options *options, sumi__account *out) {
  sumi_status status = SUMI_OK;
  const sumi_compile_options chosen = chosen_options(g, options);
  sumi_program *p = NULL;
  SUMI_TRY(begin(backend, g, n, outputs, &p));
  const int threads_before = sumi__set_library_threads(g->ctx->threads);
  status = describe(p, g, n, outputs, &chosen);
  sumi__set_library_threads(threads_before);
  if (status == SUMI_OK) status = sumi__account_of(p, out);
done:
  sumi_program_free(p);
  return status;
}

sumi_status sumi_compile(sumi_backend *backend, sumi_graph *g, int n, sumi_tensor *const *outputs,
                         const sumi_compile_options *options, sumi_program **out) {
  sumi_status status = SUMI_OK;
  const sumi_compile_options chosen = chosen_options(g, options);
  sumi_program *p = NULL;
  *out = NULL;
  SUMI_TRY(begin(backend, g, n, outputs, &p));
  const int threads_before = sumi__set_library_threads(g->ctx->threads);
  status = describe(p, g, n, outputs, &chosen);
  if (status == SUMI_OK) status = allocate(p);
  if (status == SUMI_OK) status = sumi__compute_fixed(p);
  if (status == SUMI_OK) status = resolve(p);
  if (status == SUMI_OK) status = sumi__profile_attach(p, chosen.name);
  sumi__set_library_threads(threads_before);
done:
  if (status == SUMI_OK)
    *out = p;
  else
    sumi_program_free(p);
  return status;
}
