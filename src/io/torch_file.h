/* Checkpoints that torch.save wrote: a zip archive (torch 1.6 and later), or the stream of pickles of earlier ones
 * (torch/serialization.py). Nothing in them is executed (see pickle.h). */
#ifndef SUMI_SRC_IO_TORCH_FILE_H
#define SUMI_SRC_IO_TORCH_FILE_H

#include "base/base.h"
#include "io/tensor_source.h"

typedef struct sumi__torch_tensor {
  const char *name; /* keys on the way to it, with dots between; a dictionary "state_dict" at the top is left out */
  sumi__tensor_view view;
} sumi__torch_tensor;

typedef struct sumi__torch_file {
  sumi_context *ctx;
  sumi__arena arena;
  sumi__torch_tensor *tensors; /* by name; whole numbers at the top, such as global_step, are scalars of I64 */
  size_t count, capacity;
} sumi__torch_file;

/* Whether the bytes begin as such a file does. */
bool sumi__torch_begins(const uint8_t *data, size_t bytes);

/* Reads the description of the tensors; their values stay in `data`, which has to outlive the file (`mapped`: it is a
 * file's mapping). Those that do not lie in order are copied. `name` stands for the path in errors.
 * Free with sumi__torch_free. Errors: FORMAT, UNSUPPORTED (compressed archives, big-endian files), NO_MEMORY. */
sumi_status sumi__torch_open(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes, bool mapped,
                             sumi__torch_file *out);
void sumi__torch_free(sumi__torch_file *file);

/* The tensor of that name, or NULL. */
const sumi__torch_tensor *sumi__torch_find(const sumi__torch_file *file, const char *name);

#endif
