/* sumi sample: draws pictures with a trained model. */
#include "pictures.h"
#include "sampling.h"
#include "trajectory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CELLS = 64 }; /* pictures that an animation shows */

typedef struct arguments {
  const char *model, *classes, *out, *trajectory;
  int64_t count, columns, scale, frames;
  bool separate;
  cli_sampling sampling;
} arguments;

static const arguments defaults = {.model = "models/digits",
                                   .classes = "all",
                                   .out = "sample.png",
                                   .columns = 10,
                                   .scale = 3,
                                   .frames = 100,
                                   .sampling = CLI_SAMPLING_DEFAULTS};

static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, offsetof(arguments, model), "DIR", "the model's folder", 0, 0, NULL},
    {"class", 'c', CLI_TEXT, offsetof(arguments, classes), "LIST", "what to draw: 7, or 0-9, or 3,1,4, or all", 0, 0,
     NULL},
    {"count", 'n', CLI_INT, offsetof(arguments, count), "N",
     "pictures, going round the list of classes; 0 means one of each", 0, 100000, NULL},
    {"out", 'o', CLI_TEXT, offsetof(arguments, out), "FILE", "the PNG to write", 0, 0, NULL},
    {"separate", 0, CLI_FLAG, offsetof(arguments, separate), NULL,
     "one file for each picture, numbered, instead of a grid", 0, 0, NULL},
    {"columns", 0, CLI_INT, offsetof(arguments, columns), "N", "of the grid", 1, 1000, NULL},
    {"scale", 0, CLI_INT, offsetof(arguments, scale), "N", "enlarge each pixel N times", 1, 64, NULL},
    {"trajectory", 0, CLI_TEXT, offsetof(arguments, trajectory), "FILE",
     "an animated PNG of the way there: the state x, and beside it the predicted x0", 0, 0, NULL},
    {"frames", 0, CLI_INT, offsetof(arguments, frames), "N", "at most so many in the animation", 2, 10000, NULL},
    CLI_SAMPLING_OPTIONS(arguments, sampling),
};

/* ---- Classes ---- */

/* Reads "7", "0-9", "3,1,4", "0-4,9" or "all" into a list, to be freed. */
static sumi_status parse_classes(const cli *c, const char *text, int64_t classes, int64_t **out, int64_t *out_count) {
  int64_t *list = NULL, count = 0, capacity = 0;
  char all[32];
  snprintf(all, sizeof all, "0-%lld", (long long)(classes - 1));
  const char *at = strcmp(text, "all") == 0 ? all : text;
  for (bool more = true; more;) {
    char *end = NULL;
    const long first = strtol(at, &end, 10);
    long last = first;
    bool good = end != at;
    if (good && *end == '-') {
      at = end + 1;
      last = strtol(at, &end, 10);
      good = end != at;
    }
    more = good && *end == ',';
    if (!good || (*end && !more) || first < 0 || last < first || last >= classes) {
      free(list);
      return cli_fail(c, SUMI_INVALID, "--class: expected numbers from 0 to %lld such as 7 or 0-3,9; found `%s`",
                      (long long)(classes - 1), text);
    }
    if (count + last - first + 1 > capacity) {
      capacity = 2 * (count + last - first + 1);
      int64_t *larger = realloc(list, (size_t)capacity * sizeof *list);
      if (!larger) {
        free(list);
        return cli_fail(c, SUMI_NO_MEMORY, "out of memory");
      }
      list = larger;
    }
    for (long k = first; k <= last; k++) list[count++] = k;
    at = end + 1;
  }
  *out = list;
  *out_count = count;
  return SUMI_OK;
}

/* ---- A job ---- */

typedef struct job {
  const cli *c;
  const arguments *a;
  sumi_digits *model;
  sumi_digits_info info;
  int64_t count;
  int64_t *labels; /* NULL if the model has no classes */
  float *pictures;
  cli_trajectory trajectory;
  cli_sampling_watch watch;
} job;

static sumi_status choose_labels(job *j) {
  int64_t *list = NULL, list_count = 0;
  j->count = j->a->count;
  if (j->info.classes == 0) {
    if (strcmp(j->a->classes, defaults.classes) != 0)
      return cli_fail(j->c, SUMI_INVALID, "--class: the model in %s has no classes", j->a->model);
    if (j->count == 0) j->count = 10;
    return SUMI_OK;
  }
  const sumi_status status = parse_classes(j->c, j->a->classes, j->info.classes, &list, &list_count);
  if (status != SUMI_OK) return status;
  if (j->count == 0) j->count = list_count;
  j->labels = malloc((size_t)j->count * sizeof *j->labels);
  for (int64_t i = 0; j->labels && i < j->count; i++) j->labels[i] = list[i % list_count];
  free(list);
  return j->labels ? SUMI_OK : cli_fail(j->c, SUMI_NO_MEMORY, "out of memory");
}

static cli_grid grid_of(const job *j, int64_t count) {
  return (cli_grid){count, j->a->columns, j->info.height, j->info.width, j->a->scale, j->a->scale};
}

/* The animation begins with the first batch, whose size the library chooses. */
static sumi_status show_step(job *j, const sumi_sample_progress *at) {
  if (!j->trajectory.animation) {
    const cli_grid grid = grid_of(j, at->count);
    const sumi_status status =
        cli_trajectory_begin(&j->trajectory, j->c, j->a->trajectory, &grid, j->info.sigma, (int)j->a->frames);
    if (status != SUMI_OK) return status;
  }
  return cli_trajectory_add(&j->trajectory, at, j->count);
}

static bool on_step(void *user, const sumi_sample_progress *at) {
  job *j = user;
  if (j->a->trajectory && at->first == 0 && show_step(j, at) != SUMI_OK) {
    j->watch.complained = true;
    return false;
  }
  return cli_sampling_step(&j->watch, at);
}

/* What can be known before the work: that the files can be written, and that the pictures fit into them. */
static sumi_status check_outputs(const job *j) {
  const arguments *a = j->a;
  const cli_grid all = grid_of(j, j->count),
                 shown = grid_of(j, j->count < a->sampling.batch ? j->count : a->sampling.batch);
  if (!a->separate && cli_grid_check(j->c, &all, 1, a->out) != SUMI_OK) return SUMI_INVALID;
  if (!a->trajectory) return SUMI_OK;
  if (shown.count > MOST_CELLS)
    return cli_fail(j->c, SUMI_INVALID, "--trajectory shows at most %d pictures; use --count or --batch", MOST_CELLS);
  return cli_grid_check(j->c, &shown, 2, a->trajectory);
}

static sumi_status draw(job *j) {
  const size_t pixels = (size_t)(j->count * j->info.height * j->info.width);
  sumi_sample_options how = cli_sampling_options(&j->a->sampling);
  how.count = j->count;
  how.labels = j->labels;
  how.callback = on_step;
  how.user = j;
  j->pictures = malloc(pixels * sizeof *j->pictures);
  if (!j->pictures) return cli_fail(j->c, SUMI_NO_MEMORY, "no memory for %lld pictures", (long long)j->count);
  const sumi_status status = cli_sampling_run(&j->watch, j->c, j->model, &how, j->pictures);
  if (status != SUMI_OK || !j->a->trajectory) return status;
  return cli_trajectory_end(&j->trajectory);
}

/* ---- Files ---- */

/* What made a picture, under the keyword and in the form that other tools read. */
static void describe(const job *j, int64_t first, char *out, size_t room) {
  const cli_sampling *s = &j->a->sampling;
  char digits[160] = "a digit", steps[48] = "", guidance[48] = "";
  const double scale = s->guidance > 0.0 ? s->guidance : j->info.guidance;
  if (j->labels && (j->a->separate || j->count == 1))
    snprintf(digits, sizeof digits, "digit %lld", (long long)j->labels[first]);
  else if (j->labels)
    snprintf(digits, sizeof digits, "digits, in turn: %s", j->a->classes);
  if (s->steps) snprintf(steps, sizeof steps, "Steps: %lld, ", (long long)s->steps);
  if (scale > 0.0) snprintf(guidance, sizeof guidance, "CFG scale: %g, ", scale);
  snprintf(out, room, "%s\n%sSampler: %s, %sSeed: %lld, Size: %lldx%lld, Model: %s, Version: sumi %s", digits, steps,
           s->sampler, guidance, (long long)(s->seed + first), (long long)j->info.width, (long long)j->info.height,
           j->a->model, sumi_version());
}

static sumi_status save_grid(const job *j) {
  char text[1024];
  const cli_grid grid = grid_of(j, j->count);
  const sumi_png_text note = {"parameters", text};
  describe(j, 0, text, sizeof text);
  const sumi_status status = cli_grid_save(j->c, &grid, j->pictures, j->a->out, &note, 1);
  if (status == SUMI_OK) printf("%s\n", j->a->out);
  return status;
}

/* drawn.png gives drawn-0000.png, drawn-0001.png, ... */
static sumi_status save_separately(const job *j) {
  const char *name = j->a->out, *dot = strrchr(name, '.');
  const int stem = dot && !strchr(dot, '/') ? (int)(dot - name) : (int)strlen(name);
  sumi_status status = SUMI_OK;
  for (int64_t i = 0; i < j->count && status == SUMI_OK; i++) {
    char path[4096], text[1024];
    const cli_grid grid = {1, 1, j->info.height, j->info.width, j->a->scale, 0};
    const sumi_png_text note = {"parameters", text};
    describe(j, i, text, sizeof text);
    if (snprintf(path, sizeof path, "%.*s-%04lld.png", stem, name, (long long)i) >= (int)sizeof path)
      return cli_fail(j->c, SUMI_INVALID, "--out: the path is too long");
    status = cli_grid_save(j->c, &grid, j->pictures + i * j->info.height * j->info.width, path, &note, 1);
    if (status == SUMI_OK) printf("%s\n", path);
  }
  return status;
}

static sumi_status check_names(const cli *c, const arguments *a) {
  const sumi_status status = cli_check_output(c, "--out", a->out, "png", CLI_OUTPUT_STREAM);
  if (status != SUMI_OK || !a->trajectory) return status;
  if (cli_same_file(a->out, a->trajectory))
    return cli_fail(c, SUMI_INVALID, "--out and --trajectory are the same file, %s", a->out);
  return cli_check_output(c, "--trajectory", a->trajectory, "png", CLI_OUTPUT_FILE);
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  job j = {.c = c, .a = arguments_};
  sumi_status status = check_names(c, j.a);
  if (status == SUMI_OK) status = cli_digits_open(c, j.a->model, &j.model);
  if (status == SUMI_OK) {
    j.info = sumi_digits_describe(j.model);
    status = choose_labels(&j);
  }
  if (status == SUMI_OK) status = check_outputs(&j);
  if (status == SUMI_OK) status = draw(&j);
  if (status == SUMI_OK) status = j.a->separate ? save_separately(&j) : save_grid(&j);
  if (status == SUMI_OK && j.a->trajectory) printf("%s\n", j.a->trajectory);
  cli_trajectory_free(&j.trajectory);
  sumi_digits_close(j.model);
  free(j.labels);
  free(j.pictures);
  return status;
}

const cli_command cli_sample = {
    .name = "sample",
    .operand = "",
    .summary = "draw pictures with a trained model",
    .details =
        "Picture i has the seed SEED + i, whatever is drawn beside it. Prints the names of the files it wrote.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .more_help = cli_sampling_help,
    .run = run,
};
