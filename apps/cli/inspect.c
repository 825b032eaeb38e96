/* sumi inspect: what is in a checkpoint, a file of tensors or a picture. */
#include "inspect.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct arguments {
  bool stats, tensors;
  const char *config, *vae, *family, *prediction;
} arguments;

static const arguments defaults = {.family = "auto", .prediction = "auto"};
static const cli_option options[] = {
    {"stats", 's', CLI_FLAG, offsetof(arguments, stats), NULL, "read every tensor: minimum, maximum, mean, deviation",
     0, 0, NULL},
    {"tensors", 't', CLI_FLAG, offsetof(arguments, tensors), NULL,
     "of a checkpoint: list every tensor, and everything that is left over", 0, 0, NULL},
    {"config", 0, CLI_TEXT, offsetof(arguments, config), "FOLDER",
     "a folder in diffusers' layout whose configurations hold for a single file", 0, 0, NULL},
    CLI_PART_OPTIONS(arguments, vae, family),
    {"prediction", 0, CLI_CHOICE, offsetof(arguments, prediction), NULL, "what the U-Net predicts", 0, 0,
     "auto eps v x0"},
};

void cli_print_clean(const char *text) {
  for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
    const bool c1 = *at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;
    if (*at == '\n')
      printf("\n    ");
    else
      putchar(*at < 32 || *at == 127 || c1 ? '?' : *at);
    if (c1) at++;
  }
}

void cli_print_size(double bytes) {
  if (bytes >= 1e9)
    printf("%.2f GB", bytes * 1e-9);
  else if (bytes >= 1e6)
    printf("%.2f MB", bytes * 1e-6);
  else
    printf("%.0f bytes", bytes);
}

static void format_shape(char *out, size_t room, const sumi_safetensors_tensor *t) {
  size_t at = (size_t)snprintf(out, room, "(");
  for (int i = 0; i < t->rank && at + 24 < room; i++)
    at += (size_t)snprintf(out + at, room - at, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
  snprintf(out + at, room - at, ")");
}

static sumi_status print_tensor(const cli *c, const sumi_tensor_file *file, const sumi_safetensors_tensor *t,
                                int name_width, bool with_stats) {
  char shape[256];
  format_shape(shape, sizeof shape, t);
  const size_t length = strlen(t->name);
  cli_print_clean(t->name);
  printf("%*s  %-5s %-22s %12zu", length < (size_t)name_width ? name_width - (int)length : 0, "", t->dtype, shape,
         t->bytes);
  sumi_statistics s;
  if (with_stats) {
    const sumi_status status = sumi_tensor_file_statistics(file, t, &s);
    if (status == SUMI_UNSUPPORTED)
      printf("  (no statistics of this type)");
    else if (status != SUMI_OK)
      return cli_report(c, status);
    else
      printf("  min %-11.4g max %-11.4g mean %-11.4g std %-11.4g", s.min, s.max, s.mean, s.std);
    if (status == SUMI_OK && s.nonfinite) printf(" not finite: %lld", (long long)s.nonfinite);
  }
  putchar('\n');
  return SUMI_OK;
}

/* Every tensor of a file that is open. */
static sumi_status list_tensors(const cli *c, const sumi_tensor_file *file, bool with_stats) {
  sumi_status status = SUMI_OK;
  const char *key, *value;
  for (size_t i = 0; sumi_tensor_file_metadata_at(file, i, &key, &value); i++) {
    cli_print_clean(key);
    printf(": ");
    cli_print_clean(value);
    putchar('\n');
  }
  size_t name_width = 4, count = sumi_tensor_file_count(file);
  double elements = 0, bytes = 0;
  for (size_t i = 0; i < count; i++) {
    const size_t length = strlen(sumi_tensor_file_at(file, i)->name);
    if (length > name_width) name_width = length < 64 ? length : 64;
  }
  printf("%-*s  %-5s %-22s %12s\n", (int)name_width, "name", "dtype", "shape", "bytes");
  for (size_t i = 0; i < count && status == SUMI_OK; i++) {
    const sumi_safetensors_tensor *t = sumi_tensor_file_at(file, i);
    elements += (double)t->count;
    bytes += (double)t->bytes;
    status = print_tensor(c, file, t, (int)name_width, with_stats);
  }
  printf("%zu tensors, %.0f elements, ", count, elements);
  cli_print_size(bytes);
  putchar('\n');
  return status;
}

static bool is_folder(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* A digit model's folder in one line; false if it is none. */
static bool inspect_digits(const cli *c, const char *path) {
  sumi_digits *model = NULL;
  if (sumi_digits_open(c->context, path, &model) != SUMI_OK) return false;
  const sumi_digits_info info = sumi_digits_describe(model);
  printf("digit model, %s, %lld x %lld, %lld classes, sigma %g, guidance %g, %lld parameters\n", info.variant,
         (long long)info.width, (long long)info.height, (long long)info.classes, info.sigma, info.guidance,
         (long long)info.parameters);
  sumi_digits_close(model);
  return true;
}

static sumi_model_options options_of(const arguments *a) {
  return (sumi_model_options){.prediction = cli_prediction(a->prediction),
                              .config_folder = a->config,
                              .family = cli_family(a->family),
                              .vae = a->vae};
}

static sumi_status inspect_folder(const cli *c, const char *path, const arguments *a) {
  sumi_model_report *report = NULL;
  const sumi_model_options o = options_of(a);
  char sentence[1024];
  const sumi_status status = sumi_model_inspect(c->context, path, &o, &report);
  if (status == SUMI_OK) cli_print_model(report, a->tensors);
  sumi_model_report_free(report);
  snprintf(sentence, sizeof sentence, "%s", sumi_context_error(c->context));
  return status == SUMI_OK || inspect_digits(c, path) ? SUMI_OK : cli_fail(c, status, "%s", sentence);
}

/* A checkpoint as such; any other file tensor by tensor, and what it is if that is known. */
static sumi_status inspect_file(const cli *c, const char *path, const arguments *a) {
  sumi_model_report *report = NULL;
  sumi_tensor_file *file = NULL;
  const sumi_model_options o = options_of(a);
  sumi_status status = sumi_tensor_file_open(c->context, path, &file);
  if (status != SUMI_OK) return cli_report(c, status);
  const sumi_status known = sumi_model_inspect(c->context, path, &o, &report);
  if (known == SUMI_OK) cli_print_model(report, a->tensors);
  sumi_model_report_free(report);
  if (known != SUMI_OK && (a->config || a->vae)) { /* it is meant to be a checkpoint */
    status = cli_report(c, known);
    goto done;
  }
  if (known != SUMI_OK && known != SUMI_MISMATCH) {
    cli_print_clean(sumi_context_error(c->context));
    putchar('\n');
  }
  if (known != SUMI_OK && strcmp(sumi_tensor_file_kind(file), "safetensors") != 0)
    printf("%s file of tensors\n", sumi_tensor_file_kind(file));
  if (known != SUMI_OK || a->stats) status = list_tensors(c, file, a->stats);
done:
  sumi_tensor_file_close(file);
  return status;
}

static sumi_status inspect_one(const cli *c, const char *path, const arguments *a) {
  if (is_folder(path)) return inspect_folder(c, path, a);
  return cli_is_picture(c, path) ? cli_inspect_picture(c, path) : inspect_file(c, path, a);
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  const arguments *a = arguments_;
  for (int i = 0; i < operand_count; i++) {
    if (operand_count > 1) printf("%s%s:\n", i ? "\n" : "", operands[i]);
    const sumi_status status = inspect_one(c, operands[i], a);
    if (status != SUMI_OK) return status;
  }
  return SUMI_OK;
}

const cli_command cli_inspect = {
    .name = "inspect",
    .operand = "FILE_OR_FOLDER...",
    .min_operands = 1,
    .max_operands = 1 << 20,
    .summary = "say what a checkpoint is, list the tensors of a file, or how a picture was made",
    .details =
        "Of a Stable Diffusion checkpoint, a file or a folder: its family, what it predicts, its networks and their "
        "sizes,\n"
        "and what is missing or left over. Of any other safetensors file, or one that torch.save wrote (.pt, .pth, "
        ".ckpt,\n"
        ".bin; nothing in it is executed): for each tensor its name, type, shape and size in bytes, then the totals; "
        "the\n"
        "file's metadata first. Of a PNG, JPEG or WebP: its size and its\n"
        "parameters text.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
