/* sumi eval score: a saved model's loss over its data. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct arguments {
  const char *model, *split;
  int64_t repeats;
} arguments;

static const arguments defaults = {.split = "train", .repeats = 1};
static const cli_option options[] = {
    {"model", 'm', CLI_TEXT, offsetof(arguments, model), "DIR", "the model's folder; by default the `train.out`'s", 0,
     0, NULL},
    {"split", 0, CLI_CHOICE, offsetof(arguments, split), NULL, "which pictures", 0, 0, "train test"},
    {"repeats", 0, CLI_INT, offsetof(arguments, repeats), "N", "go through them N times, each with other noise", 1, 1e6,
     NULL},
};

static bool should_stop(void *user) {
  (void)user;
  return cli_interrupted();
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  const arguments *a = arguments_;
  sumi_train_config *config = NULL;
  sumi_train_evaluation found;
  const sumi_train_evaluate_options how = {.model = a->model,
                                           .test_split = strcmp(a->split, "test") == 0,
                                           .repeats = a->repeats,
                                           .callbacks = {.should_stop = should_stop}};
  sumi_status status = sumi_train_config_load(c->context, operands[0], (size_t)operand_count - 1,
                                              (const char *const *)(operands + 1), &config);
  if (status == SUMI_OK) {
    cli_catch_interrupts();
    status = sumi_train_evaluate(c->context, config, &how, &found);
  }
  if (status == SUMI_OK) {
    printf("%lld pictures, loss %.4f", (long long)found.pictures, found.loss);
    if (isfinite(found.accuracy)) printf(", accuracy %.4f", found.accuracy);
    putchar('\n');
  }
  sumi_train_config_free(config);
  return cli_report(c, status);
}

const cli_command cli_eval_score = {
    .name = "eval score",
    .operand = "CONFIG.yaml [KEY=VALUE...]",
    .min_operands = 1,
    .max_operands = 1 << 20,
    .summary = "measure a saved model's loss over its data",
    .details = "Times and noise are those of a fixed seed, so the number is the same every time.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
