/* Files: written whole or not at all, read with a limit, mapped. Each error names the path and the system's reason. */
#ifndef SUMI_SRC_IO_FILE_H
#define SUMI_SRC_IO_FILE_H

#include "base/base.h"

/* ---- Writing: to a `.NAME.XXXXXX` of our own beside the target, fsync, rename, fsync of the folder ----------------
 *
 * Whatever fails (a full disk, a missing folder, a permission), the old file stays and the temporary goes; only a
 * process that is killed leaves it behind. No file that others made is ever touched but the target itself. Of two
 * writers of one path the later one's file stays, whole. A path that is a symbolic link is followed, also to a file
 * that does not exist yet; one that is a device or a pipe (/dev/stdout) is written straight through. An existing file's
 * permissions are kept. */

/* Writes the whole file. Errors: IO, NO_MEMORY. */
sumi_status sumi__file_write(sumi_context *ctx, const char *path, const void *data, size_t bytes);

/* The same in pieces, for what should not be held in memory twice. */
typedef struct sumi__file_writer sumi__file_writer;

sumi_status sumi__file_writer_open(sumi_context *ctx, const char *path, sumi__file_writer **out);
/* Appends. After an error every further call gives the same one. */
sumi_status sumi__file_writer_write(sumi__file_writer *writer, const void *data, size_t bytes);
/* Replaces bytes that have been written already (all of them: offset + bytes <= what was written), for a count that
 * is only known at the end. Not for devices and pipes: UNSUPPORTED. */
sumi_status sumi__file_writer_patch(sumi__file_writer *writer, uint64_t offset, const void *data, size_t bytes);
/* Bytes appended so far. */
uint64_t sumi__file_writer_position(const sumi__file_writer *writer);
/* Makes the new file take the old one's place, durably. The writer must still be freed. */
sumi_status sumi__file_writer_commit(sumi__file_writer *writer);
/* Frees it; without a successful commit the temporary is removed and the old file stays. NULL is allowed. */
void sumi__file_writer_free(sumi__file_writer *writer);

/* ---- Writing a folder: into `.unfinished.XXXXXX` inside of it, and from there file by file --------------------------
 *
 * Whatever fails before the commit, what was there before stays as it was, a folder that was not there is not, and what
 * was written goes; only a process that is killed leaves it behind. At the commit, which only renames, folders come
 * before the files beside them: the file that says that a folder is whole lies at its top. */

typedef struct sumi__folder_writer sumi__folder_writer;

/* Makes the folder where it is not there. */
sumi_status sumi__folder_writer_open(sumi_context *ctx, const char *folder, sumi__folder_writer **out);
/* Where to write to; lent. */
const char *sumi__folder_writer_path(const sumi__folder_writer *writer);
/* Makes what was written take the place of what has its names. The writer must still be freed. */
sumi_status sumi__folder_writer_commit(sumi__folder_writer *writer);
void sumi__folder_writer_free(sumi__folder_writer *writer); /* NULL is allowed */

/* Makes renames in a folder durable; `path` is for the complaint. */
sumi_status sumi__folder_sync(sumi_context *ctx, const char *folder, const char *path);

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* Reads a whole file of at most `limit` bytes. The result is followed by a zero byte that is not counted, so text can
 * be used as a string. Free with sumi__free. Errors: NOT_FOUND, IO (also a folder), FORMAT (larger than the limit). */
sumi_status sumi__file_read(sumi_context *ctx, const char *path, size_t limit, uint8_t **out, size_t *out_bytes);

/* The same, and a gzip file (told by its first two bytes) is expanded; `limit` holds for the expanded size and for
 * the file itself. Errors as above, and FORMAT for damaged gzip data. */
sumi_status sumi__file_read_gzip(sumi_context *ctx, const char *path, size_t limit, uint8_t **out, size_t *out_bytes);

/* A file's bytes, mapped read-only. It must not be truncated by others meanwhile. */
typedef struct sumi__mapping {
  const uint8_t *data; /* not NULL, also for an empty file */
  size_t bytes;
} sumi__mapping;

sumi_status sumi__file_map(sumi_context *ctx, const char *path, sumi__mapping *out);
void sumi__file_unmap(sumi__mapping *mapping); /* zeroes it; an unmapped or zeroed one is allowed */

/* ---- Folders ---------------------------------------------------------------------------------------------------- */

bool sumi__file_exists(const char *path); /* anything of that name, links followed */
bool sumi__is_directory(const char *path);
/* Whether both are there and are one file or folder, by whatever names and links. */
bool sumi__same_file(const char *a, const char *b);

/* Makes the folder and those above it; one that is there already is fine. */
sumi_status sumi__make_directories(sumi_context *ctx, const char *path);

/* The names in a folder, without "." and "..", in strcmp order. One block of memory: free with sumi__free. */
sumi_status sumi__list_directory(sumi_context *ctx, const char *path, char ***out, size_t *out_count);

#endif
