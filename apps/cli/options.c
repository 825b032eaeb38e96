/* The option parser and --help, both from a command's table. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const cli cli_defaults = {.winograd = "careful", .profile_layers = 12};

/* Every command has these, in struct cli. */
static const cli_option common_options[] = {
    {"threads", 0, CLI_INT, offsetof(cli, threads), "N", "worker threads; 0 means one for each processor", 0, 1024,
     NULL},
    {"isa", 0, CLI_CHOICE, offsetof(cli, isa), NULL, "highest instruction set to use; all that there are by default", 0,
     0, "generic avx2 avx512 avx512_bf16"},
    {"winograd", 0, CLI_CHOICE, offsetof(cli, winograd), NULL,
     "3x3 convolutions: careful as a rule, in bf16 faster and less exact, or by the plain algorithm", 0, 0,
     "careful fast off"},
    {"profile", 0, CLI_FLAG, offsetof(cli, profile), NULL,
     "print where the time went on stderr, by operator and by layer", 0, 0, NULL},
    {"profile-layers", 0, CLI_INT, offsetof(cli, profile_layers), "N",
     "with --profile: so many of the slowest layers of each network; 0 means all", 0, 100000, NULL},
    {"quiet", 'q', CLI_FLAG, offsetof(cli, quiet), NULL, "no progress and no notes on stderr", 0, 0, NULL},
};
enum { COMMON_COUNT = sizeof common_options / sizeof *common_options };

bool cli_parse_int(const char *text, double low, double high, int64_t *out) {
  char *end = NULL;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  if (end == text || *end || errno || (double)value < low || (double)value > high) return false;
  *out = value;
  return true;
}

bool cli_parse_real(const char *text, double low, double high, double *out) {
  char *end = NULL;
  const double value = strtod(text, &end);
  if (end == text || *end || !isfinite(value) || value < low || value > high) return false;
  *out = value;
  return true;
}

/* "1200M", "1.5 GB", "1GiB". Less than a byte is a number whose unit was forgotten. */
static bool parse_bytes(const char *text, double low, double high, int64_t *out) {
  static const char letters[] = "KMGT";
  char *at = NULL;
  const double value = strtod(text, &at);
  if (at == text || !isfinite(value)) return false;
  at += strspn(at, " ");
  const char *letter = *at ? strchr(letters, toupper((unsigned char)*at)) : NULL;
  if (letter) at++;
  const bool binary = letter && strcasecmp(at, "iB") == 0;
  if (!binary && *at && strcasecmp(at, "B") != 0) return false;
  const double bytes = value * pow(binary ? 1024.0 : 1000.0, letter ? (double)(letter - letters + 1) : 0.0);
  if (bytes < low || bytes > high || (bytes > 0.0 && bytes < 1.0)) return false;
  *out = (int64_t)(bytes + 0.5);
  return true;
}

static bool is_one_of(const char *choices, const char *word) {
  const size_t length = strlen(word);
  for (const char *at = choices; *at;) {
    const size_t n = strcspn(at, " ");
    if (n == length && memcmp(at, word, n) == 0) return true;
    at += n + (at[n] == ' ');
  }
  return false;
}

/* ---- Help ---- */

/* "[20; 1 to 1000]": the default and what a number may be. An end that is only there so that a number is exact is left
 * out, and so is a default that is no number: what it is depends on others, as the help says. */
static void print_number(const cli_option *o, double usual) {
  printf(" [");
  if (!isnan(usual)) printf("%.15g; ", usual);
  if (o->high >= 1e15)
    printf("from %.15g]", o->low);
  else
    printf("%.15g to %.15g]", o->low, o->high);
}

static void print_default(const cli_option *o, const void *defaults) {
  const void *at = (const char *)defaults + o->offset;
  const char *text;
  switch (o->kind) {
  case CLI_FLAG: break;
  case CLI_TEXT:
  case CLI_CHOICE:
    text = *(const char *const *)at;
    if (text) printf(" [%s]", text);
    break;
  case CLI_BYTES: printf(" [%lld]", (long long)*(const int64_t *)at); break;
  case CLI_INT: print_number(o, (double)*(const int64_t *)at); break;
  case CLI_REAL: print_number(o, *(const double *)at); break;
  }
}

static void print_options(const cli_option *options, size_t count, const void *defaults) {
  for (size_t i = 0; i < count; i++) {
    const cli_option *o = &options[i];
    char head[160], letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    const char *value = o->kind == CLI_FLAG ? NULL : o->kind == CLI_CHOICE && !o->value ? "NAME" : o->value;
    snprintf(head, sizeof head, "  %s--%s%s%s", letter, o->name, value ? " " : "", value ? value : "");
    printf("%-26s %s", head, o->help);
    if (o->kind == CLI_CHOICE) {
      printf(": ");
      for (const char *at = o->choices; *at; at++) {
        if (*at == ' ')
          printf(", ");
        else
          putchar(*at);
      }
    }
    print_default(o, defaults);
    putchar('\n');
  }
}

static void print_help(const cli_command *command) {
  printf("usage: sumi %s%s%s%s\n\n%s\n", command->name, command->option_count ? " [OPTION...]" : "",
         *command->operand ? " " : "", command->operand, command->summary);
  if (*command->details) printf("\n%s", command->details);
  if (command->option_count) {
    printf("\nOptions [defaults, and what numbers may be, in brackets]:\n");
    print_options(command->options, command->option_count, command->defaults);
  }
  printf("\nEvery command has:\n");
  print_options(common_options, COMMON_COUNT, &cli_defaults);
  printf("  -h, --help               print this\n");
  if (command->more_help) command->more_help();
}

/* ---- Parsing ---- */

static bool take_value(const cli *c, const cli_option *o, const char *given, const char *text, void *into) {
  void *at = (char *)into + o->offset;
  switch (o->kind) {
  case CLI_FLAG: *(bool *)at = true; return true;
  case CLI_TEXT: *(const char **)at = text; return true;
  case CLI_INT:
    if (cli_parse_int(text, o->low, o->high, at)) return true;
    cli_fail(c, SUMI_INVALID, "%s: expected an integer from %.0f to %.0f, found `%s`", given, o->low, o->high, text);
    return false;
  case CLI_BYTES:
    if (parse_bytes(text, o->low, o->high, at)) return true;
    cli_fail(c, SUMI_INVALID, "%s: expected a number of bytes, or with a unit: 1200M, 3GB, 2GiB; found `%s`", given,
             text);
    return false;
  case CLI_REAL:
    if (cli_parse_real(text, o->low, o->high, at)) return true;
    cli_fail(c, SUMI_INVALID, "%s: expected a number from %g to %g, found `%s`", given, o->low, o->high, text);
    return false;
  case CLI_CHOICE:
    *(const char **)at = text;
    if (is_one_of(o->choices, text)) return true;
    cli_fail(c, SUMI_INVALID, "%s: expected one of: %s; found `%s`", given, o->choices, text);
    return false;
  }
  return false;
}

/* The option that argv's word names, among the command's and the common ones; *into is where its value goes. */
static const cli_option *find_option(cli *c, const cli_command *command, const char *name, size_t length, char letter,
                                     void *arguments, void **into) {
  for (size_t i = 0; i < command->option_count + COMMON_COUNT; i++) {
    const bool own = i < command->option_count;
    const cli_option *o = own ? &command->options[i] : &common_options[i - command->option_count];
    if (letter ? o->letter == letter : strlen(o->name) == length && memcmp(o->name, name, length) == 0) {
      *into = own ? arguments : c;
      return o;
    }
  }
  return NULL;
}

/* Takes argv[*at] and its value, and moves *at past them. */
static bool take_option(cli *c, const cli_command *command, int argc, char **argv, int *at, void *arguments) {
  char *word = argv[(*at)++];
  const bool is_long = word[1] == '-';
  const char *name = word + (is_long ? 2 : 1);
  const char *equals = is_long ? strchr(name, '=') : NULL;
  const size_t length = equals ? (size_t)(equals - name) : strlen(name);
  void *into = NULL;
  const cli_option *o = find_option(c, command, name, length, is_long ? 0 : *name, arguments, &into);
  if (!o || (!is_long && o->kind == CLI_FLAG && name[1])) {
    cli_fail(c, SUMI_INVALID, "unknown option `%s`; see `sumi %s --help`", word, command->name);
    return false;
  }
  char given[64];
  snprintf(given, sizeof given, "--%s", o->name);
  if (o->kind == CLI_FLAG) {
    if (!equals) return take_value(c, o, given, NULL, into);
    cli_fail(c, SUMI_INVALID, "%s takes no value", given);
    return false;
  }
  const char *text = equals ? equals + 1 : !is_long && name[1] ? name + 1 : *at < argc ? argv[(*at)++] : NULL;
  if (text) return take_value(c, o, given, text, into);
  cli_fail(c, SUMI_INVALID, "%s needs a value", given);
  return false;
}

bool cli_parse(cli *c, const cli_command *command, int argc, char **argv, void *arguments, int *operand_count,
               int *exit_code) {
  if (command->arguments_bytes) memcpy(arguments, command->defaults, command->arguments_bytes);
  *exit_code = SUMI_INVALID;
  int count = 0;
  bool options_over = false;
  for (int i = 0; i < argc;) {
    if (!options_over && strcmp(argv[i], "--") == 0) {
      options_over = true;
      i++;
    } else if (!options_over && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
      print_help(command);
      *exit_code = SUMI_OK;
      return false;
    } else if (!options_over && argv[i][0] == '-' && argv[i][1]) {
      if (!take_option(c, command, argc, argv, &i, arguments)) return false;
    } else {
      argv[count++] = argv[i++];
    }
  }
  if (count > command->max_operands) {
    cli_fail(c, SUMI_INVALID, "unexpected `%s`; see `sumi %s --help`", argv[command->max_operands], command->name);
    return false;
  }
  if (count < command->min_operands) {
    cli_fail(c, SUMI_INVALID, "expected %s; see `sumi %s --help`", command->operand, command->name);
    return false;
  }
  *operand_count = count;
  return true;
}
