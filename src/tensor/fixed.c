/* What never changes after compilation: weights, constants, and what is computed from them alone. It is computed in the
 * program's order, so that a large model's weights pass through memory one by one: each value is freed when its last
 * reader has packed it for itself, and only packed copies and values that runs read as they are stay. A lent parameter
 * is not even read where another program has packed it in the same way before. */
#include "tensor/load.h"
#include "tensor/program.h"

typedef struct work {
  sumi_program *p;
  /* By tensor id, of roots: */
  int *last;  /* the last step that reads it here */
  bool *kept; /* runs read it as it is, or it is an output */
  int *maker; /* the step that computes it, if that is a fixed one */
  /* The arena is not needed before the first run: until then it has room for one passing value, whose memory then need
   * not be found, and cleared by the system, anew for each weight. */
  sumi__value *staged;
} work;

void sumi__find_uses(const sumi_program *p, int *last, bool *kept) {
  for (size_t k = 0; k < p->n_steps; k++) {
    const sumi__step *s = &p->steps[k];
    for (int i = 0; i < s->call.node->n_inputs; i++) {
      const int id = sumi__value_of(p, s->call.node->inputs[i])->root->id;
      last[id] = (int)k;
      if (!s->fixed && !s->prep.packed_bytes[i]) kept[id] = true;
    }
  }
  for (size_t i = 0; i < p->n_ports; i++) kept[sumi__value_of(p, p->ports[i].ours)->root->id] = true;
}

static void find_makers(const work *w) {
  for (size_t k = 0; k < w->p->n_steps; k++) {
    const sumi__node *n = w->p->steps[k].call.node;
    for (int i = 0; i < n->n_outputs; i++) w->maker[n->outputs[i]->id] = (int)k;
  }
}

static bool is_load(const sumi__step *s) { return s->call.node->op == &sumi__op_load; }

/* ---- Memory of values ---- */

static sumi_status give_memory(work *w, const sumi_tensor *t) {
  sumi__value *v = sumi__value_of(w->p, t);
  const size_t bytes = sumi__tensor_bytes(t);
  if (!w->kept[t->id] && !w->staged && bytes <= w->p->info.arena_bytes) {
    v->data = w->p->arena;
    w->staged = v;
    return SUMI_OK;
  }
  v->data = sumi__alloc(w->p->ctx, bytes);
  if (w->kept[t->id]) w->p->info.fixed_bytes += bytes;
  return v->data ? SUMI_OK : SUMI_NO_MEMORY;
}

static void take_memory(work *w, sumi__value *v) {
  if (v == w->staged)
    w->staged = NULL;
  else
    sumi__free(w->p->ctx, v->data);
  v->data = NULL;
}

static void release_read(work *w, size_t k) {
  const sumi__node *n = w->p->steps[k].call.node;
  for (int i = 0; i < n->n_inputs; i++) {
    sumi__value *root = sumi__root_of(w->p, n->inputs[i]);
    const int id = root->root->id;
    if (root->fixed && root->place == SUMI__PLACE_OWN && !w->kept[id] && w->last[id] == (int)k) take_memory(w, root);
  }
}

/* ---- Lent parameters ---- */

const sumi__load_attrs *sumi__lent_by(const sumi_program *p, const sumi_tensor *t) {
  const sumi__value *v = sumi__value_of(p, t);
  const bool whole = v->view_offset == 0 && sumi__count(v->root) == sumi__count(t);
  return whole && v->root->node->op == &sumi__op_load ? v->root->node->attrs : NULL;
}

/* Reads the parameter if it is one that nobody has needed yet. */
static sumi_status need(work *w, const sumi__step *s, int i) {
  sumi_status status = SUMI_OK;
  const sumi__value *root = sumi__root_of(w->p, s->call.node->inputs[i]);
  if (root->data || !root->fixed || root->root->node->op != &sumi__op_load) return SUMI_OK;
  sumi__step *load = &w->p->steps[w->maker[root->root->id]];
  SUMI_TRY(give_memory(w, root->root));
  SUMI_TRY(sumi__step_resolve(w->p, load));
  SUMI_TRY(sumi__step_run(load));
done:
  return status;
}

typedef struct load_task {
  sumi_program *p;
  sumi__step *step;
} load_task;

static sumi_status load_into(void *user, void *memory) {
  sumi_status status = SUMI_OK;
  const load_task *t = user;
  sumi__value_of(t->p, t->step->call.node->outputs[0])->data = memory;
  SUMI_TRY(sumi__step_resolve(t->p, t->step));
  SUMI_TRY(sumi__step_run(t->step));
done:
  return status;
}

/* A parameter that runs read as it is: one copy for all programs over the set. */
static sumi_status keep_load(work *w, sumi__step *s) {
  const sumi_tensor *t = s->call.node->outputs[0];
  const sumi__load_attrs *a = s->call.node->attrs;
  sumi__value *v = sumi__value_of(w->p, t);
  const uint64_t layout =
      sumi__hash(a->shape.dims, (size_t)a->shape.rank * sizeof *a->shape.dims, a->layout * 16u + a->from + 1u);
  const sumi__pack_key key = {a->data, a->dtype, sumi__tensor_bytes(t), NULL, layout};
  load_task task = {w->p, s};
  const sumi_status status = sumi__weights_acquire(a->weights, w->p->ctx, &key, load_into, &task, &v->shared);
  v->sharer = a->weights;
  v->data = status == SUMI_OK ? sumi__pack_data(v->shared) : NULL;
  if (status == SUMI_OK) w->p->info.fixed_bytes += key.bytes;
  return status;
}

/* ---- Packing ---- */

typedef struct pack_task {
  work *w;
  sumi__step *step;
  int input;
} pack_task;

/* Straight from the file; UNSUPPORTED where the kernel wants the parameter itself, or somebody has it already. */
static sumi_status pack_lent(const pack_task *t, void *packed) {
  const sumi__step *s = t->step;
  const sumi_tensor *in = s->call.node->inputs[t->input];
  const sumi__load_attrs *lent = sumi__lent_by(t->w->p, in);
  if (!lent || !s->kernel->pack_lent || sumi__root_of(t->w->p, in)->data) return SUMI_UNSUPPORTED;
  const sumi_status status = s->kernel->pack_lent(&s->call, t->input, lent, packed);
  if (status == SUMI_OK) sumi__load_done(lent);
  return status;
}

static sumi_status pack(void *user, void *packed) {
  sumi_status status = SUMI_OK;
  const pack_task *t = user;
  const sumi__call *c = &t->step->call;
  if ((status = pack_lent(t, packed)) != SUMI_UNSUPPORTED) return status;
  SUMI_TRY(need(t->w, t->step, t->input));
  SUMI_TRY(sumi__step_resolve(t->w->p, t->step));
  SUMI_TRY(t->step->kernel->pack(c, t->input, c->in[t->input], packed));
done:
  return status;
}

static sumi_status pack_input(work *w, sumi__step *s, int i) {
  sumi_program *p = w->p;
  pack_task task = {w, s, i};
  const size_t bytes = s->prep.packed_bytes[i];
  const sumi__load_attrs *lent =
      s->prep.packed_layout[i] && !s->fixed ? sumi__lent_by(p, s->call.node->inputs[i]) : NULL;
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

/* Packs what is packed once, and reads what is not packed. */
static sumi_status prepare_inputs(work *w, sumi__step *s) {
  sumi_status status = SUMI_OK;
  for (int i = 0; i < s->call.node->n_inputs; i++) {
    if (!sumi__root_of(w->p, s->call.node->inputs[i])->fixed) continue;
    if (s->prep.packed_bytes[i])
      SUMI_TRY(pack_input(w, s, i));
    else
      SUMI_TRY(need(w, s, i));
    if (!s->fixed) w->p->info.packed_bytes += s->prep.packed_bytes[i];
  }
  SUMI_TRY(sumi__step_resolve(w->p, s));
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

static sumi_status run_fixed(work *w, sumi__step *s) {
  sumi_status status = SUMI_OK;
  for (int i = 0; i < s->call.node->n_outputs; i++) SUMI_TRY(give_memory(w, s->call.node->outputs[i]));
  SUMI_TRY(sumi__step_resolve(w->p, s));
  SUMI_TRY(prepare_inputs(w, s));
  SUMI_TRY(sumi__step_run(s));
done:
  sumi__step_release_packed(w->p, s);
  return status;
}

static sumi_status take_step(work *w, sumi__step *s) {
  sumi_status status = SUMI_OK;
  if (s->fixed && is_load(s))
    return w->kept[s->call.node->outputs[0]->id] ? keep_load(w, s) : SUMI_OK; /* else when it is needed */
  if (s->fixed) return run_fixed(w, s);
  SUMI_TRY(sumi__step_resolve(w->p, s));
  SUMI_TRY(prepare_inputs(w, s));
done:
  return status;
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
  const size_t n = (size_t)p->g->n_tensors;
  work w = {.p = p,
            .last = sumi__alloc_array(p->ctx, n, sizeof *w.last),
            .kept = sumi__alloc_array(p->ctx, n, sizeof *w.kept),
            .maker = sumi__alloc_array(p->ctx, n, sizeof *w.maker)};
  if (!w.last || !w.kept || !w.maker) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  sumi__find_uses(p, w.last, w.kept);
  find_makers(&w);
  for (size_t k = 0; k < p->n_steps; k++) {
    SUMI_TRY(take_step(&w, &p->steps[k]));
    release_read(&w, k);
  }
  drop_fixed_steps(p);
done:
  if (w.staged) w.staged->data = NULL;
  sumi__free(p->ctx, w.last);
  sumi__free(p->ctx, w.kept);
  sumi__free(p->ctx, w.maker);
  return status;
}
