/* safetensors beyond the public reader in sumi/io.h: from memory, as the engine's types, and writing.
 *
 * The format (https://github.com/huggingface/safetensors, "Format"): a little-endian u64 with the header's length, the
 * header as a JSON object {name: {"dtype", "shape", "data_offsets": [begin, end)}, ...}, then the data. The ranges
 * cover the data without holes or overlaps. */
#ifndef SUMI_SRC_IO_SAFETENSORS_H
#define SUMI_SRC_IO_SAFETENSORS_H

#include "base/base.h"
#include "io/tensor_source.h"
#include "sumi/io.h"
#include "sumi/tensor.h"

/* The same as sumi_safetensors_open over bytes that the caller keeps alive; `name` stands for the path in errors. */
sumi_status sumi__safetensors_parse(sumi_context *ctx, const char *name, const void *data, size_t bytes,
                                    sumi_safetensors **out);

/* The path (or name) that the file was opened with, and the context that it belongs to; lent. */
const char *sumi__safetensors_path(const sumi_safetensors *file);
sumi_context *sumi__safetensors_context(const sumi_safetensors *file);

/* The tensor of that name. Errors: NOT_FOUND, naming the file and the tensor. */
sumi_status sumi__safetensors_get(const sumi_safetensors *file, const char *name, const sumi_safetensors_tensor **out);

/* The file as a source of tensors; lent. Tensors of more than SUMI_MAX_RANK dimensions are not in it. */
const sumi__tensor_source *sumi__safetensors_source(const sumi_safetensors *file);

/* As the engine's type; false if it has none (U16, U32, U64, the 8-bit floats, C64, ...). */
bool sumi__safetensors_dtype(const sumi_safetensors_tensor *tensor, sumi_dtype *out);

/* All elements as f32 into `out` (tensor->count floats), whatever the type: 16- and 8-bit floats exactly, f64 and
 * integers rounded, bool as 0 and 1. Errors: UNSUPPORTED (complex and sub-byte types). */
sumi_status sumi__safetensors_read_f32(const sumi_safetensors *file, const sumi_safetensors_tensor *tensor, float *out);

/* A tensor to write. */
typedef struct sumi__safetensors_entry {
  const char *name; /* UTF-8, unique, not "__metadata__" */
  sumi_dtype dtype;
  sumi_shape shape;
  const void *data; /* row-major; NULL: ask `produce` */
} sumi__safetensors_entry;

typedef struct sumi__safetensors_pair {
  const char *key, *value; /* UTF-8 */
} sumi__safetensors_pair;

/* Writes the bytes of entries[i] to `out`, exactly as many as its dtype and shape say. For tensors that are converted
 * or copied from elsewhere on the way, so that only one of them is held at a time. */
typedef sumi_status (*sumi__safetensors_produce)(void *user, size_t i, void *out);

/* Writes the file whole or not at all (see file.h). The order in the file depends on the names and types alone: wider
 * elements first (so that each tensor is aligned to its element; the header is padded to 8), then by name. Metadata
 * keeps its order. `produce` may be NULL if every entry has data; pairs may be NULL if pair_count is 0.
 * Errors: INVALID (a name twice, a bad shape), IO, NO_MEMORY, whatever `produce` returns. */
sumi_status sumi__safetensors_write(sumi_context *ctx, const char *path, const sumi__safetensors_entry *entries,
                                    size_t count, const sumi__safetensors_pair *pairs, size_t pair_count,
                                    sumi__safetensors_produce produce, void *user);

#endif
