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

/* ---- What passes through while a program is compiled ---- */

/* The way of sumi__compute_fixed, with bytes in place of values. By tensor id, of roots: */
typedef struct walk {
  const sumi_program *p;
  int *last;          /* the last step that reads it */
  bool *kept, *there; /* read by runs as it is, or an output; in memory of its own */
  const void *staged; /* the one that is in the arena */
  size_t now, most;
} walk;

static void take(walk *w, size_t bytes) {
  w->now += bytes;
  w->most = larger(w->most, w->now);
}

static void give_memory(walk *w, const sumi_tensor *t) {
  const size_t bytes = sumi__tensor_bytes(t);
  if (w->kept[t->id] || w->there[t->id]) return;
  w->there[t->id] = true;
  if (!w->staged && bytes <= w->p->info.arena_bytes)
    w->staged = t;
  else
    take(w, bytes);
}

static void release_read(walk *w, size_t k) {
  const sumi__node *n = w->p->steps[k].call.node;
  for (int i = 0; i < n->n_inputs; i++) {
    const sumi_tensor *root = sumi__value_of(w->p, n->inputs[i])->root;
    if (!w->there[root->id] || w->last[root->id] != (int)k) continue;
    w->there[root->id] = false;
    if (w->staged == root)
      w->staged = NULL;
    else
      w->now -= sumi__tensor_bytes(root);
  }
}

static void walk_step(walk *w, const sumi__step *s) {
  const sumi__node *n = s->call.node;
  size_t packed = 0;                               /* for this step alone */
  if (s->fixed && n->op == &sumi__op_load) return; /* read when it is needed */
  for (int i = 0; s->fixed && i < n->n_outputs; i++) give_memory(w, n->outputs[i]);
  for (int i = 0; i < n->n_inputs; i++) {
    const sumi__value *root = sumi__root_of(w->p, n->inputs[i]);
    if (!root->fixed) continue;
    if (s->fixed) packed += s->prep.packed_bytes[i];
    if (root->root->node->op == &sumi__op_load) give_memory(w, root->root);
  }
  take(w, packed);
  w->now -= packed;
}

static sumi_status most_passing(const sumi_program *p, size_t *out) {
  const size_t n = (size_t)p->g->n_tensors;
  walk w = {.p = p,
            .last = sumi__alloc_array(p->ctx, n, sizeof *w.last),
            .kept = sumi__alloc_array(p->ctx, n, sizeof *w.kept),
            .there = sumi__alloc_array(p->ctx, n, sizeof *w.there)};
  const bool good = w.last && w.kept && w.there;
  if (good) sumi__find_uses(p, w.last, w.kept);
  for (size_t k = 0; good && k < p->n_steps; k++) {
    walk_step(&w, &p->steps[k]);
    release_read(&w, k);
  }
  *out = w.most;
  sumi__free(p->ctx, w.last);
  sumi__free(p->ctx, w.kept);
  sumi__free(p->ctx, w.there);
  return good ? SUMI_OK : SUMI_NO_MEMORY;
}

/* ---- All of it ---- */

sumi_status sumi__account_of(const sumi_program *p, sumi__account *out) {
  sumi_status status = SUMI_OK;
  size_t inputs = 0, passing = 0;
  bool *seen = sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *seen);
  *out = (sumi__account){.streamed_bytes = p->info.streamed_bytes};
  SUMI_TRY(seen ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(most_passing(p, &passing));
  for (size_t k = 0; k < p->n_steps; k++)
    for (int i = 0; !p->steps[k].fixed && i < p->steps[k].call.node->n_inputs; i++)
      out->weight_bytes += kept_for(p, &p->steps[k], i, seen);
  for (size_t i = 0; i < p->n_ports; i++) inputs += p->ports[i].input ? sumi__tensor_bytes(p->ports[i].ours) : 0;
  out->bytes = out->weight_bytes + inputs + p->info.arena_bytes + p->info.scratch_bytes + passing + largest_lent(p);
done:
  sumi__free(p->ctx, seen);
  return status;
}
