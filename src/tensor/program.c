#include "tensor/program.h"

#include "tensor/profile.h"

#include <string.h>

void sumi_program_free(sumi_program *p) {
  if (!p) return;
  for (size_t k = 0; k < p->n_steps; k++) {
    sumi__step *s = &p->steps[k];
    if (s->kernel && s->kernel->destroy) s->kernel->destroy(p->ctx, s->prep.state);
    sumi__step_release_packed(p, s);
  }
  for (int t = 0; p->values && t < p->g->n_tensors; t++) {
    sumi__value *v = &p->values[t];
    if (!v->root || v->root->id != t || v->place != SUMI__PLACE_OWN) continue;
    if (v->shared)
      sumi__weights_release(v->sharer, v->shared);
    else
      sumi__free(p->ctx, v->data);
  }
  sumi__free(p->ctx, p->arena);
  sumi__free(p->ctx, p->scratch);
  sumi__free(p->ctx, p->values);
  sumi__free(p->ctx, p->steps);
  sumi__free(p->ctx, p->buffers);
  sumi__free(p->ctx, p->ports);
  sumi__profile_release(p->profile);
  sumi_graph_free(p->g);
  sumi_graph_free(p->theirs);
  sumi__free(p->ctx, p);
}

void *sumi_data(sumi_program *p, const sumi_tensor *t) {
  for (size_t i = 0; i < p->n_ports; i++)
    if (p->ports[i].theirs == t) return p->values[p->ports[i].ours->id].data;
  return NULL;
}

static sumi_status copy_port(sumi_program *p, const sumi_tensor *t, bool input, const void *from, void *to) {
  for (size_t i = 0; i < p->n_ports; i++) {
    if (p->ports[i].theirs != t || (input && !p->ports[i].input)) continue;
    void *ours = p->values[p->ports[i].ours->id].data;
    memcpy(to ? to : ours, from ? from : ours, sumi__tensor_bytes(p->ports[i].ours));
    return SUMI_OK;
  }
  return sumi__fail(p->ctx, SUMI_INVALID, "the tensor is not an %s of this program", input ? "input" : "output");
}

sumi_status sumi_set(sumi_program *p, const sumi_tensor *input, const void *values) {
  return copy_port(p, input, true, values, NULL);
}

sumi_status sumi_get(sumi_program *p, const sumi_tensor *output, void *values) {
  return copy_port(p, output, false, NULL, values);
}

/* NULL where nothing is kept of it. */
static void *address_of(const sumi_program *p, const sumi_tensor *t) {
  const sumi__value *root = sumi__root_of(p, t);
  return root->data ? (char *)root->data + sumi__value_of(p, t)->view_offset : NULL;
}

/* The first call allocates the tables; a later one fills them again. */
sumi_status sumi__step_resolve(sumi_program *p, sumi__step *s) {
  const sumi__node *n = s->call.node;
  const void **in = (const void **)(uintptr_t)s->call.in;
  void **out = (void **)(uintptr_t)s->call.out;
  if (!in) in = sumi__arena_alloc(&p->g->arena, (size_t)n->n_inputs * sizeof *in);
  if (!out) out = sumi__arena_alloc(&p->g->arena, (size_t)n->n_outputs * sizeof *out);
  if (!in || !out) return SUMI_NO_MEMORY;
  char *scratch = p->scratch + sumi__align_up(s->prep.scratch_bytes, 64);
  for (int i = 0; i < n->n_inputs; i++) {
    in[i] = address_of(p, n->inputs[i]);
    if (!s->prep.packed_bytes[i] || sumi__root_of(p, n->inputs[i])->fixed) continue;
    s->packed[i] = scratch;
    s->pack_each_run[i] = true;
    scratch += sumi__align_up(s->prep.packed_bytes[i], 64);
  }
  for (int i = 0; i < n->n_outputs; i++) out[i] = address_of(p, n->outputs[i]);
  s->call.in = in;
  s->call.out = out;
  s->call.scratch = p->scratch;
  s->call.packed = s->packed;
  return SUMI_OK;
}

sumi_status sumi__step_run(sumi__step *s) {
  for (int i = 0; i < s->call.node->n_inputs; i++) {
    if (!s->pack_each_run[i]) continue;
    sumi_status status = s->kernel->pack(&s->call, i, s->call.in[i], (void *)(uintptr_t)s->packed[i]);
    if (status != SUMI_OK) return status;
  }
  return s->kernel->run(&s->call);
}

static sumi_status run_profiled(sumi__step *s) {
  const double start = sumi__now_seconds();
  const sumi_status status = sumi__step_run(s);
  const double seconds = sumi__now_seconds() - start;
  s->row->seconds += seconds;
  s->row->calls++;
  return status;
}

sumi_status sumi_run(sumi_program *p) {
  sumi_status status = SUMI_OK;
  const int threads_before = sumi__set_library_threads(p->ctx->threads);
  for (size_t k = 0; k < p->n_steps && status == SUMI_OK; k++)
    status = p->profile ? run_profiled(&p->steps[k]) : sumi__step_run(&p->steps[k]);
  if (p->profile) p->profiled->runs++;
  sumi__set_library_threads(threads_before);
  return status;
}

sumi_program_info sumi_program_describe(const sumi_program *p) { return p->info; }
