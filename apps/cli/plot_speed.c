/* sumi plot speed: how fast the commits were, from what `sumi bench --record` has kept. */
#include "results.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SERIES = 16 };

typedef struct arguments {
  const char *out, *only, *mode, *column;
} arguments;

static const arguments defaults = {.out = "speed.png", .column = "gflops"};
static const cli_option options[] = {
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "the PNG to write", 0, 0, NULL},
    {"only", 0, CLI_TEXT, offsetof(arguments, only), "TEXT", "what has this in its name", 0, 0, NULL},
    {"mode", 0, CLI_TEXT, offsetof(arguments, mode), "TEXT", "what was measured in this mode, \"bf16 careful\" say", 0,
     0, NULL},
    {"column", 0, CLI_CHOICE, offsetof(arguments, column), NULL, "what is drawn", 0, 0,
     "gflops seconds gbs share activation_mb resident_mb"},
};

/* The measurements of one thing: a sum and a number of them for each commit, then means. */
typedef struct curve {
  const cli_result *like;
  char label[256];
  double *x, *y, *count;
} curve;

typedef struct chart {
  const cli *c;
  const arguments *a;
  cli_results results;
  const char **commits; /* in order of first appearance */
  size_t n_commits;
  curve curves[MAX_SERIES];
  size_t n_curves;
} chart;

static bool wanted(const chart *p, const cli_result *r) {
  if (p->a->only && !strstr(r->what, p->a->only)) return false;
  return (!p->a->mode || strcmp(r->mode, p->a->mode) == 0) && isfinite(*cli_result_number(r, p->a->column));
}

static size_t commit_of(chart *p, const cli_result *r) {
  size_t i = 0;
  while (i < p->n_commits && strcmp(p->commits[i], r->commit) != 0) i++;
  if (i == p->n_commits) p->commits[p->n_commits++] = r->commit;
  return i;
}

/* Empty cells are as good as equal ones. */
static bool equal(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static bool same(const cli_result *a, const cli_result *b) {
  return strcmp(a->what, b->what) == 0 && strcmp(a->mode, b->mode) == 0 && equal(a->side, b->side) &&
         equal(a->batch, b->batch) && equal(a->threads, b->threads) && strcmp(a->isa, b->isa) == 0 &&
         strcmp(a->cpu, b->cpu) == 0;
}

static void add(curve *k, const char *format, ...) CLI_PRINTF(2, 3);
static void add(curve *k, const char *format, ...) {
  const size_t at = strlen(k->label);
  va_list args;
  va_start(args, format);
  vsnprintf(k->label + at, sizeof k->label - at, format, args);
  va_end(args);
}

/* What was measured, and of where that was done whatever is not the same for all curves. */
static void name(chart *p) {
  bool isa = false, threads = false, cpu = false;
  for (size_t i = 1; i < p->n_curves; i++) {
    const cli_result *a = p->curves[0].like, *b = p->curves[i].like;
    isa = isa || strcmp(a->isa, b->isa) != 0;
    cpu = cpu || strcmp(a->cpu, b->cpu) != 0;
    threads = threads || !equal(a->threads, b->threads);
  }
  for (size_t i = 0; i < p->n_curves; i++) {
    curve *k = &p->curves[i];
    const cli_result *r = k->like;
    add(k, "%s", r->what);
    if (isfinite(r->side)) add(k, " %.0f", r->side);
    if (isfinite(r->batch) && r->batch != 1) add(k, " x%.0f", r->batch);
    add(k, ", %s", r->mode);
    if (isa && *r->isa) add(k, ", %s", r->isa);
    if (threads && isfinite(r->threads)) add(k, ", %.0f thread%s", r->threads, r->threads == 1 ? "" : "s");
    if (cpu && *r->cpu) add(k, ", %s", r->cpu);
  }
}

static curve *curve_of(chart *p, const cli_result *r) {
  const size_t most = p->results.count;
  for (size_t i = 0; i < p->n_curves; i++)
    if (same(p->curves[i].like, r)) return &p->curves[i];
  if (p->n_curves == MAX_SERIES) {
    cli_fail(p->c, SUMI_INVALID, "more than %d curves: choose with --only and --mode", (int)MAX_SERIES);
    return NULL;
  }
  curve *k = &p->curves[p->n_curves++];
  k->like = r;
  k->x = calloc(most, sizeof *k->x);
  k->y = calloc(most, sizeof *k->y);
  k->count = calloc(most, sizeof *k->count);
  if (!k->x || !k->y || !k->count) {
    cli_fail(p->c, SUMI_NO_MEMORY, "out of memory");
    return NULL;
  }
  return k;
}

static sumi_status collect(chart *p, const char *path) {
  p->commits = calloc(p->results.count + 1, sizeof *p->commits);
  if (!p->commits) return cli_fail(p->c, SUMI_NO_MEMORY, "out of memory");
  for (size_t i = 0; i < p->results.count; i++) {
    const cli_result *r = &p->results.rows[i];
    if (!wanted(p, r)) continue;
    const size_t at = commit_of(p, r);
    curve *k = curve_of(p, r);
    if (!k) return SUMI_INVALID;
    k->y[at] += *cli_result_number(r, p->a->column);
    k->count[at]++;
  }
  if (!p->n_curves) return cli_fail(p->c, SUMI_INVALID, "there is nothing of that kind in %s", path);
  name(p);
  for (size_t i = 0; i < p->n_curves; i++)
    for (size_t at = 0; at < p->n_commits; at++) {
      p->curves[i].x[at] = (double)at + 1.0;
      p->curves[i].y[at] /= p->curves[i].count[at]; /* NaN, a gap, where a commit has none */
    }
  return SUMI_OK;
}

static sumi_status draw(const chart *p) {
  sumi_plot_series series[MAX_SERIES];
  for (size_t i = 0; i < p->n_curves; i++)
    series[i] = (sumi_plot_series){
        .x = p->curves[i].x, .y = p->curves[i].y, .count = p->n_commits, .label = p->curves[i].label};
  const sumi_plot plot = {.title = "speed by commit",
                          .x_label = "commit",
                          .y_label = p->a->column,
                          .legend_beside = true,
                          .x_names = p->commits,
                          .x_name_count = p->n_commits,
                          .series = series,
                          .series_count = p->n_curves};
  for (size_t at = 0; at < p->n_commits; at++) printf("%zu %s\n", at + 1, p->commits[at]);
  const sumi_status status = cli_report(p->c, sumi_plot_write(p->c->context, p->a->out, &plot));
  if (status == SUMI_OK) printf("%s\n", p->a->out);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count;
  chart p = {.c = c, .a = arguments_};
  sumi_status status = cli_check_output(c, "--out", p.a->out, "png", CLI_OUTPUT_STREAM);
  if (status == SUMI_OK) status = cli_results_read(c, operands[0], &p.results);
  if (status == SUMI_OK) status = collect(&p, operands[0]);
  if (status == SUMI_OK) status = draw(&p);
  for (size_t i = 0; i < p.n_curves; i++) {
    free(p.curves[i].x);
    free(p.curves[i].y);
    free(p.curves[i].count);
  }
  free(p.commits);
  cli_results_free(&p.results);
  return status;
}

const cli_command cli_plot_speed = {
    .name = "plot speed",
    .operand = "FILE.csv",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "draw speed against commits",
    .details =
        "FILE.csv is one that `sumi bench --record` has added to; bench/results.csv is the project's own. Several\n"
        "measurements of one commit are averaged. Prints the commits in their order, of which the axis names as many "
        "as\n"
        "it has room for. A curve is one thing measured in one way on one machine.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
