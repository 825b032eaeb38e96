#define _DEFAULT_SOURCE /* flock, realpath */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024 };

struct sumi__file_writer {
  sumi_context *ctx;
  char *path;      /* as the caller gave it, for errors */
  char *target;    /* what is replaced: links followed */
  char *temporary; /* NULL when writing straight to a device or pipe */
  int fd;
  bool temporary_is_ours;
  sumi_status status; /* the first failure, kept */
  uint64_t flushed;
  size_t buffered;
  uint8_t *buffer;
};

static sumi_status fail_errno(sumi_context *ctx, const char *path, const char *doing) {
  const int code = errno;
  return sumi__fail(ctx, SUMI_IO, "%s: %s: %s", path, doing, strerror(code));
}

/* `path` with its links followed, or a copy when there is nothing yet. */
static sumi_status resolve(sumi_context *ctx, const char *path, char **out) {
  char *real = realpath(path, NULL);
  *out = sumi__strdup(ctx, real ? real : path);
  free(real);
  return *out ? SUMI_OK : SUMI_NO_MEMORY;
}

/* Opens the temporary and makes sure that it is ours alone. The lock ends with its holder, so what a killed process
 * left is reused. Between our open and our lock another writer may have renamed the file into place: then what we
 * locked is no longer what bears the name, and we try again. */
static sumi_status open_temporary(sumi__file_writer *w) {
  for (;;) {
    w->fd = open(w->temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (w->fd < 0) return fail_errno(w->ctx, w->path, "cannot be written");
    if (flock(w->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      return sumi__fail(w->ctx, SUMI_IO, "%s: is being written by somebody else at this moment", w->path);
    struct stat named, opened;
    if (fstat(w->fd, &opened) != 0) return fail_errno(w->ctx, w->path, "cannot be written");
    if (stat(w->temporary, &named) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev) break;
    close(w->fd);
    w->fd = -1;
  }
  w->temporary_is_ours = true;
  if (ftruncate(w->fd, 0) != 0) return fail_errno(w->ctx, w->path, "cannot be written");
  return SUMI_OK;
}

static sumi_status open_target(sumi__file_writer *w) {
  struct stat old;
  const bool exists = stat(w->path, &old) == 0;
  if (exists && S_ISDIR(old.st_mode))
    return sumi__fail(w->ctx, SUMI_IO, "%s: is a folder, so no file can be written there", w->path);
  if (exists && !S_ISREG(old.st_mode)) {
    w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
    return w->fd < 0 ? fail_errno(w->ctx, w->path, "cannot be written") : SUMI_OK;
  }
  sumi_status status = resolve(w->ctx, w->path, &w->target);
  if (status != SUMI_OK) return status;
  const size_t bytes = strlen(w->target) + sizeof ".tmp";
  w->temporary = sumi__alloc(w->ctx, bytes);
  if (!w->temporary) return SUMI_NO_MEMORY;
  snprintf(w->temporary, bytes, "%s.tmp", w->target);
  status = open_temporary(w);
  /* Best effort: on a file system without permissions the new file has the usual ones. */
  if (status == SUMI_OK && exists && fchmod(w->fd, old.st_mode & 07777) != 0) errno = 0;
  return status;
}

sumi_status sumi__file_writer_open(sumi_context *ctx, const char *path, sumi__file_writer **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi__file_writer *w = sumi__alloc_zero(ctx, sizeof *w);
  if (!w) return SUMI_NO_MEMORY;
  w->ctx = ctx;
  w->fd = -1;
  w->path = sumi__strdup(ctx, path);
  w->buffer = sumi__alloc(ctx, BUFFER_BYTES);
  if (!w->path || !w->buffer) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  SUMI_TRY(open_target(w));
  *out = w;
  w = NULL;
done:
  sumi__file_writer_free(w);
  return status;
}

static sumi_status write_all(sumi__file_writer *w, const uint8_t *data, size_t bytes) {
  while (bytes) {
    const ssize_t n = write(w->fd, data, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(w->ctx, w->path, "cannot be written, the old file stays");
    data += n;
    bytes -= (size_t)n;
    w->flushed += (uint64_t)n;
  }
  return SUMI_OK;
}

static sumi_status flush(sumi__file_writer *w) {
  if (w->status == SUMI_OK) w->status = write_all(w, w->buffer, w->buffered);
  w->buffered = 0;
  return w->status;
}

sumi_status sumi__file_writer_write(sumi__file_writer *w, const void *data, size_t bytes) {
  if (w->status != SUMI_OK || !bytes) return w->status;
  if (bytes > BUFFER_BYTES - w->buffered && flush(w) != SUMI_OK) return w->status;
  if (bytes >= BUFFER_BYTES) return w->status = write_all(w, data, bytes);
  memcpy(w->buffer + w->buffered, data, bytes);
  w->buffered += bytes;
  return SUMI_OK;
}

sumi_status sumi__file_writer_patch(sumi__file_writer *w, uint64_t offset, const void *data, size_t bytes) {
  if (flush(w) != SUMI_OK) return w->status;
  if (!w->temporary)
    return w->status = sumi__fail(w->ctx, SUMI_UNSUPPORTED, "%s: only a regular file can be written to", w->path);
  if (offset > w->flushed || bytes > w->flushed - offset)
    return w->status = sumi__fail(w->ctx, SUMI_INVALID, "%s: bytes that are not there yet cannot be replaced", w->path);
  const uint8_t *p = data;
  while (bytes) {
    const ssize_t n = pwrite(w->fd, p, bytes, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return w->status = fail_errno(w->ctx, w->path, "cannot be written, the old file stays");
    p += n;
    bytes -= (size_t)n;
    offset += (uint64_t)n;
  }
  return SUMI_OK;
}

uint64_t sumi__file_writer_position(const sumi__file_writer *w) { return w->flushed + w->buffered; }

/* The rename itself is durable only once the folder is. Some file systems cannot sync a folder and say EINVAL. */
static sumi_status sync_folder_of(sumi__file_writer *w) {
  char *slash = strrchr(w->target, '/');
  int fd;
  if (slash) {
    const char after = slash[1];
    slash[1] = 0;
    fd = open(w->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    slash[1] = after;
  } else {
    fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  /* A folder that one may write into but not read cannot be synced by us; the file itself is safe. */
  if (fd < 0) return errno == EACCES ? SUMI_OK : fail_errno(w->ctx, w->path, "its folder cannot be opened");
  sumi_status status = SUMI_OK;
  if (fsync(fd) != 0 && errno != EINVAL) status = fail_errno(w->ctx, w->path, "its folder cannot be synced");
  close(fd);
  return status;
}

sumi_status sumi__file_writer_commit(sumi__file_writer *w) {
  if (flush(w) != SUMI_OK) return w->status;
  if (!w->temporary) {
    const int fd = w->fd;
    w->fd = -1;
    return close(fd) == 0 ? SUMI_OK : (w->status = fail_errno(w->ctx, w->path, "cannot be written"));
  }
  if (fsync(w->fd) != 0) return w->status = fail_errno(w->ctx, w->path, "cannot be written, the old file stays");
  if (rename(w->temporary, w->target) != 0)
    return w->status = fail_errno(w->ctx, w->path, "cannot be replaced, the old file stays");
  w->temporary_is_ours = false;
  return w->status = sync_folder_of(w);
}

void sumi__file_writer_free(sumi__file_writer *w) {
  if (!w) return;
  /* Removed before the lock goes, or we might remove what another writer has just begun. */
  if (w->temporary_is_ours) unlink(w->temporary);
  if (w->fd >= 0) close(w->fd);
  sumi__free(w->ctx, w->temporary);
  sumi__free(w->ctx, w->target);
  sumi__free(w->ctx, w->path);
  sumi__free(w->ctx, w->buffer);
  sumi__free(w->ctx, w);
}

sumi_status sumi__file_write(sumi_context *ctx, const char *path, const void *data, size_t bytes) {
  sumi_status status = SUMI_OK;
  sumi__file_writer *w = NULL;
  SUMI_TRY(sumi__file_writer_open(ctx, path, &w));
  SUMI_TRY(sumi__file_writer_write(w, data, bytes));
  SUMI_TRY(sumi__file_writer_commit(w));
done:
  sumi__file_writer_free(w);
  return status;
}
