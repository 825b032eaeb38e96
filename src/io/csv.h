/* A log of numbers as CSV that outlives kill -9: one write for each row, mended when it is opened again. */
#ifndef SUMI_SRC_IO_CSV_H
#define SUMI_SRC_IO_CSV_H

#include "base/base.h"

typedef struct sumi__csv sumi__csv;

/* Opens the log for appending. `columns` are its names (letters, digits, '_', '.', '/', '-'), the first one counts
 * up from row to row, such as "step".
 * last_step < 0: a new log; what the file held is replaced once the new header is safely on disk.
 * last_step >= 0: go on after that step. Rows whose first column exceeds it are cut off (they belong to work that is
 * done again), and so is a last line that was half written; a missing file is made. Another header is MISMATCH, and
 * a row that cannot be read FORMAT; neither changes the file.
 * Errors: INVALID (columns), IO, FORMAT, MISMATCH, NO_MEMORY. Free with sumi__csv_close. */
sumi_status sumi__csv_open(sumi_context *ctx, const char *path, const char *const *columns, size_t column_count,
                           int64_t last_step, sumi__csv **out);

/* Appends a row of column_count values; NaN leaves its cell empty. When it returns OK the row survives the process
 * (not a power cut: see sync). On an error nothing of the row stays. */
sumi_status sumi__csv_append(sumi__csv *csv, const double *values);

/* Waits until all rows are on the disk, for calls beside a checkpoint. */
sumi_status sumi__csv_sync(sumi__csv *csv);

void sumi__csv_close(sumi__csv *csv); /* NULL is allowed */

#endif
