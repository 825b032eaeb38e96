#define _DEFAULT_SOURCE /* realpath */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024 };

struct sumi__file_writer {
  sumi_context *ctx;
  char *path;      /* as the caller gave it, for errors */
  char *target;    /* what is replaced: links followed */
  char *temporary; /* NULL when writing straight to a device or pipe */
  int fd;
  bool temporary_is_ours;
  bool replaces;      /* there is a file already, which stays if we fail */
  sumi_status status; /* the first failure, kept */
  uint64_t flushed;
  size_t buffered;
  uint8_t *buffer;
};

static sumi_status fail_errno(sumi_context *ctx, const char *path, const char *doing) {
  const int code = errno;
  return sumi__fail(ctx, SUMI_IO, "%s: %s: %s", path, doing, strerror(code));
}

static sumi_status fail_writing(sumi__file_writer *w, const char *doing) {
  const int code = errno;
  return sumi__fail(w->ctx, SUMI_IO, "%s: %s%s: %s", w->path, doing, w->replaces ? ", the old file stays" : "",
                    strerror(code));
}

/* Where the link at `path` points to, which realpath cannot say of a file that does not exist yet. */
static sumi_status follow_dangling(sumi_context *ctx, const char *path, char **out) {
  enum { MOST_LINKS = 40 };
  char *at = sumi__strdup(ctx, path);
  for (int i = 0; at && i < MOST_LINKS; i++) {
    struct stat info;
    if (lstat(at, &info) != 0 || !S_ISLNK(info.st_mode)) {
      *out = at;
      return SUMI_OK;
    }
    char to[4096];
    const ssize_t length = readlink(at, to, sizeof to);
    if (length <= 0 || (size_t)length == sizeof to) break;
    const char *slash = to[0] == '/' ? NULL : strrchr(at, '/');
    const size_t folder = slash ? (size_t)(slash - at) + 1 : 0;
    char *next = sumi__alloc_zero(ctx, folder + (size_t)length + 1);
    if (next) {
      memcpy(next, at, folder);
      memcpy(next + folder, to, (size_t)length);
    }
    sumi__free(ctx, at);
    at = next;
  }
  if (!at) return SUMI_NO_MEMORY;
  sumi__free(ctx, at);
  return sumi__fail(ctx, SUMI_IO, "%s: the links lead nowhere", path);
}

/* `path` with its links followed, those to a file that is still to be made included. */
static sumi_status resolve(sumi_context *ctx, const char *path, char **out) {
  char *real = realpath(path, NULL);
  if (!real) return follow_dangling(ctx, path, out);
  *out = sumi__strdup(ctx, real);
  free(real);
  return *out ? SUMI_OK : SUMI_NO_MEMORY;
}

/* Opens `.NAME.XXXXXX` beside the target, of a name that nobody has: O_EXCL sees to it, whatever the letters are. */
static sumi_status open_temporary(sumi__file_writer *w) {
  enum { LONGEST_NAME = 200, LETTERS = 6, TRIES = 1000 };
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  const char *slash = strrchr(w->target, '/'), *name = slash ? slash + 1 : w->target;
  const size_t bytes = strlen(w->target) + LETTERS + sizeof "..";
  w->temporary = sumi__alloc(w->ctx, bytes);
  if (!w->temporary) return SUMI_NO_MEMORY;
  snprintf(w->temporary, bytes, "%.*s.%.*s.XXXXXX", (int)(name - w->target), w->target, LONGEST_NAME, name);
  char *end = w->temporary + strlen(w->temporary) - LETTERS;
  for (int i = 0; i < TRIES; i++) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const struct {
      struct timespec now;
      long pid, attempt;
    } seed = {now, (long)getpid(), i};
    uint64_t bits = sumi__hash(&seed, sizeof seed, 0);
    for (int k = 0; k < LETTERS; k++, bits /= sizeof letters - 1) end[k] = letters[bits % (sizeof letters - 1)];
    w->fd = open(w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (w->fd >= 0) {
      w->temporary_is_ours = true;
      return SUMI_OK;
    }
    if (errno != EEXIST) break;
  }
  return fail_errno(w->ctx, w->path, "cannot be written");
}

static sumi_status open_target(sumi__file_writer *w) {
  struct stat old;
  if (!*w->path) return sumi__fail(w->ctx, SUMI_INVALID, "the name of the file to write is empty");
  const bool exists = stat(w->path, &old) == 0;
  if (exists && S_ISDIR(old.st_mode))
    return sumi__fail(w->ctx, SUMI_IO, "%s: is a folder, so no file can be written there", w->path);
  if (exists && !S_ISREG(old.st_mode)) {
    w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
    return w->fd < 0 ? fail_errno(w->ctx, w->path, "cannot be written") : SUMI_OK;
  }
  sumi_status status = resolve(w->ctx, w->path, &w->target);
  if (status != SUMI_OK) return status;
  w->replaces = exists;
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
    if (n < 0) return fail_writing(w, "cannot be written");
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
    if (n < 0) return w->status = fail_writing(w, "cannot be written");
    p += n;
    bytes -= (size_t)n;
    offset += (uint64_t)n;
  }
  return SUMI_OK;
}

uint64_t sumi__file_writer_position(const sumi__file_writer *w) { return w->flushed + w->buffered; }

/* The rename itself is durable only once the folder is. */
static sumi_status sync_folder_of(sumi__file_writer *w) {
  char *slash = strrchr(w->target, '/');
  if (!slash) return sumi__folder_sync(w->ctx, ".", w->path);
  const char after = slash[1];
  slash[1] = 0;
  const sumi_status status = sumi__folder_sync(w->ctx, w->target, w->path);
  slash[1] = after;
  return status;
}

sumi_status sumi__file_writer_commit(sumi__file_writer *w) {
  if (flush(w) != SUMI_OK) return w->status;
  if (!w->temporary) {
    const int fd = w->fd;
    w->fd = -1;
    return close(fd) == 0 ? SUMI_OK : (w->status = fail_errno(w->ctx, w->path, "cannot be written"));
  }
  if (fsync(w->fd) != 0) return w->status = fail_writing(w, "cannot be written");
  if (rename(w->temporary, w->target) != 0)
    return w->status = fail_writing(w, w->replaces ? "cannot be replaced" : "cannot be written");
  w->temporary_is_ours = false;
  return w->status = sync_folder_of(w);
}

void sumi__file_writer_free(sumi__file_writer *w) {
  if (!w) return;
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
