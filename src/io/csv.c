#include "io/csv.h"

#include "io/file.h"
#include "io/text.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A log of a year of steps is far below this. */
enum { LIMIT_BYTES = 1 << 30, MAX_COLUMNS = 256, MAX_NAME = 64 };

struct sumi__csv {
  sumi_context *ctx;
  char *path;
  size_t columns;
  char *line; /* room for a row */
  size_t line_room;
  int fd;
  off_t end; /* of the last whole row */
};

static sumi_status fail_errno(sumi__csv *csv, const char *doing) {
  const int code = errno;
  return sumi__fail(csv->ctx, SUMI_IO, "%s: %s: %s", csv->path, doing, strerror(code));
}

static bool is_name(const char *name) {
  const size_t n = strlen(name);
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  return n > 0 && n < MAX_NAME && strspn(name, allowed) == n;
}

/* The header line, with its newline. */
static sumi_status make_header(sumi__csv *csv, const char *const *columns, char **out) {
  sumi_status status = SUMI_OK;
  char *header = NULL;
  size_t bytes = 2;
  SUMI_CHECK(csv->ctx, csv->columns >= 1 && csv->columns <= MAX_COLUMNS, SUMI_INVALID,
             "%s: a log has 1 to %d columns, not %zu", csv->path, (int)MAX_COLUMNS, csv->columns);
  for (size_t i = 0; i < csv->columns; i++) {
    SUMI_CHECK(csv->ctx, is_name(columns[i]), SUMI_INVALID,
               "%s: the name of column %zu is empty, too long or not plain letters", csv->path, i + 1);
    bytes += strlen(columns[i]) + 1;
  }
  header = sumi__alloc_zero(csv->ctx, bytes);
  if (!header) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < csv->columns; i++) {
    if (i) strcat(header, ",");
    strcat(header, columns[i]);
  }
  strcat(header, "\n");
  *out = header;
done:
  return status;
}

/* The first cell of a row as the step; false unless the row has the right number of cells, all numbers or empty. */
static bool read_row(const char *row, size_t bytes, size_t columns, double *step) {
  size_t cells = 0, begin = 0;
  for (size_t i = 0; i <= bytes; i++) {
    if (i < bytes && row[i] != ',') continue;
    char cell[SUMI__NUMBER_MAX];
    const size_t n = i - begin;
    double value = 0;
    if (n >= sizeof cell) return false;
    memcpy(cell, row + begin, n);
    cell[n] = 0;
    if (n ? !sumi__parse_f64(cell, &value) || strlen(cell) != n : cells == 0) return false;
    if (cells == 0) *step = value;
    cells++;
    begin = i + 1;
  }
  return cells == columns && isfinite(*step);
}

/* Finds where the rows up to last_step end in an existing log; 0 if it holds nothing yet, not even a header. */
static sumi_status find_end(sumi__csv *csv, const char *text, size_t bytes, const char *header, int64_t last_step,
                            size_t *end) {
  const size_t header_bytes = strlen(header);
  *end = 0;
  if (bytes < header_bytes && !memcmp(text, header, bytes)) return SUMI_OK; /* a half-written header, or nothing */
  if (bytes < header_bytes || memcmp(text, header, header_bytes) != 0)
    return sumi__fail(csv->ctx, SUMI_MISMATCH, "%s: has other columns than this log, expected %.*s", csv->path,
                      (int)header_bytes - 1, header);
  *end = header_bytes;
  for (size_t row = 2; *end < bytes; row++) {
    const char *newline = memchr(text + *end, '\n', bytes - *end);
    if (!newline) return SUMI_OK; /* half written */
    const size_t n = (size_t)(newline - (text + *end));
    double step = 0;
    if (!read_row(text + *end, n, csv->columns, &step))
      return sumi__fail(csv->ctx, SUMI_FORMAT, "%s:%zu: expected %zu numbers, of which the first is not empty",
                        csv->path, row, csv->columns);
    if (step > (double)last_step) return SUMI_OK;
    *end += n + 1;
  }
  return SUMI_OK;
}

/* Goes on with the rows that are to stay; *found is false if there is nothing to go on with. */
static sumi_status resume(sumi__csv *csv, const char *header, int64_t last_step, bool *found) {
  uint8_t *text = NULL;
  size_t bytes = 0, end = 0;
  *found = false;
  if (!sumi__file_exists(csv->path)) return SUMI_OK;
  sumi_status status = sumi__file_read(csv->ctx, csv->path, LIMIT_BYTES, &text, &bytes);
  if (status == SUMI_OK) status = find_end(csv, (const char *)text, bytes, header, last_step, &end);
  sumi__free(csv->ctx, text);
  if (status != SUMI_OK || end == 0) return status;
  csv->fd = open(csv->path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (csv->fd < 0) return fail_errno(csv, "cannot be written");
  if (end < bytes && ftruncate(csv->fd, (off_t)end) != 0) return fail_errno(csv, "cannot be shortened");
  csv->end = (off_t)end;
  *found = true;
  return SUMI_OK;
}

static sumi_status start_anew(sumi__csv *csv, const char *header) {
  const sumi_status status = sumi__file_write(csv->ctx, csv->path, header, strlen(header));
  if (status != SUMI_OK) return status;
  csv->fd = open(csv->path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (csv->fd < 0) return fail_errno(csv, "cannot be written");
  csv->end = (off_t)strlen(header);
  return SUMI_OK;
}

sumi_status sumi__csv_open(sumi_context *ctx, const char *path, const char *const *columns, size_t column_count,
                           int64_t last_step, sumi__csv **out) {
  sumi_status status = SUMI_OK;
  char *header = NULL;
  bool found = false;
  *out = NULL;
  sumi__csv *csv = sumi__alloc_zero(ctx, sizeof *csv);
  if (!csv) return SUMI_NO_MEMORY;
  csv->ctx = ctx;
  csv->fd = -1;
  csv->columns = column_count;
  csv->path = sumi__strdup(ctx, path);
  if (!csv->path) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  SUMI_TRY(make_header(csv, columns, &header));
  csv->line_room = column_count * SUMI__NUMBER_MAX + 2;
  csv->line = sumi__alloc(ctx, csv->line_room);
  if (!csv->line) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  if (last_step >= 0) SUMI_TRY(resume(csv, header, last_step, &found));
  if (!found) SUMI_TRY(start_anew(csv, header));
  *out = csv;
  csv = NULL;
done:
  sumi__free(ctx, header);
  sumi__csv_close(csv);
  return status;
}

/* One write call for the whole row: the kernel has all of it or reports how much, whatever happens to us after. */
static sumi_status write_row(sumi__csv *csv, size_t bytes) {
  ssize_t n;
  do n = write(csv->fd, csv->line, bytes);
  while (n < 0 && errno == EINTR);
  if (n == (ssize_t)bytes) {
    csv->end += n;
    return SUMI_OK;
  }
  if (n >= 0) errno = ENOSPC; /* a short write to a file means that the space ran out */
  const sumi_status status = fail_errno(csv, "cannot be written");
  if (n > 0 && ftruncate(csv->fd, csv->end) != 0) return fail_errno(csv, "cannot be mended after a short write");
  return status;
}

sumi_status sumi__csv_append(sumi__csv *csv, const double *values) {
  size_t used = 0;
  if (isnan(values[0])) return sumi__fail(csv->ctx, SUMI_INVALID, "%s: a row needs its first column", csv->path);
  for (size_t i = 0; i < csv->columns; i++) {
    char text[SUMI__NUMBER_MAX] = "";
    if (!isnan(values[i])) sumi__format_f64(text, values[i]);
    used += (size_t)snprintf(csv->line + used, csv->line_room - used, "%s%s", i ? "," : "", text);
  }
  csv->line[used++] = '\n';
  return write_row(csv, used);
}

sumi_status sumi__csv_sync(sumi__csv *csv) {
  return fsync(csv->fd) == 0 ? SUMI_OK : fail_errno(csv, "cannot be synced");
}

void sumi__csv_close(sumi__csv *csv) {
  if (!csv) return;
  if (csv->fd >= 0) close(csv->fd);
  sumi__free(csv->ctx, csv->line);
  sumi__free(csv->ctx, csv->path);
  sumi__free(csv->ctx, csv);
}
