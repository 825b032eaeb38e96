/* sumi plot loss: the curves of one or more trainings, from their log.csv. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOGS = 8, LINE_MAX_BYTES = 4096 };

typedef struct arguments {
  const char *out, *column;
  int64_t skip;
  double low, high;
  bool log_scale;
} arguments;

static const arguments defaults = {.out = "loss.png", .column = "loss"};
static const cli_option options[] = {
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "the PNG to write", 0, 0, NULL},
    {"column", 0, CLI_TEXT, offsetof(arguments, column), "NAME", "which column of the log", 0, 0, NULL},
    {"skip", 0, CLI_INT, offsetof(arguments, skip), "N", "leave the first N epochs out", 0, 1e6, NULL},
    {"low", 0, CLI_REAL, offsetof(arguments, low), "Y", "the axis begins here; with --high", -1e30, 1e30, NULL},
    {"high", 0, CLI_REAL, offsetof(arguments, high), "Y", "the axis ends here; 0 and 0: as the data are", -1e30, 1e30,
     NULL},
    {"log-scale", 0, CLI_FLAG, offsetof(arguments, log_scale), NULL, "the axis by its logarithm", 0, 0, NULL},
};

/* A training's curve: the mean of each epoch. */
typedef struct curve {
  char label[64];
  double *epoch, *mean;
  size_t count, capacity;
} curve;

/* The number of a column in the head line, or -1. */
static int find_column(const char *head, const char *name) {
  const size_t length = strlen(name);
  int index = 0;
  for (const char *at = head; *at; index++) {
    const size_t n = strcspn(at, ",\r\n");
    if (n == length && memcmp(at, name, n) == 0) return index;
    at += n;
    if (*at == ',')
      at++;
    else
      break;
  }
  return -1;
}

/* The value in a column of a line; NaN if it is empty or no number. */
static double value_at(const char *line, int column) {
  for (; column > 0; column--) {
    line = strchr(line, ',');
    if (!line) return NAN;
    line++;
  }
  char *end = NULL;
  const double value = strtod(line, &end);
  return end == line ? NAN : value;
}

static bool add_point(curve *k, double epoch, double mean) {
  if (k->count == k->capacity) {
    const size_t capacity = k->capacity ? 2 * k->capacity : 256;
    double *x = realloc(k->epoch, capacity * sizeof *x);
    if (x) k->epoch = x;
    double *y = x ? realloc(k->mean, capacity * sizeof *y) : NULL;
    if (!y) return false;
    k->mean = y;
    k->capacity = capacity;
  }
  k->epoch[k->count] = epoch;
  k->mean[k->count++] = mean;
  return true;
}

/* A log's rows, averaged by epoch, each with the weight of its pictures, as `sumi train` does it; the last epoch counts
 * even if it is not complete. */
static sumi_status read_rows(const cli *c, const arguments *a, const char *path, FILE *f, curve *k) {
  char line[LINE_MAX_BYTES];
  if (!fgets(line, sizeof line, f)) return cli_fail(c, SUMI_FORMAT, "%s: an empty file is no log", path);
  const int epoch_column = find_column(line, "epoch"), value_column = find_column(line, a->column);
  if (epoch_column < 0 || value_column < 0)
    return cli_fail(c, SUMI_FORMAT, "%s: no column `%s` in the first line", path,
                    epoch_column < 0 ? "epoch" : a->column);
  const int weight_column = find_column(line, "pictures");
  double present = NAN, sum = 0, weights = 0;
  for (bool more = true; more;) {
    more = fgets(line, sizeof line, f) != NULL;
    const double epoch = more ? value_at(line, epoch_column) : NAN, value = more ? value_at(line, value_column) : NAN;
    const double weight = more && weight_column >= 0 ? value_at(line, weight_column) : 1.0;
    if (more && (!isfinite(epoch) || !isfinite(value) || !(weight > 0.0))) continue;
    if (weights > 0.0 && (!more || epoch != present)) {
      if (present >= (double)a->skip && !add_point(k, present + 1, sum / weights))
        return cli_fail(c, SUMI_NO_MEMORY, "no memory for %s", path);
      sum = weights = 0.0;
    }
    present = epoch;
    sum += weight * value;
    weights += weight;
  }
  if (k->count == 0) return cli_fail(c, SUMI_FORMAT, "%s: no row with a number", path);
  return SUMI_OK;
}

static sumi_status read_log(const cli *c, const arguments *a, const char *given, curve *k) {
  char path[LINE_MAX_BYTES];
  const size_t length = strlen(given);
  const bool is_file = length > 4 && strcmp(given + length - 4, ".csv") == 0;
  if (snprintf(path, sizeof path, "%s%s", given, is_file ? "" : "/log.csv") >= (int)sizeof path)
    return cli_fail(c, SUMI_INVALID, "the path is too long");
  /* The training's folder names the curve. */
  const size_t folder = is_file ? strlen(path) - strlen(strrchr(path, '/') ? strrchr(path, '/') : path) : length;
  size_t from = folder;
  while (from > 0 && path[from - 1] != '/') from--;
  snprintf(k->label, sizeof k->label, "%.*s", (int)(folder - from), path + from);
  FILE *f;
  sumi_status status = cli_open_to_read(c, path, &f);
  if (status != SUMI_OK) return status;
  status = read_rows(c, a, path, f, k);
  fclose(f);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  const arguments *a = arguments_;
  curve curves[MAX_LOGS] = {0};
  sumi_plot_series series[MAX_LOGS] = {0};
  sumi_status status = cli_check_output(c, "--out", a->out, "png", CLI_OUTPUT_STREAM);
  for (int i = 0; i < operand_count && status == SUMI_OK; i++) {
    status = read_log(c, a, operands[i], &curves[i]);
    series[i] = (sumi_plot_series){
        .x = curves[i].epoch, .y = curves[i].mean, .count = curves[i].count, .label = curves[i].label};
    if (status == SUMI_OK)
      printf("%s: epoch %.0f, %s %.4f\n", curves[i].label, curves[i].epoch[curves[i].count - 1], a->column,
             curves[i].mean[curves[i].count - 1]);
  }
  const sumi_plot plot = {.title = "mean of each epoch",
                          .x_label = "epoch",
                          .y_label = a->column,
                          .series = series,
                          .series_count = (size_t)operand_count,
                          .log_y = a->log_scale,
                          .y_low = a->low,
                          .y_high = a->high};
  if (status == SUMI_OK) status = cli_report(c, sumi_plot_write(c->context, a->out, &plot));
  if (status == SUMI_OK) printf("%s\n", a->out);
  for (int i = 0; i < MAX_LOGS; i++) {
    free(curves[i].epoch);
    free(curves[i].mean);
  }
  return status;
}

const cli_command cli_plot_loss = {
    .name = "plot loss",
    .operand = "FOLDER...",
    .min_operands = 1,
    .max_operands = MAX_LOGS,
    .summary = "draw the curves of trainings",
    .details = "FOLDER is a training's `train.out`, or its log.csv. Prints each curve's last value.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
