/* Collects the times of programs' steps. */
#include "tensor/profile.h"

#include "tensor/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

sumi_status sumi_profile_create(sumi_context *ctx, sumi_profile **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  SUMI_CHECK(ctx, !ctx->profile, SUMI_INVALID, "profile: the context has one already");
  sumi_profile *profile = sumi__alloc_zero(ctx, sizeof *profile);
  SUMI_TRY(profile ? SUMI_OK : SUMI_NO_MEMORY);
  profile->ctx = ctx;
  profile->owners = 1;
  sumi__arena_init(&profile->arena, ctx);
  ctx->profile = *out = profile;
done:
  return status;
}

void sumi__profile_release(sumi_profile *profile) {
  if (!profile || --profile->owners > 0) return;
  sumi_context *ctx = profile->ctx;
  sumi__arena_free(&profile->arena);
  sumi__free(ctx, profile->programs);
  sumi__free(ctx, profile->rows);
  sumi__free(ctx, profile->text);
  sumi__free(ctx, profile);
}

void sumi_profile_free(sumi_profile *profile) {
  if (profile) profile->ctx->profile = NULL;
  sumi__profile_release(profile);
}

/* ---- Rows ---- */

static sumi_status want_program(sumi_profile *f, const char *name, uint64_t hash, sumi__profile_program **out) {
  sumi_status status = SUMI_OK;
  int number = 1;
  for (size_t i = 0; i < f->n_programs; i++) {
    if (strcmp((*out = f->programs[i])->name, name) != 0) continue;
    if ((*out)->hash == hash) return SUMI_OK;
    number++;
  }
  SUMI_TRY(sumi__grow(f->ctx, (void **)&f->programs, &f->programs_capacity, f->n_programs + 1, sizeof *f->programs));
  *out = sumi__arena_alloc(&f->arena, sizeof **out);
  SUMI_TRY(*out ? SUMI_OK : SUMI_NO_MEMORY);
  (*out)->name = sumi__arena_strdup(&f->arena, name);
  SUMI_TRY((*out)->name ? SUMI_OK : SUMI_NO_MEMORY);
  (*out)->number = number;
  (*out)->hash = hash;
  f->programs[f->n_programs++] = *out;
done:
  return status;
}

static bool same(const sumi__profile_row *a, const sumi__profile_row *b) {
  return a->program == b->program && a->op == b->op && a->compute == b->compute && a->call_flops == b->call_flops &&
         a->call_bytes == b->call_bytes && strcmp(a->layer, b->layer) == 0 && strcmp(a->result, b->result) == 0;
}

/* The row like this one, whose texts are copied if it is new. */
static sumi_status want_row(sumi_profile *f, const sumi__profile_row *like, sumi__profile_row **out) {
  sumi_status status = SUMI_OK;
  for (size_t i = 0; i < f->n_rows; i++)
    if (same(*out = f->rows[i], like)) return SUMI_OK;
  SUMI_TRY(sumi__grow(f->ctx, (void **)&f->rows, &f->rows_capacity, f->n_rows + 1, sizeof *f->rows));
  *out = sumi__arena_copy(&f->arena, like, sizeof *like);
  SUMI_TRY(*out ? SUMI_OK : SUMI_NO_MEMORY);
  (*out)->layer = sumi__arena_strdup(&f->arena, like->layer);
  (*out)->result = sumi__arena_strdup(&f->arena, like->result);
  SUMI_TRY((*out)->layer && (*out)->result ? SUMI_OK : SUMI_NO_MEMORY);
  f->rows[f->n_rows++] = *out;
done:
  return status;
}

/* What has to be read and written at least. */
static double bytes_of(const sumi__step *s) {
  const sumi__node *n = s->call.node;
  size_t bytes = 0;
  for (int i = 0; i < n->n_inputs; i++)
    bytes += s->prep.packed_bytes[i] ? s->prep.packed_bytes[i] : sumi__tensor_bytes(n->inputs[i]);
  for (int i = 0; i < n->n_outputs; i++) bytes += sumi__tensor_bytes(n->outputs[i]);
  return (double)bytes;
}

/* "bf16[2, 64, 64, 320]", and for a chain " silu mul add". */
static void print_result(char *text, size_t room, const sumi__node *n) {
  int at = snprintf(text, room, "%s%s", sumi_dtype_name(n->outputs[0]->dtype), SUMI__SHAPE_STR(&n->outputs[0]->shape));
  if (n->op != &sumi__op_fused) return;
  const sumi__fused_attrs *a = n->attrs;
  for (int i = 0; i < a->n_ops && at >= 0 && (size_t)at < room; i++)
    at += snprintf(text + at, room - (size_t)at, " %s", a->ops[i].op->name);
}

/* A row that lends its texts. */
typedef struct description {
  sumi__profile_row row;
  char result[512], layer[256];
} description;

static void describe_step(const sumi__step *s, const sumi__layer_name *names, description *out) {
  const sumi__node *n = s->call.node;
  const sumi__layer_name name = names[n->id];
  snprintf(out->layer, sizeof out->layer, "%.*s", name.length, name.length ? name.text : "");
  print_result(out->result, sizeof out->result, n);
  out->row = (sumi__profile_row){.op = n->op->name,
                                 .layer = out->layer,
                                 .result = out->result,
                                 .compute = n->n_inputs ? n->inputs[0]->dtype : n->outputs[0]->dtype,
                                 .call_flops = n->op->flops ? n->op->flops(n) : 0.0,
                                 .call_bytes = bytes_of(s)};
}

static uint64_t hash_steps(const sumi_program *p, const sumi__layer_name *names) {
  uint64_t hash = 0;
  description d;
  for (size_t k = 0; k < p->n_steps; k++) {
    describe_step(&p->steps[k], names, &d);
    const char *const texts[] = {d.row.op, d.row.layer, d.row.result};
    const double numbers[] = {(double)d.row.compute, d.row.call_flops, d.row.call_bytes};
    for (int i = 0; i < 3; i++) hash = sumi__hash(texts[i], strlen(texts[i]) + 1, hash);
    hash = sumi__hash(numbers, sizeof numbers, hash);
  }
  return hash;
}

static sumi_status attach_step(sumi_profile *f, sumi__step *s, sumi__profile_program *program,
                               const sumi__layer_name *names) {
  description d;
  describe_step(s, names, &d);
  d.row.program = program;
  return want_row(f, &d.row, &s->row);
}

sumi_status sumi__profile_attach(sumi_program *p, const char *name) {
  sumi_status status = SUMI_OK;
  sumi_profile *f = p->ctx->profile;
  if (!f) return SUMI_OK;
  sumi__layer_name *names = sumi__alloc_array(p->ctx, p->g->n_nodes, sizeof *names);
  SUMI_TRY(names ? SUMI_OK : SUMI_NO_MEMORY);
  sumi__layer_names(p->g, names);
  SUMI_TRY(want_program(f, name ? name : "program", hash_steps(p, names), &p->profiled));
  for (size_t k = 0; k < p->n_steps; k++) SUMI_TRY(attach_step(f, &p->steps[k], p->profiled, names));
  p->profile = f;
  f->owners++;
done:
  sumi__free(p->ctx, names);
  return status;
}

void sumi__profile_forget(const sumi_program *p) {
  if (!p->profile) return;
  p->profiled->runs = 0;
  for (size_t k = 0; k < p->n_steps; k++) {
    p->steps[k].row->calls = 0;
    p->steps[k].row->seconds = 0.0;
  }
}

/* ---- Reading ---- */

static int slowest_first(const void *a, const void *b) {
  const sumi__profile_row *x = *(sumi__profile_row *const *)a, *y = *(sumi__profile_row *const *)b;
  if (x->seconds != y->seconds) return x->seconds < y->seconds ? 1 : -1;
  return (x->calls < y->calls) - (x->calls > y->calls);
}

void sumi__profile_sort(sumi_profile *f) {
  if (f->n_rows) qsort(f->rows, f->n_rows, sizeof *f->rows, slowest_first);
}

size_t sumi_profile_count(sumi_profile *f) {
  size_t n = 0;
  for (size_t i = 0; i < f->n_rows; i++) n += f->rows[i]->calls > 0;
  return n;
}

sumi_profile_row sumi_profile_at(sumi_profile *f, size_t i) {
  sumi__profile_sort(f);
  const sumi__profile_row *r = f->rows[i];
  return (sumi_profile_row){.program = r->program->name,
                            .number = r->program->number,
                            .op = r->op,
                            .layer = r->layer,
                            .result = r->result,
                            .compute = r->compute,
                            .runs = r->program->runs,
                            .calls = r->calls,
                            .seconds = r->seconds,
                            .flops = r->call_flops * (double)r->calls,
                            .bytes = r->call_bytes * (double)r->calls};
}
