/* The command `sumi`: finds the subcommand, parses its options, gives it a context, and turns what it returns into the
 * exit code. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#define CLI_COMMAND(name) extern const cli_command cli_##name;
#include "commands.def"
#undef CLI_COMMAND

const cli_command *const cli_commands[] = {
#define CLI_COMMAND(name) &cli_##name,
#include "commands.def"
#undef CLI_COMMAND
};
const size_t cli_command_count = sizeof cli_commands / sizeof *cli_commands;

sumi_status cli_fail(const cli *c, sumi_status code, const char *format, ...) {
  va_list args;
  fprintf(stderr, "sumi%s%s: ", c->command ? " " : "", c->command ? c->command : "");
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  return code;
}

sumi_status cli_report(const cli *c, sumi_status code) {
  if (code == SUMI_OK) return code;
  const char *sentence = sumi_context_error(c->context);
  return cli_fail(c, code, "%s", *sentence ? sentence : sumi_status_text(code));
}

void cli_note(const cli *c, const char *format, ...) {
  if (c->quiet) return;
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
}

/* The commands, or those that begin with the word `group`. */
static void print_commands(FILE *to, const char *group) {
  const size_t length = group ? strlen(group) : 0;
  for (size_t i = 0; i < cli_command_count; i++) {
    const cli_command *command = cli_commands[i];
    if (group && (strncmp(command->name, group, length) != 0 || command->name[length] != ' ')) continue;
    fprintf(to, "  %-20s %s\n", command->name, command->summary);
  }
}

static void print_usage(FILE *to) {
  fprintf(to, "sumi %s: diffusion models from nothing\n\nusage: sumi COMMAND [OPTION...]\n\n", sumi_version());
  print_commands(to, NULL);
  fprintf(to, "\n`sumi COMMAND --help` explains one.\n\nExit codes:\n");
#define SUMI_X(name, number, text) fprintf(to, "  %2d  %s\n", number, text);
  SUMI_STATUS_LIST(SUMI_X)
#undef SUMI_X
}

/* The command that argv[0] (and argv[1]) name; *words is how many words that took. */
static const cli_command *find_command(int argc, char **argv, int *words) {
  for (size_t i = 0; i < cli_command_count; i++) {
    const char *name = cli_commands[i]->name, *space = strchr(name, ' ');
    const size_t first = space ? (size_t)(space - name) : strlen(name);
    if (strlen(argv[0]) != first || memcmp(argv[0], name, first) != 0) continue;
    if (space && (argc < 2 || strcmp(argv[1], space + 1) != 0)) continue;
    *words = space ? 2 : 1;
    return cli_commands[i];
  }
  return NULL;
}

static bool is_group(const char *word) {
  const size_t length = strlen(word);
  for (size_t i = 0; i < cli_command_count; i++)
    if (strncmp(cli_commands[i]->name, word, length) == 0 && cli_commands[i]->name[length] == ' ') return true;
  return false;
}

/* How many letters have to be changed, put in or left out to make one word of the other (Levenshtein's distance). */
static size_t distance(const char *a, const char *b) {
  enum { MOST = 32 };
  size_t row[MOST + 1];
  const size_t n = strlen(a), m = strlen(b);
  if (n > MOST || m > MOST) return MOST;
  for (size_t k = 0; k <= m; k++) row[k] = k;
  for (size_t i = 1; i <= n; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t k = 1; k <= m; k++) {
      const size_t changed = diagonal + (a[i - 1] != b[k - 1]);
      const size_t other = (row[k - 1] < row[k] ? row[k - 1] : row[k]) + 1;
      diagonal = row[k];
      row[k] = changed < other ? changed : other;
    }
  }
  return row[m];
}

/* The command that was perhaps meant, or NULL. */
static const char *nearest_command(const char *word) {
  const char *nearest = NULL;
  size_t least = 3;
  for (size_t i = 0; i < cli_command_count; i++) {
    const size_t far = distance(word, cli_commands[i]->name);
    if (far >= least) continue;
    least = far;
    nearest = cli_commands[i]->name;
  }
  return nearest;
}

/* No such command: help where it was asked for, else a complaint. Returns the exit code. */
static int without_command(const cli *c, int argc, char **argv) {
  const bool asks = argc > 0 && (!strcmp(argv[argc - 1], "--help") || !strcmp(argv[argc - 1], "-h"));
  if (argc > 0 && is_group(argv[0])) {
    if (!asks && argc > 1)
      return (int)cli_fail(c, SUMI_INVALID, "unknown command `%s %s`; see `sumi %s --help`", argv[0], argv[1], argv[0]);
    print_commands(asks ? stdout : stderr, argv[0]);
    return asks ? SUMI_OK : SUMI_INVALID;
  }
  if (asks || (argc > 0 && strcmp(argv[0], "help") == 0)) {
    print_usage(stdout);
    return SUMI_OK;
  }
  if (argc > 0 && strcmp(argv[0], "--version") == 0) {
    printf("sumi %s\n", sumi_version());
    return SUMI_OK;
  }
  const char *meant = argc > 0 ? nearest_command(argv[0]) : NULL;
  if (meant)
    return (int)cli_fail(c, SUMI_INVALID, "unknown command `%s`; is `%s` meant? See `sumi --help`", argv[0], meant);
  if (argc > 0) return (int)cli_fail(c, SUMI_INVALID, "unknown command `%s`; see `sumi --help`", argv[0]);
  print_usage(stderr);
  return SUMI_INVALID;
}

static void log_message(void *user, sumi_log_level level, const char *message) {
  if (level != SUMI_LOG_DEBUG) cli_note(user, "%s", message);
}

static sumi_winograd winograd_of(const cli *c) {
  if (strcmp(c->winograd, "off") == 0) return SUMI_WINOGRAD_OFF;
  return strcmp(c->winograd, "fast") == 0 ? SUMI_WINOGRAD_FAST : SUMI_WINOGRAD_CAREFUL;
}

sumi_status cli_machine(cli *c, const sumi_machine **out) {
  sumi_status status = SUMI_OK;
  if (!c->measured) status = sumi_measure_machine(c->context, &c->machine);
  c->measured = status == SUMI_OK;
  *out = &c->machine;
  return status;
}

/* Also of a job that failed or was interrupted. */
static void print_profile(cli *c) {
  const sumi_machine *m = NULL;
  if (sumi_profile_count(c->account) == 0) return;
  const bool measured = cli_machine(c, &m) == SUMI_OK;
  if (measured)
    fprintf(stderr,
            "%d threads, %s: %.0f GFLOP/s in f32, %.0f in bf16, %.1f GB/s; shares are of arithmetic's peak where there "
            "is some, else of memory's\n",
            m->threads, m->isa, m->f32_flops * 1e-9, m->bf16_flops * 1e-9, m->bytes_per_second * 1e-9);
  fputs(sumi_profile_text(c->account, measured ? m : NULL, (size_t)c->profile_layers), stderr);
}

static sumi_status run_command(cli *c, const cli_command *command, const void *arguments, int operand_count,
                               char **operands) {
  const sumi_context_options options = {
      .threads = (int)c->threads, .max_isa = c->isa, .winograd = winograd_of(c), .log = log_message, .log_user = c};
  sumi_status status = sumi_context_create(&options, &c->context);
  if (status != SUMI_OK)
    return cli_fail(c, status, "cannot start with --threads %lld%s%s: %s", (long long)c->threads,
                    c->isa ? " --isa " : "", c->isa ? c->isa : "", sumi_status_text(status));
  if (c->profile) status = cli_report(c, sumi_profile_create(c->context, &c->account));
  if (status == SUMI_OK) status = command->run(c, arguments, operand_count, operands);
  if (c->account) print_profile(c);
  sumi_profile_free(c->account);
  sumi_context_free(c->context);
  return status;
}

/* `sumi help COMMAND` is `sumi COMMAND --help`. */
static void turn_help_round(int argc, char **argv) {
  static char option[] = "--help";
  if (argc < 3 || strcmp(argv[1], "help") != 0) return;
  for (int i = 1; i + 1 < argc; i++) argv[i] = argv[i + 1];
  argv[argc - 1] = option;
}

/* Memory of more than a megabyte goes back to the system as soon as it is freed. The C library would otherwise learn
 * from what is freed to keep larger and larger blocks for itself, and a large one is freed for each network. */
static void return_freed_memory(void) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
#endif
}

/* Its options, and then the work; argv begins behind its name. Returns the exit code. */
static int with_command(cli *c, const cli_command *command, int argc, char **argv) {
  int operand_count = 0, exit_code = SUMI_OK;
  c->command = command->name;
  void *arguments = calloc(1, command->arguments_bytes + 1);
  if (!arguments) return (int)cli_fail(c, SUMI_NO_MEMORY, "out of memory");
  if (cli_parse(c, command, argc, argv, arguments, &operand_count, &exit_code))
    exit_code = (int)run_command(c, command, arguments, operand_count, argv);
  free(arguments);
  return exit_code;
}

int main(int argc, char **argv) {
  return_freed_memory();
  cli c = cli_defaults;
  turn_help_round(argc, argv);
  int words = 0;
  const cli_command *command = argc > 1 ? find_command(argc - 1, argv + 1, &words) : NULL;
  int exit_code =
      command ? with_command(&c, command, argc - 1 - words, argv + 1 + words) : without_command(&c, argc - 1, argv + 1);
  /* Output that could not be written (a full disk, a closed pipe) is a failure too. */
  if ((fflush(stdout) != 0 || ferror(stdout)) && exit_code == SUMI_OK)
    exit_code = (int)cli_fail(&c, SUMI_IO, "cannot write to standard output: %s", strerror(errno));
  return exit_code;
}
