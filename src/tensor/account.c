#include "tensor/account.h"

#include "tensor/load.h"
#include "tensor/program.h"

/* What runs read of the step's input and what stays for that: packed, or as it is, which others may share. */
static size_t kept_for(const sumi_program *p, const sumi__step *s, int i, bool *seen) {
  const sumi__value *root = sumi__root_of(p, s->call.node->inputs[i]);
  if (!root->fixed) return 0;
  if (s->prep.packed_bytes[i]) return s->prep.packed_bytes[i];
  if (root->place != SUMI__PLACE_OWN || seen[root->root->id]) return 0;
  seen[root->root->id] = true;
  return sumi__tensor_bytes(root->root);
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* One lent parameter at a time is in memory as the file has it. */
static size_t largest_lent(const sumi_program *p) {
  size_t most = 0;
  for (size_t k = 0; k < p->n_steps; k++) {
    const sumi__node *n = p->steps[k].call.node;
    if (n->op != &sumi__op_load) continue;
    const sumi__load_attrs *a = n->attrs;
    most = larger(most, (size_t)sumi_shape_count(&a->shape) * sumi_dtype_bytes(a->from));
  }
  return most;
}

/* While a program is compiled, one value that is not kept lies in the arena, unless it is too large for it. */
static size_t largest_passing(const sumi_program *p) {
  size_t most = 0;
  for (size_t k = 0; k < p->n_steps; k++) {
    const sumi__node *n = p->steps[k].call.node;
    for (int i = 0; p->steps[k].fixed && i < n->n_outputs; i++) most = larger(most, sumi__tensor_bytes(n->outputs[i]));
  }
  return most > p->info.arena_bytes ? most : 0;
}

sumi_status sumi__account_of(const sumi_program *p, sumi__account *out) {
  bool *seen = sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *seen);
  *out = (sumi__account){.streamed_bytes = p->info.streamed_bytes};
  if (!seen) return SUMI_NO_MEMORY;
  for (size_t k = 0; k < p->n_steps; k++)
    for (int i = 0; !p->steps[k].fixed && i < p->steps[k].call.node->n_inputs; i++)
      out->weight_bytes += kept_for(p, &p->steps[k], i, seen);
  sumi__free(p->ctx, seen);
  size_t inputs = 0;
  for (size_t i = 0; i < p->n_ports; i++) inputs += p->ports[i].input ? sumi__tensor_bytes(p->ports[i].ours) : 0;
  out->bytes =
      out->weight_bytes + inputs + p->info.arena_bytes + p->info.scratch_bytes + largest_passing(p) + largest_lent(p);
  return SUMI_OK;
}
