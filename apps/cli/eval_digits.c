/* sumi eval digits: draws digits that were asked for, and lets a classifier that was trained on real ones read them. */
#include "sampling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
  const char *model, *judge, *config, *data;
  int64_t samples;
  cli_sampling sampling;
} arguments;

static const arguments defaults = {.model = "models/digits",
                                   .config = "configs/digits-classifier.yaml",
                                   .samples = 1000,
                                   .sampling = CLI_SAMPLING_DEFAULTS};

static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, offsetof(arguments, model), "DIR", "the model's folder", 0, 0, NULL},
    {"judge", 0, CLI_TEXT, offsetof(arguments, judge), "DIR",
     "the classifier's folder; by default the one in the model's folder", 0, 0, NULL},
    {"samples", 'n', CLI_INT, offsetof(arguments, samples), "N", "pictures, as many of each class", 1, 1e6, NULL},
    {"data", 0, CLI_TEXT, offsetof(arguments, data), "DIR",
     "MNIST's IDX files: also measure the classifier on their test pictures", 0, 0, NULL},
    {"config", 0, CLI_TEXT, offsetof(arguments, config), "FILE", "the classifier's configuration, for --data", 0, 0,
     NULL},
    CLI_SAMPLING_OPTIONS(arguments, sampling),
};

/* A number below n from a xorshift generator: enough to shuffle labels the same way everywhere. */
static int64_t draw_below(uint64_t *state, int64_t n) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (int64_t)((*state >> 11) % (uint64_t)n);
}

/* The share of labels that agree after one side has been shuffled: what luck alone would give. */
static double shuffled_agreement(const int64_t *asked, const int64_t *read, int64_t count, int64_t seed) {
  int64_t *shuffled = malloc((size_t)count * sizeof *shuffled), agree = 0;
  uint64_t state = 0x9e3779b97f4a7c15u ^ (uint64_t)seed;
  if (!shuffled) return -1.0;
  memcpy(shuffled, asked, (size_t)count * sizeof *shuffled);
  for (int64_t i = count - 1; i > 0; i--) {
    const int64_t k = draw_below(&state, i + 1), held = shuffled[i];
    shuffled[i] = shuffled[k];
    shuffled[k] = held;
  }
  for (int64_t i = 0; i < count; i++) agree += shuffled[i] == read[i];
  free(shuffled);
  return (double)agree / (double)count;
}

/* A line for each class: how many were read as asked, and what the others were taken for. */
static void print_classes(const int64_t *asked, const int64_t *read, int64_t count, int64_t classes) {
  printf("class  drawn  read as asked  taken for\n");
  for (int64_t k = 0; k < classes; k++) {
    int64_t drawn = 0, right = 0;
    for (int64_t i = 0; i < count; i++) {
      drawn += asked[i] == k;
      right += asked[i] == k && read[i] == k;
    }
    if (drawn == 0) continue;
    printf("%5lld  %5lld          %.3f ", (long long)k, (long long)drawn, (double)right / (double)drawn);
    for (int64_t other = 0; other < classes; other++) {
      int64_t taken = 0;
      for (int64_t i = 0; i < count; i++) taken += asked[i] == k && read[i] == other && other != k;
      if (taken) printf(" %lld (%lld times)", (long long)other, (long long)taken);
    }
    putchar('\n');
  }
}

/* A judge's folder may be that of a model which has its classifier inside. */
static bool has_classifier_inside(const char *folder, char *inside, size_t room) {
  if (snprintf(inside, room, "%s/classifier/config.json", folder) >= (int)room) return false;
  FILE *f = fopen(inside, "rb");
  if (!f) return false;
  fclose(f);
  *strrchr(inside, '/') = 0;
  return true;
}

/* The classifier on real test pictures: the ceiling of what it can say. */
static sumi_status measure_judge(const cli *c, const arguments *a, const char *judge) {
  sumi_train_config *config = NULL;
  sumi_train_evaluation found;
  sumi_train_evaluate_options how = {.model = judge, .test_split = true};
  char key[4096], inside[4096];
  const char *overrides[] = {key};
  if (has_classifier_inside(judge, inside, sizeof inside)) how.model = inside;
  if (snprintf(key, sizeof key, "data.dir='%s'", a->data) >= (int)sizeof key || strchr(a->data, '\''))
    return cli_fail(c, SUMI_INVALID, "--data: the path is too long, or has a quote in it");
  sumi_status status = sumi_train_config_load(c->context, a->config, 1, overrides, &config);
  if (status == SUMI_OK) status = sumi_train_evaluate(c->context, config, &how, &found);
  if (status == SUMI_OK)
    printf("the classifier on %lld real test pictures: accuracy %.4f\n", (long long)found.pictures, found.accuracy);
  sumi_train_config_free(config);
  return cli_report(c, status);
}

typedef struct job {
  const cli *c;
  const arguments *a;
  sumi_digits *model;
  sumi_judge *judge;
  int64_t *asked, *read;
  float *pictures;
} job;

static sumi_status draw_and_read(job *j, const sumi_digits_info *info) {
  const int64_t count = j->a->samples;
  sumi_sample_options how = cli_sampling_options(&j->a->sampling);
  cli_sampling_watch watch = {0};
  j->asked = malloc((size_t)count * sizeof *j->asked);
  j->read = malloc((size_t)count * sizeof *j->read);
  j->pictures = malloc((size_t)(count * info->height * info->width) * sizeof *j->pictures);
  if (!j->asked || !j->read || !j->pictures) return cli_fail(j->c, SUMI_NO_MEMORY, "no memory for the pictures");
  for (int64_t i = 0; i < count; i++) j->asked[i] = i % info->classes;
  how.count = count;
  how.labels = j->asked;
  const sumi_status status = cli_sampling_run(&watch, j->c, j->model, &how, j->pictures);
  if (status != SUMI_OK) return status;
  return cli_report(j->c, sumi_judge_classify(j->judge, count, j->pictures, j->read, NULL, NULL));
}

static sumi_status evaluate(job *j, const char *judge_folder) {
  const int64_t count = j->a->samples;
  const sumi_digits_info info = sumi_digits_describe(j->model);
  const sumi_judge_info judge = sumi_judge_describe(j->judge);
  if (info.classes < 1) return cli_fail(j->c, SUMI_MISMATCH, "%s: the model has no classes to ask for", j->a->model);
  if (judge.classes != info.classes || judge.height != info.height || judge.width != info.width)
    return cli_fail(j->c, SUMI_MISMATCH, "%s: the classifier reads other pictures than %s draws", judge_folder,
                    j->a->model);
  sumi_status status = draw_and_read(j, &info);
  if (status != SUMI_OK) return status;
  int64_t right = 0;
  for (int64_t i = 0; i < count; i++) right += j->asked[i] == j->read[i];
  print_classes(j->asked, j->read, count, info.classes);
  if (j->a->data) status = measure_judge(j->c, j->a, judge_folder);
  if (status != SUMI_OK) return status;
  printf("network evaluations for a picture: %.0f\n", sumi_digits_evaluations(j->model));
  printf("control with shuffled labels %.3f\n", shuffled_agreement(j->asked, j->read, count, j->a->sampling.seed));
  printf("prompt accuracy %.3f\n", (double)right / (double)count);
  return SUMI_OK;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  job j = {.c = c, .a = arguments_};
  const char *judge = j.a->judge ? j.a->judge : j.a->model;
  char inside[4096];
  sumi_status status = cli_digits_open(c, j.a->model, &j.model);
  if (status == SUMI_OK && !j.a->judge && !has_classifier_inside(judge, inside, sizeof inside))
    status = cli_fail(c, SUMI_NOT_FOUND,
                      "%s: there is no classifier in its folder `classifier` to read the digits; name one with --judge "
                      "DIR, such as models/digits",
                      judge);
  if (status == SUMI_OK) status = cli_report(c, sumi_judge_open(c->context, judge, &j.judge));
  if (status == SUMI_OK) status = evaluate(&j, judge);
  sumi_judge_close(j.judge);
  sumi_digits_close(j.model);
  free(j.asked);
  free(j.read);
  free(j.pictures);
  return status;
}

const cli_command cli_eval_digits = {
    .name = "eval digits",
    .operand = "",
    .summary = "draw digits, and count how many a classifier reads as what was asked for",
    .details = "The last line is `prompt accuracy 0.NNN`. The control counts agreement with shuffled labels.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .more_help = cli_sampling_help,
    .run = run,
};
