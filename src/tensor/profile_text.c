/* A profile as a table. */
#include "tensor/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of the table: a row, or the sum of several. */
typedef struct line {
  const sumi__profile_row *row; /* NULL: of a whole operator */
  const char *op;
  int64_t calls;
  double seconds, flops, bytes;
  double ideal; /* seconds at the machine's peaks */
} line;

typedef struct table {
  const sumi_profile *profile;
  const sumi_machine *machine; /* or NULL */
  const sumi__profile_program *program;
  double seconds; /* of all of the program's rows */
  char *text;
  size_t at, room;
} table;

static double ideal_seconds(const sumi_machine *m, const sumi__profile_row *r) {
  if (!m) return 0.0;
  if (r->call_flops <= 0.0) return r->call_bytes * (double)r->calls / m->bytes_per_second;
  return r->call_flops * (double)r->calls / (r->compute == SUMI_BF16 ? m->bf16_flops : m->f32_flops);
}

static void add(line *l, const table *t, const sumi__profile_row *r) {
  l->calls += r->calls;
  l->seconds += r->seconds;
  l->flops += r->call_flops * (double)r->calls;
  l->bytes += r->call_bytes * (double)r->calls;
  l->ideal += ideal_seconds(t->machine, r);
}

static int slowest_first(const void *a, const void *b) {
  const double x = ((const line *)a)->seconds, y = ((const line *)b)->seconds;
  return x < y ? 1 : x > y ? -1 : 0;
}

/* What does not fit is left out. */
static void print(table *t, const char *format, ...) SUMI__PRINTF(2, 3);
static void print(table *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(t->text + t->at, t->room - t->at, format, args);
  va_end(args);
  if (n > 0) t->at = t->at + (size_t)n < t->room ? t->at + (size_t)n : t->room - 1;
}

static void print_rates(table *t, const line *l) {
  const double ms = l->seconds * 1e3 / (double)t->program->runs;
  print(t, "%7lld %11.3f %6.1f%%", (long long)l->calls, ms, t->seconds > 0.0 ? 100.0 * l->seconds / t->seconds : 0.0);
  if (l->flops > 0.0 && l->seconds > 0.0)
    print(t, " %9.1f", l->flops / l->seconds * 1e-9);
  else
    print(t, " %9s", "");
  print(t, " %7.1f", l->seconds > 0.0 ? l->bytes / l->seconds * 1e-9 : 0.0);
  if (t->machine) print(t, " %6.0f%%", l->seconds > 0.0 ? 100.0 * l->ideal / l->seconds : 0.0);
}

static void print_head(table *t, const char *what) {
  print(t, "  %-20s   calls    ms a run   share   GFLOP/s    GB/s%s\n", what, t->machine ? " of peak" : "");
}

static void print_program(table *t, const line *lines, size_t n) {
  line all = {0};
  for (size_t i = 0; i < n; i++) {
    all.seconds += lines[i].seconds;
    all.flops += lines[i].flops;
    all.ideal += lines[i].ideal;
  }
  t->seconds = all.seconds;
  print(t, "%s", t->program->name);
  if (t->program->number > 1) print(t, ", program %d", t->program->number);
  print(t, ": %lld runs, %.3f s", (long long)t->program->runs, all.seconds);
  if (all.seconds > 0.0 && all.flops > 0.0) print(t, ", %.1f GFLOP/s", all.flops / all.seconds * 1e-9);
  if (t->machine && all.seconds > 0.0)
    print(t, ", %.0f%% of %s peak", 100.0 * all.ideal / all.seconds, all.flops > 0.0 ? "the" : "memory's");
  print(t, "\n");
}

static size_t by_operator(const table *t, line *lines) {
  size_t n = 0;
  for (size_t k = 0; k < t->profile->n_rows; k++) {
    const sumi__profile_row *r = t->profile->rows[k];
    size_t i = 0;
    if (r->program != t->program || r->calls == 0) continue;
    while (i < n && strcmp(lines[i].op, r->op) != 0) i++;
    if (i == n) lines[n++] = (line){.op = r->op};
    add(&lines[i], t, r);
  }
  if (n) qsort(lines, n, sizeof *lines, slowest_first);
  return n;
}

static size_t by_layer(const table *t, line *lines) {
  size_t n = 0;
  for (size_t k = 0; k < t->profile->n_rows; k++) {
    const sumi__profile_row *r = t->profile->rows[k];
    if (r->program != t->program || r->calls == 0) continue;
    lines[n] = (line){.row = r, .op = r->op};
    add(&lines[n++], t, r);
  }
  return n; /* the rows are sorted */
}

static void print_lines(table *t, const char *what, const line *lines, size_t n, size_t most) {
  line rest = {0};
  print_head(t, what);
  for (size_t i = 0; i < n && i < most; i++) {
    print(t, "  %-20s ", lines[i].op);
    print_rates(t, &lines[i]);
    if (lines[i].row) print(t, "  %s%s%s", lines[i].row->layer, *lines[i].row->layer ? " " : "", lines[i].row->result);
    print(t, "\n");
  }
  for (size_t i = most; i < n; i++) {
    rest.calls += lines[i].calls;
    rest.seconds += lines[i].seconds;
    rest.flops += lines[i].flops;
    rest.bytes += lines[i].bytes;
    rest.ideal += lines[i].ideal;
  }
  if (n <= most) return;
  print(t, "  %-20s ", "(the others)");
  print_rates(t, &rest);
  print(t, "  %zu rows\n", n - most);
}

static void print_all(table *t, line *lines, size_t layers) {
  for (size_t i = 0; i < t->profile->n_programs; i++) {
    t->program = t->profile->programs[i];
    if (t->program->runs == 0) continue;
    size_t n = by_operator(t, lines);
    print_program(t, lines, n);
    print_lines(t, "by operator", lines, n, n);
    n = by_layer(t, lines);
    print_lines(t, "by layer", lines, n, layers ? layers : n);
  }
}

const char *sumi_profile_text(sumi_profile *f, const sumi_machine *machine, size_t layers) {
  enum { LINE = 1024 };
  table t = {.profile = f, .machine = machine, .room = (f->n_rows * 2 + f->n_programs * 8 + 1) * LINE};
  sumi__free(f->ctx, f->text);
  f->text = t.text = sumi__alloc_zero(f->ctx, t.room);
  line *lines = sumi__alloc_array(f->ctx, f->n_rows + 1, sizeof *lines);
  sumi__profile_sort(f);
  if (t.text && lines) print_all(&t, lines, layers);
  sumi__free(f->ctx, lines);
  return f->text ? f->text : "";
}
