/* The directory of a zip archive whose files are stored as they are, as PyTorch writes its checkpoints (PKWARE's
 * APPNOTE.TXT, sections 4.3 and 4.5.3). Nothing is ever inflated: files are lent where they lie in the archive. */
#ifndef SUMI_SRC_IO_ZIP_H
#define SUMI_SRC_IO_ZIP_H

#include "base/base.h"

typedef struct sumi__zip_entry {
  const char *name; /* lies in the archive, not terminated */
  size_t name_bytes;
  const uint8_t *data;
  size_t bytes;
} sumi__zip_entry;

typedef struct sumi__zip {
  sumi_context *ctx;
  sumi__zip_entry *entries; /* by name */
  size_t count;
} sumi__zip;

/* Whether the bytes begin as an archive does. */
bool sumi__zip_begins(const uint8_t *data, size_t bytes);

/* Reads the directory; `data` has to outlive it, `name` stands for the path in errors. Free with sumi__zip_free.
 * Errors: FORMAT (damaged; a name twice; files that overlap or lie outside), UNSUPPORTED (compressed or encrypted
 * files), NO_MEMORY. */
sumi_status sumi__zip_open(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes, sumi__zip *out);
void sumi__zip_free(sumi__zip *zip);

/* The file of that name, or NULL. */
const sumi__zip_entry *sumi__zip_find(const sumi__zip *zip, const char *name);

#endif
