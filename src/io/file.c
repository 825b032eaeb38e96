#include "io/file.h"

#include "io/gzip.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is missing has one status, whoever reads it. */
static sumi_status fail_errno(sumi_context *ctx, const char *path, const char *doing) {
  const int code = errno;
  const sumi_status status = code == ENOENT || code == ENOTDIR ? SUMI_NOT_FOUND : SUMI_IO;
  return sumi__fail(ctx, status, "%s: %s: %s", path, doing, strerror(code));
}

/* Opens for reading; refuses folders, which open() accepts. */
static sumi_status open_for_reading(sumi_context *ctx, const char *path, int *fd, struct stat *info) {
  *fd = open(path, O_RDONLY | O_CLOEXEC);
  if (*fd < 0) return fail_errno(ctx, path, "cannot be read");
  sumi_status status = SUMI_OK;
  if (fstat(*fd, info) != 0)
    status = fail_errno(ctx, path, "cannot be read");
  else if (S_ISDIR(info->st_mode))
    status = sumi__fail(ctx, SUMI_IO, "%s: is a folder, a file was expected", path);
  if (status != SUMI_OK) {
    close(*fd);
    *fd = -1;
  }
  return status;
}

/* Reads to the end. The size that fstat told is where the buffer starts, not what is believed: pipes have none, and a
 * file may grow meanwhile. */
static sumi_status read_all(sumi_context *ctx, const char *path, int fd, size_t expected, size_t limit, uint8_t **data,
                            size_t *bytes) {
  size_t capacity = 0;
  sumi_status status = sumi__grow(ctx, (void **)data, &capacity, expected + 2, 1);
  while (status == SUMI_OK) {
    if (*bytes + 1 >= capacity) status = sumi__grow(ctx, (void **)data, &capacity, capacity + 1, 1);
    if (status != SUMI_OK) break;
    const ssize_t n = read(fd, *data + *bytes, capacity - 1 - *bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(ctx, path, "cannot be read");
    if (n == 0) break;
    *bytes += (size_t)n;
    if (*bytes > limit)
      return sumi__fail(ctx, SUMI_FORMAT, "%s: is larger than the %zu bytes expected at most", path, limit);
  }
  if (status == SUMI_OK) (*data)[*bytes] = 0;
  return status;
}

sumi_status sumi__file_read(sumi_context *ctx, const char *path, size_t limit, uint8_t **out, size_t *out_bytes) {
  sumi_status status = SUMI_OK;
  int fd = -1;
  struct stat info;
  uint8_t *data = NULL;
  size_t bytes = 0;
  *out = NULL;
  *out_bytes = 0;
  SUMI_TRY(open_for_reading(ctx, path, &fd, &info));
  SUMI_CHECK(ctx, !S_ISREG(info.st_mode) || (uint64_t)info.st_size <= limit, SUMI_FORMAT,
             "%s: has %lld bytes, at most %zu were expected", path, (long long)info.st_size, limit);
  SUMI_TRY(read_all(ctx, path, fd, S_ISREG(info.st_mode) ? (size_t)info.st_size : 64 * 1024, limit, &data, &bytes));
  *out = data;
  *out_bytes = bytes;
  data = NULL;
done:
  if (fd >= 0) close(fd);
  sumi__free(ctx, data);
  return status;
}

sumi_status sumi__file_read_gzip(sumi_context *ctx, const char *path, size_t limit, uint8_t **out, size_t *out_bytes) {
  sumi_status status = sumi__file_read(ctx, path, limit, out, out_bytes);
  if (status != SUMI_OK || !sumi__is_gzip(*out, *out_bytes)) return status;
  uint8_t *packed = *out;
  status = sumi__gunzip(ctx, path, packed, *out_bytes, limit, out, out_bytes);
  sumi__free(ctx, packed);
  return status;
}

sumi_status sumi__file_map(sumi_context *ctx, const char *path, sumi__mapping *out) {
  sumi_status status = SUMI_OK;
  int fd = -1;
  struct stat info;
  *out = (sumi__mapping){0};
  SUMI_TRY(open_for_reading(ctx, path, &fd, &info));
  SUMI_CHECK(ctx, S_ISREG(info.st_mode), SUMI_IO, "%s: is not a regular file, so it cannot be mapped", path);
  SUMI_CHECK(ctx, (uint64_t)info.st_size <= PTRDIFF_MAX, SUMI_NO_MEMORY, "%s: is too large for the address space",
             path);
  if (info.st_size == 0) {
    out->data = (const uint8_t *)"";
  } else {
    void *mapped = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED) {
      status = fail_errno(ctx, path, "cannot be mapped into memory");
      goto done;
    }
    *out = (sumi__mapping){mapped, (size_t)info.st_size};
  }
done:
  if (fd >= 0) close(fd);
  return status;
}

void sumi__file_unmap(sumi__mapping *mapping) {
  if (mapping->bytes) munmap((void *)(uintptr_t)mapping->data, mapping->bytes);
  *mapping = (sumi__mapping){0};
}

bool sumi__file_exists(const char *path) {
  struct stat info;
  return stat(path, &info) == 0;
}

bool sumi__is_directory(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool sumi__same_file(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

sumi_status sumi__make_directories(sumi_context *ctx, const char *path) {
  if (!*path || sumi__is_directory(path)) return SUMI_OK;
  char *copy = sumi__strdup(ctx, path);
  if (!copy) return SUMI_NO_MEMORY;
  sumi_status status = SUMI_OK;
  for (char *p = copy + 1;; p++) {
    if (*p && *p != '/') continue;
    const char end = *p;
    *p = 0;
    if (mkdir(copy, 0777) != 0) {
      const int code = errno;
      if (!sumi__is_directory(copy)) {
        status = sumi__fail(ctx, SUMI_IO, "%s: the folder cannot be made: %s", copy, strerror(code));
        break;
      }
    }
    *p = end;
    if (!end) break;
  }
  sumi__free(ctx, copy);
  return status;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Packs the collected names, each ended by a zero, behind an array of pointers to them. */
static sumi_status pack_names(sumi_context *ctx, const char *names, size_t bytes, size_t count, char ***out) {
  char **packed = sumi__alloc(ctx, count * sizeof *packed + bytes);
  if (!packed) return SUMI_NO_MEMORY;
  char *text = (char *)(packed + count);
  if (bytes) memcpy(text, names, bytes);
  for (size_t i = 0; i < count; i++, text += strlen(text) + 1) packed[i] = text;
  qsort(packed, count, sizeof *packed, compare_names);
  *out = packed;
  return SUMI_OK;
}

sumi_status sumi__list_directory(sumi_context *ctx, const char *path, char ***out, size_t *out_count) {
  sumi_status status = SUMI_OK;
  char *names = NULL;
  size_t bytes = 0, capacity = 0, count = 0;
  *out = NULL;
  *out_count = 0;
  DIR *folder = opendir(path);
  if (!folder) return fail_errno(ctx, path, "the folder cannot be read");
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (!entry) break;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    const size_t n = strlen(entry->d_name) + 1;
    SUMI_TRY(sumi__grow(ctx, (void **)&names, &capacity, bytes + n, 1));
    memcpy(names + bytes, entry->d_name, n);
    bytes += n;
    count++;
  }
  if (errno) {
    status = fail_errno(ctx, path, "the folder cannot be read");
    goto done;
  }
  SUMI_TRY(pack_names(ctx, names, bytes, count, out));
  *out_count = count;
done:
  closedir(folder);
  sumi__free(ctx, names);
  return status;
}
