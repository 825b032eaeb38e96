/* Files to read; and files to write, looked at before hours of work end in a folder that is not there. */
#define _DEFAULT_SOURCE /* realpath */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* The folder of a path, "." where there is none; false if it is too long. */
static bool folder_of(const char *path, char folder[PATH_BYTES]) {
  const char *slash = strrchr(path, '/');
  const int length = slash == path ? 1 : slash ? (int)(slash - path) : 0;
  return snprintf(folder, PATH_BYTES, "%.*s", length ? length : 1, length ? path : ".") < PATH_BYTES;
}

static bool has_ending(const char *path, const char *endings) {
  const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
  if (!dot) return false;
  for (const char *at = endings; *at; at += strspn(at, " ")) {
    const size_t n = strcspn(at, " ");
    if (strlen(dot + 1) == n && strncasecmp(dot + 1, at, n) == 0) return true;
    at += n;
  }
  return false;
}

sumi_status cli_open_to_read(const cli *c, const char *path, FILE **out) {
  *out = fopen(path, "rb");
  if (*out) return SUMI_OK;
  const int code = errno;
  return cli_fail(c, code == ENOENT || code == ENOTDIR ? SUMI_NOT_FOUND : SUMI_IO, "%s: cannot be read: %s", path,
                  strerror(code));
}

sumi_status cli_check_output(const cli *c, const char *option, const char *path, const char *endings, cli_output how) {
  char folder[PATH_BYTES];
  struct stat info;
  bool is_device = false;
  if (!*path) return cli_fail(c, SUMI_INVALID, "%s: the name of a file is expected, not nothing", option);
  if (strcmp(path, "-") == 0)
    return cli_fail(c, SUMI_INVALID, "%s: `-` is not a file; name one, or a device such as /dev/stdout", option);
  if (!folder_of(path, folder)) return cli_fail(c, SUMI_INVALID, "%s: the path is too long", option);
  if (stat(path, &info) == 0) {
    if (S_ISDIR(info.st_mode)) return cli_fail(c, SUMI_IO, "%s: %s: is a folder, a file is expected", option, path);
    is_device = !S_ISREG(info.st_mode);
  }
  if (is_device && how == CLI_OUTPUT_STREAM) return SUMI_OK;
  if (is_device && how == CLI_OUTPUT_FILE)
    return cli_fail(c, SUMI_INVALID, "%s: %s: is a device or a pipe, only a file will do", option, path);
  if (endings && !has_ending(path, endings))
    return cli_fail(c, SUMI_INVALID, "%s: %s: the name tells the kind of file; expected one that ends in: %s", option,
                    path, endings);
  if (!is_device && access(folder, W_OK | X_OK) != 0)
    return cli_fail(c, SUMI_IO, "%s: %s: the folder cannot be written into: %s", option, folder, strerror(errno));
  return SUMI_OK;
}

bool cli_same_file(const char *a, const char *b) {
  char folder[2][PATH_BYTES];
  struct stat info[2];
  if (stat(a, &info[0]) == 0 && stat(b, &info[1]) == 0)
    return info[0].st_dev == info[1].st_dev && info[0].st_ino == info[1].st_ino;
  const char *slash[2] = {strrchr(a, '/'), strrchr(b, '/')};
  if (strcmp(slash[0] ? slash[0] + 1 : a, slash[1] ? slash[1] + 1 : b) != 0) return false;
  if (!folder_of(a, folder[0]) || !folder_of(b, folder[1])) return false;
  return stat(folder[0], &info[0]) == 0 && stat(folder[1], &info[1]) == 0 && info[0].st_dev == info[1].st_dev &&
         info[0].st_ino == info[1].st_ino;
}

sumi_status cli_numbered_path(const cli *c, const char *path, int64_t i, int64_t count, char *out, size_t room) {
  const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
  const int stem = dot ? (int)(dot - path) : (int)strlen(path);
  const int n = count == 1 ? snprintf(out, room, "%s", path)
                           : snprintf(out, room, "%.*s-%04lld%s", stem, path, (long long)i, path + stem);
  return n > 0 && (size_t)n < room ? SUMI_OK : cli_fail(c, SUMI_INVALID, "%s: the path is too long", path);
}
