/* A file or folder of tensors, whatever wrote it; told by its content:
 *
 *   safetensors        one file
 *   sharded            an index (NAME.safetensors.index.json or NAME.bin.index.json) and the files that it names
 *   PyTorch            an archive or stream of torch.save (.ckpt, .pt, .pth, .bin); nothing in it is executed */
#ifndef SUMI_SRC_IO_CHECKPOINT_H
#define SUMI_SRC_IO_CHECKPOINT_H

#include "base/base.h"
#include "io/tensor_source.h"
#include "sumi/io.h"

typedef struct sumi__checkpoint sumi__checkpoint;

/* Maps the file. Close with sumi__checkpoint_close. Errors: NOT_FOUND, IO, FORMAT (also what is none of these),
 * UNSUPPORTED, NO_MEMORY. */
sumi_status sumi__checkpoint_open(sumi_context *ctx, const char *path, sumi__checkpoint **out);
void sumi__checkpoint_close(sumi__checkpoint *checkpoint); /* NULL is allowed */

const char *sumi__checkpoint_kind(const sumi__checkpoint *checkpoint); /* "safetensors", "PyTorch", "sharded"; static */
/* The one file, if it is of that kind, or NULL; lent. */
const sumi_safetensors *sumi__checkpoint_safetensors(const sumi__checkpoint *checkpoint);
const sumi__tensor_source *sumi__checkpoint_source(const sumi__checkpoint *checkpoint);

/* Whether the file at `path` is one of those that it reads, by whatever name. */
bool sumi__checkpoint_is_at(const sumi__checkpoint *checkpoint, const char *path);

/* The i-th tensor's name and view; false from the count on. */
size_t sumi__checkpoint_count(const sumi__checkpoint *checkpoint);
bool sumi__checkpoint_at(const sumi__checkpoint *checkpoint, size_t i, const char **name, sumi__tensor_view *view);

#endif
