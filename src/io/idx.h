/* The IDX format of MNIST (http://yann.lecun.com/exdb/mnist, at the page's end): two zero bytes, a type, the
 * number of dimensions, each dimension as a big-endian u32, then the elements, big-endian, row-major. Plain or gzipped.
 */
#ifndef SUMI_SRC_IO_IDX_H
#define SUMI_SRC_IO_IDX_H

#include "base/base.h"
#include "sumi/tensor.h"

typedef struct sumi__idx {
  sumi_dtype dtype; /* U8, I8, I16, I32, F32 or F64 */
  int rank;         /* 1 to SUMI_MAX_RANK */
  int64_t dims[SUMI_MAX_RANK];
  int64_t count; /* elements */
  void *data;    /* row-major, in the machine's byte order, aligned to 64 bytes; owned */
  size_t bytes;
} sumi__idx;

/* Reads a file whose expanded size is at most `limit` bytes. On failure *out is all zero.
 * Errors: NOT_FOUND, IO, FORMAT (magic, type, dimensions, truncated, trailing bytes, over the limit), NO_MEMORY. */
sumi_status sumi__idx_read(sumi_context *ctx, const char *path, size_t limit, sumi__idx *out);
/* The same from memory; `name` stands for the path in errors. */
sumi_status sumi__idx_parse(sumi_context *ctx, const char *name, const void *data, size_t bytes, size_t limit,
                            sumi__idx *out);
/* Frees the data and zeroes the struct. */
void sumi__idx_free(sumi_context *ctx, sumi__idx *idx);

#endif
