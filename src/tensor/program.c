#include "tensor/program.h"

#include "tensor/profile.h"

#include <stdio.h>
#include <stdlib.h>
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
  sumi__free(p->ctx, p->profile_text);
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
  s->seconds += seconds;
  if (s->row) {
    s->row->seconds += seconds;
    s->row->calls++;
  }
  return status;
}

sumi_status sumi_run(sumi_program *p) {
  sumi_status status = SUMI_OK;
  const int threads_before = sumi__set_library_threads(p->ctx->threads);
  for (size_t k = 0; k < p->n_steps && status == SUMI_OK; k++)
    status = p->profiling || p->profile ? run_profiled(&p->steps[k]) : sumi__step_run(&p->steps[k]);
  if (p->profiling) p->profiled_runs++;
  if (p->profile) p->profiled->runs++;
  sumi__set_library_threads(threads_before);
  return status;
}

sumi_program_info sumi_program_describe(const sumi_program *p) { return p->info; }

/* ---- Profile ---- */

void sumi_program_profile(sumi_program *p, bool on) {
  p->profiling = on;
  p->profiled_runs = 0;
  for (size_t k = 0; k < p->n_steps; k++) p->steps[k].seconds = 0.0;
}

typedef struct row {
  const sumi__step *step; /* NULL for a whole operator */
  const char *op;
  double seconds, flops;
  int count;
} row;

static int slowest_first(const void *a, const void *b) {
  const double x = ((const row *)a)->seconds, y = ((const row *)b)->seconds;
  return x < y ? 1 : x > y ? -1 : 0;
}

static double flops_of(const sumi__node *n) { return n->op->flops ? n->op->flops(n) : 0.0; }

static size_t by_operator(const sumi_program *p, row *rows) {
  size_t n = 0;
  for (size_t k = 0; k < p->n_steps; k++) {
    const sumi__node *node = p->steps[k].call.node;
    size_t i = 0;
    while (i < n && strcmp(rows[i].op, node->op->name) != 0) i++;
    if (i == n) rows[n++] = (row){.op = node->op->name};
    rows[i].seconds += p->steps[k].seconds;
    rows[i].flops += flops_of(node);
    rows[i].count++;
  }
  qsort(rows, n, sizeof *rows, slowest_first);
  return n;
}

static size_t by_step(const sumi_program *p, row *rows) {
  for (size_t k = 0; k < p->n_steps; k++) {
    const sumi__step *s = &p->steps[k];
    rows[k] = (row){s, s->call.node->op->name, s->seconds, flops_of(s->call.node), 1};
  }
  qsort(rows, p->n_steps, sizeof *rows, slowest_first);
  return p->n_steps;
}

/* "fused: silu mul add" says what is inside of a chain. */
static size_t print_chain(char *text, size_t room, const sumi__node *n) {
  if (n->op != &sumi__op_fused) return 0;
  const sumi__fused_attrs *a = n->attrs;
  size_t at = 0;
  for (int i = 0; i < a->n_ops && at + 32 < room; i++)
    at += (size_t)snprintf(text + at, room - at, " %s", a->ops[i].op->name);
  return at;
}

static size_t print_row(char *text, size_t room, const row *r, double total, int runs) {
  const double ms = r->seconds * 1e3 / runs;
  int at = snprintf(text, room, "%-20s %5d  %10.3f ms  %5.1f%%", r->op, r->count, ms,
                    total > 0 ? 100.0 * r->seconds / total : 0.0);
  if (r->flops > 0 && r->seconds > 0)
    at += snprintf(text + at, room - (size_t)at, "  %8.1f GFLOP/s", r->flops * runs / r->seconds * 1e-9);
  if (r->step) {
    const sumi__node *n = r->step->call.node;
    at += snprintf(text + at, room - (size_t)at, "  %s%s", sumi_dtype_name(n->outputs[0]->dtype),
                   SUMI__SHAPE_STR(&n->outputs[0]->shape));
    at += (int)print_chain(text + at, room - (size_t)at, n);
  }
  at += snprintf(text + at, room - (size_t)at, "\n");
  return (size_t)at;
}

const char *sumi_program_profile_text(sumi_program *p) {
  enum { LINE = 512 };
  const size_t room = (p->n_steps * 2 + 4) * LINE;
  sumi__free(p->ctx, p->profile_text);
  p->profile_text = sumi__alloc_zero(p->ctx, room);
  row *rows = sumi__alloc_array(p->ctx, p->n_steps + 1, sizeof *rows);
  if (!p->profile_text || !rows) {
    sumi__free(p->ctx, rows);
    return "";
  }
  const int runs = p->profiled_runs > 0 ? p->profiled_runs : 1;
  double total = 0.0;
  for (size_t k = 0; k < p->n_steps; k++) total += p->steps[k].seconds;
  size_t at = (size_t)snprintf(p->profile_text, room, "by operator, mean of %d runs, %.3f ms each\n", p->profiled_runs,
                               total * 1e3 / runs);
  size_t n = by_operator(p, rows);
  for (size_t i = 0; i < n; i++) at += print_row(p->profile_text + at, LINE, &rows[i], total, runs);
  at += (size_t)snprintf(p->profile_text + at, room - at, "by step\n");
  n = by_step(p, rows);
  for (size_t i = 0; i < n; i++) at += print_row(p->profile_text + at, LINE, &rows[i], total, runs);
  sumi__free(p->ctx, rows);
  return p->profile_text;
}
