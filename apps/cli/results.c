#include "results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 2048, MAX_COLUMNS = 64, MAX_ROWS = 1 << 20 };

static const struct {
  const char *name;
  size_t offset, bytes; /* bytes 0: a double */
} columns[] = {
#define TEXT(name)                                                                                                     \
  { #name, offsetof(cli_result, name), sizeof((cli_result *)0)->name }
#define NUMBER(name)                                                                                                   \
  { #name, offsetof(cli_result, name), 0 }
    TEXT(commit),       TEXT(what),
    TEXT(mode),         TEXT(cpu),
    TEXT(isa),          NUMBER(side),
    NUMBER(batch),      NUMBER(threads),
    NUMBER(seconds),    NUMBER(gflop),
    NUMBER(gflops),     NUMBER(gbs),
    NUMBER(share),      NUMBER(activation_mb),
    NUMBER(resident_mb)};
#undef TEXT
#undef NUMBER
enum { KNOWN = sizeof columns / sizeof *columns };

const double *cli_result_number(const cli_result *row, const char *column) {
  for (size_t k = 0; k < KNOWN; k++)
    if (columns[k].bytes == 0 && strcmp(columns[k].name, column) == 0)
      return (const double *)(const void *)((const char *)row + columns[k].offset);
  return NULL;
}

static void take_cell(cli_result *row, size_t k, const char *text) {
  char *at = (char *)row + columns[k].offset, *end = NULL;
  if (columns[k].bytes) {
    snprintf(at, columns[k].bytes, "%s", text);
    return;
  }
  const double value = strtod(text, &end);
  const double found = end == text ? NAN : value;
  memcpy(at, &found, sizeof found);
}

/* The cell that begins at *at, which is moved past it. */
static const char *next_cell(char **at) {
  char *cell = *at, *end = cell + strcspn(cell, ",\r\n");
  *at = *end == ',' ? end + 1 : NULL;
  *end = 0;
  return cell;
}

static sumi_status read_head(const cli *c, const char *path, char *line, size_t *index) {
  bool found[KNOWN] = {false};
  size_t n = 0;
  for (char *at = line; at && n < MAX_COLUMNS; n++) {
    const char *name = next_cell(&at);
    index[n] = KNOWN;
    for (size_t k = 0; k < KNOWN; k++)
      if (strcmp(columns[k].name, name) == 0) found[index[n] = k] = true;
  }
  for (size_t k = 0; k < KNOWN; k++)
    if (!found[k]) return cli_fail(c, SUMI_FORMAT, "%s: no column `%s` in the first line", path, columns[k].name);
  return SUMI_OK;
}

static sumi_status add_row(const cli *c, const char *path, cli_results *out, size_t *capacity, char *line,
                           const size_t *index) {
  if (out->count == MAX_ROWS) return cli_fail(c, SUMI_FORMAT, "%s: more than %d rows", path, (int)MAX_ROWS);
  if (out->count == *capacity) {
    const size_t more = *capacity ? 2 * *capacity : 64;
    cli_result *rows = realloc(out->rows, more * sizeof *rows);
    if (!rows) return cli_fail(c, SUMI_NO_MEMORY, "no memory for %s", path);
    out->rows = rows;
    *capacity = more;
  }
  cli_result *row = &out->rows[out->count++];
  memset(row, 0, sizeof *row);
  for (size_t k = 0; k < KNOWN; k++)
    if (!columns[k].bytes) take_cell(row, k, "");
  size_t n = 0;
  for (char *at = line; at && n < MAX_COLUMNS; n++) {
    const char *cell = next_cell(&at);
    if (index[n] < KNOWN) take_cell(row, index[n], cell);
  }
  return SUMI_OK;
}

static sumi_status read_rows(const cli *c, const char *path, FILE *f, cli_results *out) {
  char line[LINE_MAX_BYTES];
  size_t index[MAX_COLUMNS], capacity = 0;
  for (size_t i = 0; i < MAX_COLUMNS; i++) index[i] = KNOWN;
  if (!fgets(line, sizeof line, f)) return cli_fail(c, SUMI_FORMAT, "%s: an empty file has no results", path);
  sumi_status status = read_head(c, path, line, index);
  while (status == SUMI_OK && fgets(line, sizeof line, f))
    if (line[0] != '\n') status = add_row(c, path, out, &capacity, line, index);
  return status;
}

sumi_status cli_results_read(const cli *c, const char *path, cli_results *out) {
  *out = (cli_results){0};
  FILE *f;
  sumi_status status = cli_open_to_read(c, path, &f);
  if (status != SUMI_OK) return status;
  status = read_rows(c, path, f, out);
  fclose(f);
  return status;
}

void cli_results_free(cli_results *results) { free(results->rows); }
