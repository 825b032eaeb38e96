/* Python's pickles as far as checkpoints need them, by a machine that executes nothing: classes and functions are
 * names, calls of those that make tensors and dictionaries are understood, and whatever else is called becomes an
 * opaque value that is carried along (formats: Lib/pickletools.py, torch/_utils.py, torch/serialization.py). */
#ifndef SUMI_SRC_IO_PICKLE_H
#define SUMI_SRC_IO_PICKLE_H

#include "base/base.h"
#include "sumi/tensor.h"

typedef enum sumi__pickle_kind {
  SUMI__PICKLE_NONE,
  SUMI__PICKLE_BOOL,
  SUMI__PICKLE_INTEGER,
  SUMI__PICKLE_REAL,
  SUMI__PICKLE_TEXT, /* strings and bytes */
  SUMI__PICKLE_LIST, /* lists, tuples, sets */
  SUMI__PICKLE_DICT, /* items: key, value, key, value, ... */
  SUMI__PICKLE_GLOBAL,
  SUMI__PICKLE_STORAGE,
  SUMI__PICKLE_TENSOR,
  SUMI__PICKLE_OPAQUE
} sumi__pickle_kind;

typedef struct sumi__pickle_value sumi__pickle_value;
struct sumi__pickle_value {
  sumi__pickle_kind kind;
  int64_t integer;  /* BOOL, INTEGER; TENSOR: offset in elements; STORAGE: elements */
  double real;      /* REAL */
  const char *text; /* TEXT: terminated by 0, which may also be inside; GLOBAL: "module.name"; STORAGE: its key */
  size_t text_bytes;
  sumi__pickle_value **items; /* LIST, DICT */
  size_t count, capacity;
  sumi_dtype dtype;                  /* STORAGE; SUMI_DTYPE_COUNT: a type that is not known */
  const sumi__pickle_value *storage; /* TENSOR; STORAGE: the one named before it, or NULL */
  sumi_shape shape;
  int64_t strides[SUMI_MAX_RANK];
};

/* A pickle's value. Everything lies in `arena`, and for texts in the bytes themselves.
 * *used, unless NULL: the bytes up to the end of the pickle, behind which others may follow. *storages, unless NULL:
 * the last storage that is named anywhere, also inside of what is opaque. What is made of n bytes takes memory and time
 * in proportion to n, and at most 2^22 values; values may be shared, also by themselves.
 * Errors: FORMAT (damaged, or an opcode that no checkpoint has), NO_MEMORY. */
sumi_status sumi__pickle_parse(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes,
                               sumi__arena *arena, size_t *used, const sumi__pickle_value **storages,
                               const sumi__pickle_value **out);

/* The value under a key that is a text, or NULL. */
const sumi__pickle_value *sumi__pickle_find(const sumi__pickle_value *dict, const char *key);

#endif
