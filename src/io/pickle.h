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

/* ('storage', type, key, device, elements): what a persistent id names. */
typedef struct sumi__pickle_storage {
  const char *key;
  sumi_dtype dtype;                          /* SUMI_DTYPE_COUNT: a type that is not known */
  const struct sumi__pickle_storage *before; /* the one named before it, or NULL */
} sumi__pickle_storage;

typedef struct sumi__pickle_tensor {
  const sumi__pickle_storage *storage;
  int64_t offset; /* in elements */
  sumi_shape shape;
  int64_t strides[SUMI_MAX_RANK];
} sumi__pickle_tensor;

/* Small, since an opcode of one byte makes one. */
struct sumi__pickle_value {
  sumi__pickle_kind kind;
  union {
    size_t count;      /* LIST, DICT */
    size_t text_bytes; /* TEXT, GLOBAL */
  };
  union {
    int64_t integer; /* BOOL, INTEGER */
    double real;     /* REAL */
    size_t capacity; /* LIST, DICT */
  };
  union {
    const char *text;                    /* TEXT: terminated by 0, which may also be inside; GLOBAL: "module.name" */
    sumi__pickle_value **items;          /* LIST, DICT */
    const sumi__pickle_storage *storage; /* STORAGE */
    const sumi__pickle_tensor *tensor;   /* TENSOR */
  };
};

/* The longest pickle that is read, and the memory that one of any length may take; one of n bytes may take 64 n + 64 KB
 * of it. A checkpoint's takes some 10 n, and that of Stable Diffusion has 200 KB. */
enum { SUMI__PICKLE_MOST_BYTES = 64 << 20, SUMI__PICKLE_MOST_MEMORY = 128 << 20 };

/* A pickle's value. Everything lies in `arena`. *used, unless NULL: the bytes up to the end of the pickle, behind which
 * others may follow. *storages, unless NULL: the last storage that is named anywhere, also inside of what is opaque.
 * Time and memory are in proportion to the pickle's length and within the limits above; values may be shared, also by
 * themselves. Errors: FORMAT (damaged, an opcode that no checkpoint has, beyond a limit), NO_MEMORY. */
sumi_status sumi__pickle_parse(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes,
                               sumi__arena *arena, size_t *used, const sumi__pickle_storage **storages,
                               const sumi__pickle_value **out);

/* The value under a key that is a text, or NULL. */
const sumi__pickle_value *sumi__pickle_find(const sumi__pickle_value *dict, const char *key);

#endif
