/* The files that `sumi bench --record` makes, as the commands that draw them read them. */
#ifndef SUMI_RESULTS_H
#define SUMI_RESULTS_H

#include "cli.h"

/* A row; numbers are NaN where a cell is empty. */
typedef struct cli_result {
  char commit[48], what[96], mode[48], cpu[64], isa[32];
  double side, batch, threads, seconds, gflop, gflops, gbs, share, activation_mb, resident_mb;
} cli_result;

typedef struct cli_results {
  cli_result *rows;
  size_t count;
} cli_results;

/* Columns are found by their names, so that others may stand between them. Errors: NOT_FOUND, IO, FORMAT, NO_MEMORY.
 */
sumi_status cli_results_read(const cli *c, const char *path, cli_results *out);
void cli_results_free(cli_results *results);

/* The number in a column, by its name; NULL for one that is no number. */
const double *cli_result_number(const cli_result *row, const char *column);

#endif
