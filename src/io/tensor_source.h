/* Where named tensors come from, whatever the file is: a safetensors file, a sharded folder, a pickled checkpoint, or
 * one of these seen through a family's names. Models read parameters through this alone. */
#ifndef SUMI_SRC_IO_TENSOR_SOURCE_H
#define SUMI_SRC_IO_TENSOR_SOURCE_H

#include "sumi/tensor.h"

/* One tensor as its file keeps it. */
typedef struct sumi__tensor_view {
  sumi_dtype dtype; /* SUMI_DTYPE_COUNT: one that sumi has no type for */
  sumi_shape shape; /* in the file's order: O, I, H, W for convolutions */
  const void *data; /* little-endian, row-major, all of it inside the file; not necessarily aligned. Lent: valid until
                       the source is closed, and at the same address all that time */
  bool mapped; /* it lies in a file's read-only mapping: its pages may be given back after reading, and come again */
} sumi__tensor_view;

typedef struct sumi__tensor_source sumi__tensor_source;
/* The first member of each kind of source. Immutable, and so usable from several threads. */
struct sumi__tensor_source {
  const char *path; /* for messages */
  /* Lends the tensor of that name. False: there is none. */
  bool (*find)(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out);
};

#endif
