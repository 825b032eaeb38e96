/* JSON: reading (the only door to jansson) with errors that name file and key, and a small writer. */
#ifndef SUMI_SRC_IO_JSON_H
#define SUMI_SRC_IO_JSON_H

#include "base/base.h"

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

typedef struct sumi__json sumi__json;           /* a document */
typedef struct sumi__json_node sumi__json_node; /* a value of it, lent until the document is freed */

typedef enum sumi__json_kind {
  SUMI__JSON_NULL,
  SUMI__JSON_BOOL,
  SUMI__JSON_INTEGER,
  SUMI__JSON_REAL,
  SUMI__JSON_STRING,
  SUMI__JSON_ARRAY,
  SUMI__JSON_OBJECT
} sumi__json_kind;

/* What a text may ask for before it is parsed. */
typedef struct sumi__json_limits {
  size_t bytes;  /* of the text */
  int depth;     /* nested arrays and objects; at most 256 */
  size_t values; /* commas, brackets and braces outside of strings: bounds the memory that parsing takes */
} sumi__json_limits;

/* For configurations and small state files: 16 MB, 32 levels, one million values. */
extern const sumi__json_limits sumi__json_config_limits;

/* Parses one JSON value (RFC 8259) and nothing after it but space. Keys given twice, broken UTF-8, \u0000 and integers
 * beyond i64 are refused. `name` stands for the path in errors. Errors: FORMAT, NO_MEMORY. */
sumi_status sumi__json_parse(sumi_context *ctx, const char *name, const char *text, size_t bytes,
                             const sumi__json_limits *limits, sumi__json **out);
/* Reads a file within sumi__json_config_limits. */
sumi_status sumi__json_read(sumi_context *ctx, const char *path, sumi__json **out);
void sumi__json_free(sumi__json *json); /* NULL is allowed */

const sumi__json_node *sumi__json_root(const sumi__json *json);
sumi__json_kind sumi__json_kind_of(const sumi__json_node *node);
/* Members of an object, items of an array, 0 for anything else. */
size_t sumi__json_count(const sumi__json_node *node);
/* The member of an object, or the item of an array; NULL if there is none. */
const sumi__json_node *sumi__json_find(const sumi__json_node *object, const char *key);
const sumi__json_node *sumi__json_item(const sumi__json_node *array, size_t i);
/* Walks an object in the text's order: start with *cursor = NULL; false at the end. */
bool sumi__json_next(const sumi__json_node *object, void **cursor, const char **key, const sumi__json_node **value);

/* The value itself, unchecked: ask for the kind first. A number's value as f64 works for integers too. */
int64_t sumi__json_integer_of(const sumi__json_node *node);
double sumi__json_number_of(const sumi__json_node *node);
const char *sumi__json_string_of(const sumi__json_node *node);

/* Typed members of an object: SUMI__JSON_REQUIRED makes a missing key an error; with SUMI__JSON_OPTIONAL a
 * missing or null one leaves *out as it was. All errors are FORMAT:
 * "unet/config.json: `block_out_channels[2]`: expected an integer from 1 to 65536, found a string". */
typedef enum sumi__json_need { SUMI__JSON_REQUIRED, SUMI__JSON_OPTIONAL } sumi__json_need;

sumi_status sumi__json_get_i64(const sumi__json *json, const sumi__json_node *object, const char *key,
                               sumi__json_need need, int64_t low, int64_t high, int64_t *out);
sumi_status sumi__json_get_f64(const sumi__json *json, const sumi__json_node *object, const char *key,
                               sumi__json_need need, double *out);
sumi_status sumi__json_get_bool(const sumi__json *json, const sumi__json_node *object, const char *key,
                                sumi__json_need need, bool *out);
sumi_status sumi__json_get_string(const sumi__json *json, const sumi__json_node *object, const char *key,
                                  sumi__json_need need, const char **out);
sumi_status sumi__json_get_array(const sumi__json *json, const sumi__json_node *object, const char *key,
                                 sumi__json_need need, const sumi__json_node **out);
sumi_status sumi__json_get_object(const sumi__json *json, const sumi__json_node *object, const char *key,
                                  sumi__json_need need, const sumi__json_node **out);

/* Typed items of an array; one that is not there is FORMAT. */
sumi_status sumi__json_item_i64(const sumi__json *json, const sumi__json_node *array, size_t i, int64_t low,
                                int64_t high, int64_t *out);
sumi_status sumi__json_item_f64(const sumi__json *json, const sumi__json_node *array, size_t i, double *out);
sumi_status sumi__json_item_string(const sumi__json *json, const sumi__json_node *array, size_t i, const char **out);
sumi_status sumi__json_item_object(const sumi__json *json, const sumi__json_node *array, size_t i,
                                   const sumi__json_node **out);

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* Builds a text value by value. `key` is the member's name inside an object, NULL inside an array and for the one
 * outermost value. The first fault (a string that is not UTF-8, a number that is not finite, no memory) is kept, later
 * calls do nothing, and finish or save reports it. Numbers are the shortest decimals that read back the same. */
typedef struct sumi__json_writer {
  sumi_context *ctx;
  int indent; /* spaces for each level; -1: everything on one line without spaces */
  char *text;
  size_t bytes, capacity;
  int depth;
  bool first; /* nothing yet at this level */
  sumi_status status;
} sumi__json_writer;

void sumi__json_writer_init(sumi__json_writer *writer, sumi_context *ctx, int indent);
void sumi__json_begin_object(sumi__json_writer *writer, const char *key);
void sumi__json_end_object(sumi__json_writer *writer);
void sumi__json_begin_array(sumi__json_writer *writer, const char *key);
void sumi__json_end_array(sumi__json_writer *writer);
void sumi__json_put_string(sumi__json_writer *writer, const char *key, const char *value);
void sumi__json_put_i64(sumi__json_writer *writer, const char *key, int64_t value);
void sumi__json_put_f64(sumi__json_writer *writer, const char *key, double value);
void sumi__json_put_f32(sumi__json_writer *writer, const char *key, float value);
void sumi__json_put_bool(sumi__json_writer *writer, const char *key, bool value);
void sumi__json_put_null(sumi__json_writer *writer, const char *key);
/* Hands over the text, NUL-terminated: free with sumi__free. The writer is freed. */
sumi_status sumi__json_writer_finish(sumi__json_writer *writer, char **out, size_t *out_bytes);
/* Writes the text and a final newline to a file, whole or not at all (see file.h). The writer is freed. */
sumi_status sumi__json_writer_save(sumi__json_writer *writer, const char *path);
/* Drops it all; for a caller that fails on its own between init and finish. */
void sumi__json_writer_free(sumi__json_writer *writer);

#endif
