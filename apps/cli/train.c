/* sumi train: a training as a YAML file describes it. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct arguments {
  bool resume, keys;
} arguments;

static const arguments defaults = {false, false};
static const cli_option options[] = {
    {"resume", 'r', CLI_FLAG, offsetof(arguments, resume), NULL,
     "go on from the newest checkpoint in train.out; begin where there is none", 0, 0, NULL},
    {"keys", 'k', CLI_FLAG, offsetof(arguments, keys), NULL,
     "print every key with its value, type and meaning, and do nothing else", 0, 0, NULL},
};

/* What the callbacks share. */
typedef struct show {
  const cli *c;
  cli_progress progress;
  bool begun;
  sumi_train_progress last;
} show;

static void on_progress(void *user, const sumi_train_progress *p) {
  show *s = user;
  char note[128];
  if (!s->begun) cli_progress_begin(&s->progress, s->c, "training", "steps", p->step - 1, p->total_steps);
  s->begun = true;
  s->last = *p;
  snprintf(note, sizeof note, "epoch %lld/%lld, loss %.4g, %.0f pictures/s", (long long)p->epoch + 1,
           (long long)p->epochs, p->epoch_loss, p->images_per_second);
  cli_progress_update(&s->progress, p->step, note);
}

static void on_line(void *user, const char *text) {
  show *s = user;
  if (s->begun) cli_progress_clear(&s->progress);
  cli_note(s->c, "%s", text);
}

static bool on_should_stop(void *user) {
  (void)user;
  return cli_interrupted();
}

static void print_range(const sumi_train_key *key) {
  if (key->choices)
    for (size_t i = 0; key->choices[i]; i++) printf("%s%s", i ? ", " : "", key->choices[i]);
  else if (strcmp(key->type, "integer") == 0 || strcmp(key->type, "number") == 0)
    printf(strcmp(key->type, "integer") == 0 ? "%s, %.0f to %.0f" : "%s, %g to %g", key->type, key->low, key->high);
  else
    printf("%s", key->type);
}

static void print_keys(const sumi_train_config *config) {
  sumi_train_key key;
  const char *task = sumi_train_config_get(config, "task");
  printf("task: %s\n", task);
  for (size_t i = 0; sumi_train_key_at(task, i, &key); i++) {
    printf("%s: %s\n    %s (", key.name, sumi_train_config_get(config, key.name), key.meaning);
    print_range(&key);
    printf("; default %s)\n", key.default_value);
  }
}

static sumi_status train(cli *c, const sumi_train_config *config, bool resume) {
  show s = {.c = c};
  sumi_train_result result;
  const sumi_train_options o = {.resume = resume, .callbacks = {&s, on_progress, on_line, on_should_stop}};
  cli_catch_interrupts();
  const sumi_status status = sumi_train_run(c->context, config, &o, &result);
  if (s.begun) cli_progress_end(&s.progress, s.last.step, NULL);
  if (status != SUMI_OK) return cli_report(c, status);
  printf("%lld steps, %lld epochs", (long long)result.steps, (long long)result.epochs);
  if (!isnan(result.epoch_loss)) printf(", loss %.4f", result.epoch_loss);
  if (!isnan(result.accuracy)) printf(", accuracy %.4f", result.accuracy);
  printf("; the model is in %s/model\n", sumi_train_config_get(config, "train.out"));
  return SUMI_OK;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  const arguments *a = arguments_;
  sumi_train_config *config = NULL;
  if (operand_count > 1 && strchr(operands[0], '=') && access(operands[0], F_OK) != 0)
    return cli_fail(c, SUMI_INVALID, "`%s` is no file: the configuration comes first, then KEY=VALUE...", operands[0]);
  sumi_status status = sumi_train_config_load(c->context, operands[0], (size_t)operand_count - 1,
                                              (const char *const *)(operands + 1), &config);
  if (status != SUMI_OK) return cli_report(c, status);
  if (a->keys)
    print_keys(config);
  else
    status = train(c, config, a->resume);
  sumi_train_config_free(config);
  return status;
}

const cli_command cli_train = {
    .name = "train",
    .operand = "CONFIG.yaml [KEY=VALUE...]",
    .min_operands = 1,
    .max_operands = 1 << 16,
    .summary = "train a model as a YAML file says",
    .details = "Any key of the file can be given as KEY=VALUE and goes before the file, such as train.lr=3e-4 or\n"
               "data.dir=/usr/share/datasets/fashion-mnist. Checkpoints, log, previews and the model go into the\n"
               "folder train.out. Ctrl-C saves a checkpoint first; --resume goes on from it, or from the newest one\n"
               "after a crash, and ends with the very weights that an undisturbed training would have. With a larger\n"
               "train.epochs it goes on beyond the end; a cosine schedule is then that of the new length.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof(arguments),
    .run = run,
};
