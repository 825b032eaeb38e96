/* What never changes after compilation: weights, constants, and what is computed from them alone. It is computed in the
 * program's order, so that a large model's weights pass through memory one by one: each value is freed when its last
 * reader has packed it for itself, and only packed copies and values that runs read as they are stay. */
#include "tensor/load.h"
#include "tensor/program.h"

/* How long a fixed value is needed. */
typedef struct uses {
  int *last;  /* by tensor id, of roots: the last step that reads it here */
  bool *kept; /* runs read it as it is, or it is an output */
} uses;

static void find_uses(const sumi_program *p, const uses *u) {
  for (size_t k = 0; k < p->n_steps; k++) {
    const sumi__step *s = &p->steps[k];
    for (int i = 0; i < s->call.node->n_inputs; i++) {
      const int id = sumi__value_of(p, s->call.node->inputs[i])->root->id;
      u->last[id] = (int)k;
      if (!s->fixed && !s->prep.packed_bytes[i]) u->kept[id] = true;
    }
  }
  for (size_t i = 0; i < p->n_ports; i++) u->kept[sumi__value_of(p, p->ports[i].ours)->root->id] = true;
}

/* ---- Packing ---- */

typedef struct pack_task {
  sumi__step *step;
  int input;
} pack_task;

static sumi_status pack(void *user, void *packed) {
  const pack_task *t = user;
  const sumi__call *c = &t->step->call;
  return t->step->kernel->pack(c, t->input, c->in[t->input], packed);
}

/* The lent parameter whose values a tensor has, and nothing else; NULL if it is computed. */
static const sumi__load_attrs *lent_by(const sumi_program *p, const sumi_tensor *t) {
  const sumi__value *v = sumi__value_of(p, t);
  const bool whole = v->view_offset == 0 && sumi__count(v->root) == sumi__count(t);
  return whole && v->root->node->op == &sumi__op_load ? v->root->node->attrs : NULL;
}

static sumi_status pack_input(sumi_program *p, sumi__step *s, int i) {
  pack_task task = {s, i};
  const size_t bytes = s->prep.packed_bytes[i];
  const sumi__load_attrs *lent = s->prep.packed_layout[i] && !s->fixed ? lent_by(p, s->call.node->inputs[i]) : NULL;
  if (lent) {
    const sumi__pack_key key = {lent->data, lent->dtype, bytes, s->kernel, s->prep.packed_layout[i]};
    const sumi_status status = sumi__weights_acquire(lent->weights, p->ctx, &key, pack, &task, &s->shared[i]);
    s->sharers[i] = lent->weights;
    s->packed[i] = status == SUMI_OK ? sumi__pack_data(s->shared[i]) : NULL;
    return status;
  }
  void *packed = sumi__alloc(p->ctx, bytes);
  s->packed[i] = packed;
  return packed ? pack(&task, packed) : SUMI_NO_MEMORY;
}

static sumi_status pack_fixed_inputs(sumi_program *p, sumi__step *s) {
  sumi_status status = SUMI_OK;
  for (int i = 0; i < s->call.node->n_inputs; i++) {
    if (!s->prep.packed_bytes[i] || !sumi__root_of(p, s->call.node->inputs[i])->fixed) continue;
    SUMI_TRY(pack_input(p, s, i));
    if (!s->fixed) p->info.packed_bytes += s->prep.packed_bytes[i];
  }
done:
  return status;
}

void sumi__step_release_packed(sumi_program *p, sumi__step *s) {
  for (int i = 0; i < s->call.node->n_inputs; i++) {
    if (s->shared[i])
      sumi__weights_release(s->sharers[i], s->shared[i]);
    else if (!s->pack_each_run[i])
      sumi__free(p->ctx, (void *)(uintptr_t)s->packed[i]);
    s->packed[i] = NULL;
    s->shared[i] = NULL;
  }
}

/* ---- Steps ---- */

static sumi_status run_fixed(sumi_program *p, sumi__step *s) {
  sumi_status status = SUMI_OK;
  for (int i = 0; i < s->call.node->n_outputs; i++) {
    sumi__value *v = sumi__value_of(p, s->call.node->outputs[i]);
    v->data = sumi__alloc(p->ctx, sumi__tensor_bytes(s->call.node->outputs[i]));
    if (!v->data) return SUMI_NO_MEMORY;
  }
  SUMI_TRY(sumi__step_resolve(p, s));
  SUMI_TRY(pack_fixed_inputs(p, s));
  SUMI_TRY(sumi__step_run(s));
done:
  sumi__step_release_packed(p, s);
  return status;
}

static void release_read(sumi_program *p, const uses *u, size_t k) {
  const sumi__node *n = p->steps[k].call.node;
  for (int i = 0; i < n->n_inputs; i++) {
    sumi__value *root = sumi__root_of(p, n->inputs[i]);
    const int id = root->root->id;
    if (!root->fixed || root->place != SUMI__PLACE_OWN || u->kept[id] || u->last[id] != (int)k) continue;
    sumi__free(p->ctx, root->data);
    root->data = NULL;
  }
}

static void drop_fixed_steps(sumi_program *p) {
  size_t kept = 0;
  for (size_t k = 0; k < p->n_steps; k++) {
    const sumi__step *s = &p->steps[k];
    if (!s->fixed)
      p->steps[kept++] = *s;
    else if (s->kernel->destroy)
      s->kernel->destroy(p->ctx, s->prep.state);
  }
  p->n_steps = kept;
}

sumi_status sumi__compute_fixed(sumi_program *p) {
  sumi_status status = SUMI_OK;
  const uses u = {sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *u.last),
                  sumi__alloc_array(p->ctx, (size_t)p->g->n_tensors, sizeof *u.kept)};
  if (!u.last || !u.kept) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  find_uses(p, &u);
  for (size_t k = 0; k < p->n_steps; k++) {
    sumi__step *s = &p->steps[k];
    if (s->fixed) {
      SUMI_TRY(run_fixed(p, s));
    } else {
      SUMI_TRY(sumi__step_resolve(p, s));
      SUMI_TRY(pack_fixed_inputs(p, s));
    }
    release_read(p, &u, k);
  }
  drop_fixed_steps(p);
done:
  sumi__free(p->ctx, u.last);
  sumi__free(p->ctx, u.kept);
  return status;
}
