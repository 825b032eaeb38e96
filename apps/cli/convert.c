/* sumi convert: a checkpoint from one layout into another, as safetensors. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

typedef struct arguments {
  const char *layout, *dtype, *prediction, *config, *vae, *family;
} arguments;

static const arguments defaults = {.layout = "auto", .dtype = "keep", .prediction = "auto", .family = "auto"};
static const cli_option options[] = {
    {"layout", 0, CLI_CHOICE, offsetof(arguments, layout), NULL, "auto: a file if OUT ends in .safetensors", 0, 0,
     "auto diffusers compvis"},
    {"dtype", 0, CLI_CHOICE, offsetof(arguments, dtype), NULL, "of the numbers", 0, 0, "keep f32 f16 bf16"},
    {"prediction", 0, CLI_CHOICE, offsetof(arguments, prediction), NULL,
     "what the model predicts, if the checkpoint does not say it", 0, 0, "auto eps v x0"},
    {"config", 0, CLI_TEXT, offsetof(arguments, config), "FOLDER",
     "a folder in diffusers' layout whose configurations hold for a single file", 0, 0, NULL},
    CLI_PART_OPTIONS(arguments, vae, family),
};

static int find_word(const char *word, const char *const *words) {
  int i = 0;
  while (words[i] && strcmp(words[i], word) != 0) i++;
  return i;
}

static bool show_progress(void *user, size_t done, size_t total) {
  cli_progress *p = user;
  p->total = (int64_t)total;
  cli_progress_update(p, (int64_t)done, NULL);
  return !cli_interrupted();
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  static const char *const layouts[] = {"auto", "diffusers", "compvis", NULL};
  static const char *const dtypes[] = {"f32", "bf16", "f16", NULL};
  static const char *const predictions[] = {"auto", "eps", "v", "x0", NULL};
  const arguments *a = arguments_;
  cli_progress progress;
  const sumi_convert_options o = {.layout = (sumi_model_layout)find_word(a->layout, layouts),
                                  .cast = strcmp(a->dtype, "keep") != 0,
                                  .dtype = (sumi_dtype)(find_word(a->dtype, dtypes) % 3),
                                  .prediction = (sumi_prediction)find_word(a->prediction, predictions),
                                  .config_folder = a->config,
                                  .family = cli_family(a->family),
                                  .vae = a->vae,
                                  .progress = show_progress,
                                  .user = &progress};
  (void)operand_count;
  const double begin = cli_seconds();
  cli_catch_interrupts();
  cli_progress_begin(&progress, c, "writing", "tensors", 0, 1);
  const sumi_status status = sumi_model_convert(c->context, operands[0], operands[1], &o);
  cli_progress_clear(&progress);
  if (status != SUMI_OK) return cli_report(c, status);
  printf("%s written in %.1f s\n", operands[1], cli_seconds() - begin);
  return SUMI_OK;
}

const cli_command cli_convert = {
    .name = "convert",
    .operand = "IN OUT",
    .min_operands = 2,
    .max_operands = 2,
    .summary = "write a checkpoint in another layout or precision, as safetensors",
    .details = "IN is a folder in diffusers' layout or a CompVis file. What no picture needs is left out. Tensor by "
               "tensor, so\n"
               "that memory stays small; without --dtype not a bit of them changes.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
