/* The only door to libyaml: configuration files, flattened to `dotted.key -> value(s)` with line numbers.
 *
 *   train:
 *     lr: 3e-4                 ->  train.lr        line 2  3e-4
 *     widths: [32, 64]         ->  train.widths    line 3  list of 32, 64
 *
 * Allowed: one document, mappings, scalars, lists of scalars. Refused, each with file, line and key: anchors, aliases,
 * tags, keys given twice, lists of lists or of mappings, more than 16 levels, more than 1 MB. Scalars are read by
 * YAML 1.2's core schema: `1e-4` is a number and `no` a string. */
#ifndef SUMI_SRC_IO_YAML_H
#define SUMI_SRC_IO_YAML_H

#include "base/base.h"

typedef struct sumi__yaml_value {
  const char *text; /* UTF-8 */
  bool quoted;      /* written in quotes or as a block: a string whatever it looks like */
} sumi__yaml_value;

typedef struct sumi__yaml_entry {
  const char *key;   /* "train.lr" */
  const char *where; /* "digits.yaml:12", or "command line": for the caller's own errors */
  bool is_list;
  size_t count; /* values: 1 for a scalar, 0 or more for a list */
  const sumi__yaml_value *values;
} sumi__yaml_entry;

typedef struct sumi__yaml sumi__yaml;

/* Reads a file. An empty file has no entries. Errors: NOT_FOUND, IO, FORMAT, NO_MEMORY. Free with sumi__yaml_free. */
sumi_status sumi__yaml_read(sumi_context *ctx, const char *path, sumi__yaml **out);
/* The same from memory; `name` stands for the path. */
sumi_status sumi__yaml_parse(sumi_context *ctx, const char *name, const char *text, size_t bytes, sumi__yaml **out);
void sumi__yaml_free(sumi__yaml *yaml); /* NULL is allowed */

/* Sets one key from the command line: `key=value`, the value by YAML's rules ("train.widths=[32, 64]", "a={b: 1}",
 * "name='1'", "key=" for null). Replaces what the key had. Errors: INVALID (no '=', a bad key), FORMAT. */
sumi_status sumi__yaml_override(sumi__yaml *yaml, const char *assignment);

/* The entries in the file's order, those that the command line added last. Lent until freed or overridden. */
size_t sumi__yaml_count(const sumi__yaml *yaml);
const sumi__yaml_entry *sumi__yaml_at(const sumi__yaml *yaml, size_t i);
const sumi__yaml_entry *sumi__yaml_find(const sumi__yaml *yaml, const char *key); /* or NULL */

/* The i-th value of an entry as a type. Errors: FORMAT: "digits.yaml:12: train.lr: expected a number, found `fast`".
 * i64 and f64 check the range [low, high]; an integer is a number too. A string is the text of any scalar but null. */
sumi_status sumi__yaml_i64(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, int64_t low, int64_t high,
                           int64_t *out);
sumi_status sumi__yaml_f64(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, double low, double high,
                           double *out);
sumi_status sumi__yaml_bool(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, bool *out);
sumi_status sumi__yaml_string(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, const char **out);
/* null, ~ or nothing at all. */
bool sumi__yaml_is_null(const sumi__yaml_value *value);
/* FORMAT unless the entry is a single scalar. */
sumi_status sumi__yaml_scalar(sumi_context *ctx, const sumi__yaml_entry *entry);

#endif
