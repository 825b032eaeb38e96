/* sumi plot speed: how fast the commits were, from what `sumi bench --record` has kept. */
#include "results.h"

#include <math.h>
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
  char label[160];
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
         equal(a->batch, b->batch) && equal(a->threads, b->threads);
}

static void name(curve *k) {
  const cli_result *r = k->like;
  int n = snprintf(k->label, sizeof k->label, "%s", r->what);
  if (isfinite(r->side)) n += snprintf(k->label + n, sizeof k->label - (size_t)n, " %.0f", r->side);
  if (isfinite(r->batch) && r->batch != 1) n += snprintf(k->label + n, sizeof k->label - (size_t)n, " x%.0f", r->batch);
  snprintf(k->label + n, sizeof k->label - (size_t)n, ", %s", r->mode);
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
  name(k);
  return k;
}

static sumi_status collect(chart *p) {
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
  if (!p->n_curves) return cli_fail(p->c, SUMI_INVALID, "there is nothing of that kind in the file");
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
  if (status == SUMI_OK) status = collect(&p);
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
        "measurements of one commit are averaged. Prints which number stands for which commit.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
