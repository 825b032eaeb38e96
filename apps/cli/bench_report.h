/* What the benchmarks share: the machine, measured at their beginning, and results kept by commit. */
#ifndef SUMI_BENCH_REPORT_H
#define SUMI_BENCH_REPORT_H

#include "cli.h"

#include <stdio.h>

/* Two options of every benchmark, members of its arguments. */
#define CLI_RECORD_OPTIONS(arguments)                                                                                  \
  {"record",   0,                                                                                                      \
   CLI_TEXT,   offsetof(arguments, record),                                                                            \
   "FILE.csv", "append what was measured, in the columns below; sumi plot speed draws it",                             \
   0,          0,                                                                                                      \
   NULL},                                                                                                              \
  {                                                                                                                    \
    "commit", 0, CLI_TEXT, offsetof(arguments, commit), "ID", "the version that is measured, for --record", 0, 0, NULL \
  }

typedef struct cli_report_file {
  const cli *c;
  const char *commit, *path;
  FILE *file; /* NULL: nothing is kept */
  const sumi_machine *machine;
  size_t machine_peak_bytes; /* the most memory of the process when that had been measured */
} cli_report_file;

/* One measurement. Zeros and NULL leave their cells empty. */
typedef struct cli_measurement {
  const char *what, *mode; /* "unet", "bf16 careful" */
  sumi_dtype compute;
  int64_t side, batch;              /* of pictures, in pixels */
  double seconds;                   /* the median */
  double flops, bytes;              /* in that time */
  const sumi_program_info *program; /* for its activations */
  bool alone; /* nothing else has been measured before, so that the process's peak of memory belongs to this */
} cli_measurement;

/* Measures the machine, says what it can do, and opens the file. Errors: INVALID (commit), IO, FORMAT (another kind of
 * file). */
sumi_status cli_report_open(cli_report_file *r, cli *c, const char *path, const char *commit);
/* The most memory that the process has had; 0 if it has not been more than while the machine was measured, which takes
 * 130 MB, or is not known. */
size_t cli_report_peak_bytes(const cli_report_file *r);
/* The share of the machine's peak: of arithmetic where there is some, else of memory. */
double cli_report_share(const cli_report_file *r, const cli_measurement *m);
/* Keeps it, if there is a file. */
void cli_report_row(const cli_report_file *r, const cli_measurement *m);
/* The status that was given, or IO if rows could not be written. */
sumi_status cli_report_close(cli_report_file *r, sumi_status status);

/* For --help: what the columns of the file are. */
void cli_report_help(void);

#endif
