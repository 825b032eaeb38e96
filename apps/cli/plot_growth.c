/* sumi plot growth: how seconds and activations grow with the side of pictures and with their number, beside the work.
 */
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
  const char *network;
} curve;

typedef struct panel {
  const char *title, *x_label, *y_label, *work_label;
  bool over_batch, memory;
  curve curves[MAX_NETWORKS];
} panel;

static const char *const networks[MAX_NETWORKS] = {"unet", "vae", "text"};

/* MAX_NETWORKS for what is none. */
static int network_of(const cli_result *r) {
  int i = 0;
  while (i < MAX_NETWORKS && strcmp(r->what, networks[i]) != 0) i++;
  return i;
}

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
static void fill(curve *k, const panel *p, const char *network, const cli_result *const *rows, size_t n) {
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
  k->network = network;
}

/* Dashed what each would be, and what it is over that. */
static sumi_plot plot_of(const panel *p, sumi_plot_series *series) {
  sumi_plot plot = {
      .title = p->title, .x_label = p->x_label, .y_label = p->y_label, .series = series, .width = 640, .height = 420};
  for (int measured = 0; measured < 2; measured++)
    for (int i = 0; i < MAX_NETWORKS; i++) {
      const curve *v = &p->curves[i];
      if (!v->count) continue;
      series[plot.series_count] = (sumi_plot_series){.x = v->x,
                                                     .y = measured ? v->y : v->work,
                                                     .count = v->count,
                                                     .label = measured                 ? v->network
                                                              : plot.series_count == 0 ? p->work_label
                                                                                       : NULL,
                                                     .kind = measured ? SUMI_PLOT_LINE : SUMI_PLOT_DASHED,
                                                     .colour = i + 1};
      plot.series_count++;
    }
  return plot;
}

/* "unet shrunk in bf16 off, ...": what the rows are of, as far as there is room. */
static void list_kinds(const cli_results *all, char *to, size_t room) {
  char kind[160];
  size_t at = 0;
  *to = 0;
  for (size_t i = 0; i < all->count; i++) {
    snprintf(kind, sizeof kind, "%s in %s, ", all->rows[i].what, all->rows[i].mode);
    if (strstr(to, kind)) continue;
    if (at + strlen(kind) + sizeof "..., " > room) {
      at += (size_t)snprintf(to + at, room - at, "..., ");
      break;
    }
    at += (size_t)snprintf(to + at, room - at, "%s", kind);
  }
  if (at) to[at - 2] = 0; /* the last comma */
}

/* There is nothing to draw: says what the file has instead. */
static sumi_status refuse(const cli *c, const arguments *a, const char *path, const cli_results *all) {
  char kinds[320];
  for (size_t i = 0; i < all->count; i++)
    if (network_of(&all->rows[i]) < MAX_NETWORKS && strcmp(all->rows[i].mode, a->mode) == 0)
      return cli_fail(
          c, SUMI_INVALID,
          "%s: nothing grows in it: each network was measured in the mode `%s` with one side of one picture, "
          "and one number of 512x512; bench/growth.sh measures several",
          path, a->mode);
  list_kinds(all, kinds, sizeof kinds);
  return cli_fail(c, SUMI_INVALID, "%s: expected unet, vae or text in the mode `%s`, found %s", path, a->mode,
                  *kinds ? kinds : "no rows");
}

static sumi_status draw(const cli *c, const arguments *a, const char *path, const cli_results *all,
                        const panel *panels) {
  sumi_plot plots[PANELS];
  sumi_plot_series series[PANELS][2 * MAX_NETWORKS];
  size_t n = 0;
  for (int k = 0; k < PANELS; k++) {
    plots[n] = plot_of(&panels[k], series[k]);
    n += plots[n].series_count > 0;
  }
  if (!n) return refuse(c, a, path, all);
  const sumi_status status = cli_report(c, sumi_plot_write_grid(c->context, a->out, plots, n, 2));
  if (status == SUMI_OK) printf("%s\n", a->out);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count;
  panel panels[PANELS] = {
      {"one picture: seconds", "pixels of a side", "seconds", "as the operations", .memory = false},
      {"one picture: activations, without weights", "pixels of a side", "MB of activations", "as the pixels",
       .memory = true},
      {"of 512 x 512: seconds", "pictures at once", "seconds", "as the operations", .over_batch = true},
      {"of 512 x 512: activations, without weights", "pictures at once", "MB of activations", "as the number",
       .over_batch = true, .memory = true}};
  const arguments *a = arguments_;
  const cli_result *rows[MAX_POINTS];
  cli_results all = {0};
  sumi_status status = cli_check_output(c, "--out", a->out, "png", CLI_OUTPUT_STREAM);
  if (status == SUMI_OK) status = cli_results_read(c, operands[0], &all);
  for (int k = 0; k < PANELS && status == SUMI_OK; k++)
    for (int i = 0; i < MAX_NETWORKS; i++) {
      const size_t n = choose(&all, networks[i], a->mode, panels[k].over_batch, rows);
      if (n > 1) fill(&panels[k].curves[i], &panels[k], networks[i], rows, n);
    }
  if (status == SUMI_OK) status = draw(c, a, operands[0], &all, panels);
  cli_results_free(&all);
  return status;
}

const cli_command cli_plot_growth = {
    .name = "plot growth",
    .operand = "FILE.csv",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "draw seconds and activations against the size and the number of pictures",
    .details =
        "FILE.csv is what bench/growth.sh wrote. Memory is that of activations alone (activation_mb): weights do not\n"
        "grow. Dashed lines are what each would be if it grew as its operations, its pixels or the number of\n"
        "pictures, from one picture of 512x512 on. What was measured at one size alone is left out.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
