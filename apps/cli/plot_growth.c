/* sumi plot growth: how seconds and memory grow with the side of pictures and with their number, beside the work. */
#include "results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NETWORKS = 3, MAX_POINTS = 64, PANELS = 4 };

typedef struct arguments {
  const char *out, *mode;
} arguments;

static const arguments defaults = {.out = "growth.png", .mode = "bf16 careful"};
static const cli_option options[] = {
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "the PNG to write", 0, 0, NULL},
    {"mode", 0, CLI_TEXT, offsetof(arguments, mode), "TEXT", "of the measurements", 0, 0, NULL},
};

/* A network's points along one direction, by x, and what they would be if they grew as the work does. */
typedef struct curve {
  double x[MAX_POINTS], y[MAX_POINTS], work[MAX_POINTS];
  size_t count;
  char label[64], work_label[64];
} curve;

typedef struct panel {
  const char *title;
  bool over_batch, memory;
  curve curves[MAX_NETWORKS];
} panel;

static int by_x(const void *a, const void *b) {
  const cli_result *x = *(const cli_result *const *)a, *y = *(const cli_result *const *)b;
  const double p = x->side * x->side * x->batch, q = y->side * y->side * y->batch;
  return (p > q) - (p < q);
}

/* The rows of a network in the mode, along the panel's direction. */
static size_t choose(const cli_results *all, const char *what, const char *mode, bool over_batch,
                     const cli_result **out) {
  size_t n = 0;
  for (size_t i = 0; i < all->count; i++) {
    const cli_result *r = &all->rows[i];
    if (strcmp(r->what, what) != 0 || strcmp(r->mode, mode) != 0 || !isfinite(r->gflop + r->side + r->batch)) continue;
    if (over_batch ? r->side != 512.0 : r->batch != 1.0) continue;
    size_t k = 0;
    while (k < n && (out[k]->side != r->side || out[k]->batch != r->batch)) k++;
    if (k == MAX_POINTS) continue;
    out[k] = r; /* of equal ones the last counts */
    n += k == n;
  }
  if (n) qsort(out, n, sizeof *out, by_x);
  return n;
}

/* The line of the work goes through the point of a 512x512 picture, or else the first. */
static void fill(curve *k, const panel *p, const char *what, const cli_result *const *rows, size_t n) {
  const cli_result *origin = rows[0];
  for (size_t i = 0; i < n; i++)
    if (rows[i]->side == 512.0 && rows[i]->batch == 1.0) origin = rows[i];
  for (size_t i = 0; i < n; i++) {
    const cli_result *r = rows[i];
    const double pixels = r->side * r->side * r->batch / (origin->side * origin->side * origin->batch);
    k->x[i] = p->over_batch ? r->batch : r->side;
    k->y[i] = p->memory ? r->activation_mb : r->seconds;
    k->work[i] = p->memory ? origin->activation_mb * pixels : origin->seconds * r->gflop / origin->gflop;
  }
  k->count = n;
  snprintf(k->label, sizeof k->label, "%s", what);
  snprintf(k->work_label, sizeof k->work_label, p->memory ? "%s, as its pixels" : "%s, as its operations", what);
}

static sumi_plot plot_of(const panel *p, sumi_plot_series *series) {
  sumi_plot plot = {.title = p->title,
                    .x_label = p->over_batch ? "pictures at once" : "pixels of a side",
                    .y_label = p->memory ? "MB of activations" : "seconds",
                    .series = series,
                    .width = 640,
                    .height = 420};
  for (int i = 0; i < MAX_NETWORKS; i++) {
    const curve *v = &p->curves[i];
    if (!v->count) continue;
    const sumi_plot_series measured = {.x = v->x, .y = v->y, .count = v->count, .label = v->label, .colour = 2 * i + 1};
    series[plot.series_count++] = measured;
    series[plot.series_count] = measured;
    series[plot.series_count].y = v->work;
    series[plot.series_count].label = v->work_label;
    series[plot.series_count].kind = SUMI_PLOT_THIN;
    series[plot.series_count++].colour = 2 * i + 2;
  }
  return plot;
}

static sumi_status draw(const cli *c, const arguments *a, const panel *panels) {
  sumi_plot plots[PANELS];
  sumi_plot_series series[PANELS][2 * MAX_NETWORKS];
  size_t n = 0;
  for (int k = 0; k < PANELS; k++) {
    plots[n] = plot_of(&panels[k], series[k]);
    n += plots[n].series_count > 0;
  }
  if (!n) return cli_fail(c, SUMI_INVALID, "the file has no network measured in the mode `%s`", a->mode);
  const sumi_status status = cli_report(c, sumi_plot_write_grid(c->context, a->out, plots, n, 2));
  if (status == SUMI_OK) printf("%s\n", a->out);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count;
  static const char *const networks[MAX_NETWORKS] = {"unet", "vae", "text"};
  static const char *const titles[PANELS] = {"one picture, by its side", "one picture, by its side",
                                             "512 x 512, by the number", "512 x 512, by the number"};
  panel *panels = calloc(PANELS, sizeof *panels);
  const arguments *a = arguments_;
  const cli_result *rows[MAX_POINTS];
  cli_results all = {0};
  if (!panels) return cli_fail(c, SUMI_NO_MEMORY, "out of memory");
  for (int k = 0; k < PANELS; k++) {
    panels[k].memory = k % 2 == 1;
    panels[k].over_batch = k >= 2;
    panels[k].title = titles[k];
  }
  sumi_status status = cli_check_output(c, "--out", a->out, "png", CLI_OUTPUT_STREAM);
  if (status == SUMI_OK) status = cli_results_read(c, operands[0], &all);
  for (int k = 0; k < PANELS && status == SUMI_OK; k++)
    for (int i = 0; i < MAX_NETWORKS; i++) {
      const size_t n = choose(&all, networks[i], a->mode, panels[k].over_batch, rows);
      if (n) fill(&panels[k].curves[i], &panels[k], networks[i], rows, n);
    }
  if (status == SUMI_OK) status = draw(c, a, panels);
  cli_results_free(&all);
  free(panels);
  return status;
}

const cli_command cli_plot_growth = {
    .name = "plot growth",
    .operand = "FILE.csv",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "draw seconds and memory against the size and the number of pictures",
    .details =
        "FILE.csv is what bench/growth.sh wrote. Thin lines are what each would be if it grew as the operations, or\n"
        "as the pixels, from one picture of 512x512 on.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
