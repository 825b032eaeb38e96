/* sumi plot forward and reverse: diffusion in one dimension. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- One dimension ---- */

typedef struct demo_arguments {
  const char *out, *histogram;
  int64_t count, steps, seed;
  double duration;
} demo_arguments;

static const demo_arguments forward_defaults = {
    .out = "forward.png", .count = 5, .steps = 500, .seed = 1, .duration = 10};
static const demo_arguments reverse_defaults = {
    .out = "reverse.png", .count = 5, .steps = 500, .seed = 1, .duration = 10};
static const cli_option demo_options[] = {
    {"out", 'o', CLI_TEXT, offsetof(demo_arguments, out), "FILE", "the PNG to write", 0, 0, NULL},
    {"histogram", 0, CLI_TEXT, offsetof(demo_arguments, histogram), "FILE",
     "a second PNG: where they end, beside the exact density; wants a --count of thousands", 0, 0, NULL},
    {"count", 'n', CLI_INT, offsetof(demo_arguments, count), "N", "trajectories; at most 100 are drawn", 1, 1e6, NULL},
    {"steps", 0, CLI_INT, offsetof(demo_arguments, steps), "N", "of each", 1, 100000, NULL},
    {"seed", 0, CLI_INT, offsetof(demo_arguments, seed), "N", "decides all noise", 0, 9007199254740992.0, NULL},
    {"duration", 0, CLI_REAL, offsetof(demo_arguments, duration), "T", "how long noise flows in", 1e-6, 1e6, NULL},
};

/* Two values, one twice as likely, as the data that diffuse. */
static const double weights[] = {1, 2}, means[] = {-3, 3}, stds[] = {0.3, 0.3};

enum { MOST_DRAWN = 100, BINS = 80, DENSITY_POINTS = 600 };

static sumi_status draw_trajectories(const cli *c, const demo_arguments *a, const float *x, bool forward) {
  const size_t points = (size_t)a->steps + 1, curves = (size_t)(a->count < MOST_DRAWN ? a->count : MOST_DRAWN);
  double *t = malloc(points * sizeof *t), *y = malloc(curves * points * sizeof *y);
  sumi_plot_series series[MOST_DRAWN] = {0};
  if (!t || !y) {
    free(t);
    free(y);
    return cli_fail(c, SUMI_NO_MEMORY, "no memory for the curves");
  }
  for (size_t k = 0; k < points; k++) t[k] = a->duration * (double)k / (double)a->steps;
  for (size_t i = 0; i < curves * points; i++) y[i] = x[i];
  for (size_t i = 0; i < curves; i++)
    series[i] = (sumi_plot_series){.x = t,
                                   .y = y + i * points,
                                   .count = points,
                                   .kind = curves > 8 ? SUMI_PLOT_THIN : SUMI_PLOT_LINE,
                                   .colour = (int)(i % 8) + 1};
  const sumi_plot plot = {.title = forward ? "forward: data become noise" : "reverse: noise becomes data",
                          .x_label = forward ? "time" : "time on the way back",
                          .y_label = "x",
                          .series = series,
                          .series_count = curves};
  const sumi_status status = cli_report(c, sumi_plot_write(c->context, a->out, &plot));
  free(t);
  free(y);
  if (status == SUMI_OK) printf("%s\n", a->out);
  return status;
}

/* Where the trajectories ended, as a density in bins, beside the exact one at time t. */
static sumi_status draw_histogram(const cli *c, const demo_arguments *a, const sumi_demo_1d *demo, const float *x,
                                  double t, const char *title) {
  double middle[BINS], share[BINS] = {0}, at[DENSITY_POINTS], exact[DENSITY_POINTS];
  double low = x[a->steps], high = low;
  for (int64_t i = 0; i < a->count; i++) {
    const double end = x[i * (a->steps + 1) + a->steps];
    low = end < low ? end : low;
    high = end > high ? end : high;
  }
  const double width = high > low ? (high - low) / BINS : 1.0;
  for (int64_t i = 0; i < a->count; i++) {
    const int bin = (int)((x[i * (a->steps + 1) + a->steps] - low) / width);
    share[bin < BINS ? bin : BINS - 1] += 1.0 / ((double)a->count * width);
  }
  for (int k = 0; k < BINS; k++) middle[k] = low + (k + 0.5) * width;
  for (int k = 0; k < DENSITY_POINTS; k++) {
    at[k] = low + BINS * width * k / (DENSITY_POINTS - 1);
    sumi_demo_1d_density(demo, t, at[k], &exact[k], NULL);
  }
  const sumi_plot_series series[] = {
      {.x = middle, .y = share, .count = BINS, .label = "trajectories", .kind = SUMI_PLOT_BARS},
      {.x = at, .y = exact, .count = DENSITY_POINTS, .label = "exact density"}};
  const sumi_plot plot = {.title = title, .x_label = "x", .y_label = "density", .series = series, .series_count = 2};
  const sumi_status status = cli_report(c, sumi_plot_write(c->context, a->histogram, &plot));
  if (status == SUMI_OK) printf("%s\n", a->histogram);
  return status;
}

static sumi_status check_outputs(const cli *c, const demo_arguments *a) {
  const sumi_status status = cli_check_output(c, "--out", a->out, "png", CLI_OUTPUT_STREAM);
  if (status != SUMI_OK || !a->histogram) return status;
  if (cli_same_file(a->out, a->histogram))
    return cli_fail(c, SUMI_INVALID, "--out and --histogram are the same file, %s", a->out);
  return cli_check_output(c, "--histogram", a->histogram, "png", CLI_OUTPUT_STREAM);
}

static sumi_status run_demo(cli *c, const demo_arguments *a, bool forward) {
  const sumi_demo_1d demo = {.components = 2,
                             .weights = weights,
                             .means = means,
                             .stds = stds,
                             .duration = a->duration,
                             .steps = (int)a->steps,
                             .count = a->count,
                             .seed = (uint64_t)a->seed};
  sumi_status status = check_outputs(c, a);
  if (status != SUMI_OK) return status;
  float *x = malloc((size_t)a->count * ((size_t)a->steps + 1) * sizeof *x);
  if (!x) return cli_fail(c, SUMI_NO_MEMORY, "no memory for %lld trajectories", (long long)a->count);
  status =
      cli_report(c, forward ? sumi_demo_1d_forward(c->context, &demo, x) : sumi_demo_1d_reverse(c->context, &demo, x));
  if (status == SUMI_OK) status = draw_trajectories(c, a, x, forward);
  if (status == SUMI_OK && a->histogram)
    status = draw_histogram(c, a, &demo, x, forward ? a->duration : 0,
                            forward ? "after diffusion" : "after the way back, and the data's density");
  free(x);
  return status;
}

static sumi_status run_forward(cli *c, const void *arguments, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  return run_demo(c, arguments, true);
}

static sumi_status run_reverse(cli *c, const void *arguments, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  return run_demo(c, arguments, false);
}

const cli_command cli_plot_forward = {
    .name = "plot forward",
    .operand = "",
    .summary = "draw diffusion in one dimension: two values become noise",
    .details = "x += sqrt(dt) z, from a mixture of N(-3, 0.3^2) and, twice as likely, N(3, 0.3^2).\n",
    .options = demo_options,
    .option_count = sizeof demo_options / sizeof *demo_options,
    .defaults = &forward_defaults,
    .arguments_bytes = sizeof forward_defaults,
    .run = run_forward,
};

const cli_command cli_plot_reverse = {
    .name = "plot reverse",
    .operand = "",
    .summary = "draw the way back: noise becomes the two values",
    .details = "x += score(x, t) dt + sqrt(dt) z, with the exact score of the diffused mixture.\n",
    .options = demo_options,
    .option_count = sizeof demo_options / sizeof *demo_options,
    .defaults = &reverse_defaults,
    .arguments_bytes = sizeof reverse_defaults,
    .run = run_reverse,
};
