/* What the subcommands share: their tables of options, progress, interruption, and how they fail.
 *
 * A command is one file with one `cli_command`: a table of options that gives the parser, the defaults and --help at
 * once, and a function. Exit codes are the numbers of sumi_status; a wrong command line is SUMI_INVALID (2). */
#ifndef SUMI_CLI_H
#define SUMI_CLI_H

#include "sumi/sumi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#if defined(__GNUC__)
#define CLI_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define CLI_PRINTF(f, a)
#endif

/* ---- Options ---- */

typedef enum cli_kind {
  CLI_FLAG,   /* bool; takes no value */
  CLI_TEXT,   /* const char *, as given; NULL when it has no default */
  CLI_INT,    /* int64_t within [low, high] */
  CLI_REAL,   /* double within [low, high] */
  CLI_BYTES,  /* int64_t: a number of bytes, or with a unit: see --help */
  CLI_CHOICE, /* const char *: one of the words in `choices` */
} cli_kind;

typedef struct cli_option {
  const char *name;  /* without the dashes */
  char letter;       /* for -o, or 0 */
  cli_kind kind;     /* the type of the member at `offset` */
  size_t offset;     /* in the command's struct of arguments, whose initial values are the defaults */
  const char *value; /* the name of the value in --help: "FILE", "N" */
  const char *help;
  double low, high;    /* CLI_INT, CLI_REAL */
  const char *choices; /* CLI_CHOICE: words separated by one space */
} cli_option;

typedef struct cli cli;

typedef struct cli_command {
  const char *name;    /* one word, or two: "eval digits" */
  const char *operand; /* for --help: "FILE...", or "" */
  int min_operands, max_operands;
  const char *summary; /* one line */
  const char *details; /* for --help, after the summary; ends with a newline; may be "" */
  const cli_option *options;
  size_t option_count;
  const void *defaults; /* arguments_bytes of them */
  size_t arguments_bytes;
  void (*more_help)(void); /* prints what only the library knows, at the end of --help; may be NULL */
  sumi_status (*run)(cli *c, const void *arguments, int operand_count, char **operands);
} cli_command;

/* The arguments' struct is filled from the defaults and the command line. Prints help or a complaint itself. Returns
 * false when there is nothing more to do, with the exit code in *exit_code. `arguments` holds arguments_bytes; operands
 * are moved to the front of argv. The options that every command has go into c. */
bool cli_parse(cli *c, const cli_command *command, int argc, char **argv, void *arguments, int *operand_count,
               int *exit_code);

/* Whole-string numbers; false if anything is left over or out of range. */
bool cli_parse_int(const char *text, double low, double high, int64_t *out);
bool cli_parse_real(const char *text, double low, double high, double *out);

/* ---- A run ---- */

struct cli {
  sumi_context *context;
  const char *command; /* for complaints */
  int64_t threads;     /* 0: all processors */
  const char *isa;     /* or NULL */
  const char *winograd;
  bool quiet, profile;
  int64_t profile_layers; /* of each program, that a profile is printed with; 0: all */
  sumi_profile *account;  /* of --profile, or NULL */
  bool measured;          /* `machine` is */
  sumi_machine machine;   /* see cli_machine */
};

/* What common options are unless they are given. */
extern const cli cli_defaults;

/* Prints "sumi COMMAND: ..." on stderr as one line and returns the code. */
sumi_status cli_fail(const cli *c, sumi_status code, const char *format, ...) CLI_PRINTF(3, 4);
/* The same with the context's own sentence, for a library call that failed; SUMI_OK stays silent. */
sumi_status cli_report(const cli *c, sumi_status code);

/* A note on stderr, dropped with --quiet. */
void cli_note(const cli *c, const char *format, ...) CLI_PRINTF(2, 3);

/* What this machine can do at most, measured when it is first asked for and lent as long as c. Errors: NO_MEMORY, not
 * yet reported. */
sumi_status cli_machine(cli *c, const sumi_machine **out);

/* ---- Checkpoints ---- */

/* Options of every command that opens one: what takes the place of a part of it, and what it is if that is not told
 * right. Two members that are const char *; the family's default is "auto". */
/* clang-format off */
#define CLI_PART_OPTIONS(type, vae_field, family_field)                                                                \
  {"vae", 0, CLI_TEXT, offsetof(type, vae_field), "FILE_OR_FOLDER",                                                    \
   "an autoencoder in place of the checkpoint's own", 0, 0, NULL},                                                     \
  {"family", 0, CLI_CHOICE, offsetof(type, family_field), NULL, "which Stable Diffusion it is, 1.x or 2.x", 0, 0,      \
   "auto sd1 sd2"}
/* clang-format on */
sumi_family cli_family(const char *name);
sumi_prediction cli_prediction(const char *name); /* auto, eps, v, x0 */

/* ---- Files ---- */

/* Opens a file of text to read. NOT_FOUND, IO; the complaint is printed. */
sumi_status cli_open_to_read(const cli *c, const char *path, FILE **out);

/* How an output is written, and so whether a device or a pipe will do. */
typedef enum cli_output {
  CLI_OUTPUT_STREAM, /* from its beginning to its end: it will, whatever its name */
  CLI_OUTPUT_NAMED,  /* likewise, but the name tells the kind, so it has to have an ending, too */
  CLI_OUTPUT_FILE    /* here and there: it will not */
} cli_output;
#define CLI_PICTURES "png jpg jpeg webp" /* the endings that sumi_image_write knows */

/* Before the work: whether `path` can be written, as far as that can be known. `endings` are the extensions that it may
 * have, separated by one space ("png"), or NULL for any. Prints a complaint that begins with `option`.
 * INVALID (no name, "-", another extension, a device), IO (a folder that is missing or may not be written into). */
sumi_status cli_check_output(const cli *c, const char *option, const char *path, const char *endings, cli_output how);
/* Of `count` files the i-th: the path itself, or out-0000.png, out-0001.png, ... */
sumi_status cli_numbered_path(const cli *c, const char *path, int64_t i, int64_t count, char *out, size_t room);

/* Whether two paths name the same file, be it there or not. */
bool cli_same_file(const char *a, const char *b);

/* ---- Interruption ---- */

/* From now on SIGINT, SIGTERM and SIGHUP set a flag, so that the work can stop in good order, and say so; another one,
 * a second or more later, kills. */
void cli_catch_interrupts(void);
bool cli_interrupted(void);

/* ---- Progress on stderr ---- */

/* A bar with rate and time left on a terminal; elsewhere a line now and then. */
typedef struct cli_progress {
  const char *label, *unit; /* "sampling", "steps" */
  int64_t total;
  double begin, shown; /* seconds; shown 0: draw at the next update */
  int64_t first;       /* where it began, not 0 after a resume */
  bool terminal, silent;
} cli_progress;

void cli_progress_begin(cli_progress *p, const cli *c, const char *label, const char *unit, int64_t first,
                        int64_t total);
/* `note` (such as "loss 21.4") may be NULL. Cheap: draws at most ten times a second. */
void cli_progress_update(cli_progress *p, int64_t done, const char *note);
/* Takes the bar off the terminal, so that a line can be printed; the next update draws it again. */
void cli_progress_clear(cli_progress *p);
void cli_progress_end(cli_progress *p, int64_t done, const char *note);

double cli_seconds(void); /* monotonic */

/* ---- The commands ---- */

extern const cli_command *const cli_commands[];
extern const size_t cli_command_count;

#endif
