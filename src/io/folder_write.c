/* A folder written as a whole: everything goes into one of our own inside of it first, and takes its place at the end.
 */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sumi__folder_writer {
  sumi_context *ctx;
  char *folder, *temporary;
  bool made; /* the folder was not there */
  bool temporary_is_ours;
};

static sumi_status fail_errno(sumi_context *ctx, const char *path, const char *doing) {
  const int code = errno;
  return sumi__fail(ctx, SUMI_IO, "%s: %s: %s", path, doing, strerror(code));
}

sumi_status sumi__folder_sync(sumi_context *ctx, const char *folder, const char *path) {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  /* A folder that one may write into but not read cannot be synced by us; the file itself is safe. */
  if (fd < 0) return errno == EACCES ? SUMI_OK : fail_errno(ctx, path, "its folder cannot be opened");
  sumi_status status = SUMI_OK;
  /* Some file systems cannot sync a folder and say EINVAL. */
  if (fsync(fd) != 0 && errno != EINVAL) status = fail_errno(ctx, path, "its folder cannot be synced");
  close(fd);
  return status;
}

/* "FOLDER/name", to be freed; NULL without memory. */
static char *join(sumi_context *ctx, const char *folder, const char *name) {
  const size_t bytes = strlen(folder) + strlen(name) + 2;
  char *path = sumi__alloc(ctx, bytes);
  if (path) snprintf(path, bytes, "%s/%s", folder, name);
  return path;
}

/* ---- What is done with each entry of a folder; a folder below it comes before the files ---- */

typedef sumi_status (*visit_fn)(sumi_context *ctx, const char *from, const char *to, bool is_folder);

static sumi_status visit(sumi_context *ctx, const char *from, const char *to, const char *name, bool folders,
                         visit_fn each) {
  sumi_status status = SUMI_OK;
  char *inner = join(ctx, from, name), *target = to ? join(ctx, to, name) : NULL;
  if (!inner || (to && !target))
    status = SUMI_NO_MEMORY;
  else if (sumi__is_directory(inner) == folders)
    status = each(ctx, inner, target, folders);
  sumi__free(ctx, inner);
  sumi__free(ctx, target);
  return status;
}

static sumi_status visit_all(sumi_context *ctx, const char *from, const char *to, visit_fn each) {
  sumi_status status = SUMI_OK;
  char **names = NULL;
  size_t count = 0;
  SUMI_TRY(sumi__list_directory(ctx, from, &names, &count));
  for (size_t i = 0; i < 2 * count; i++) SUMI_TRY(visit(ctx, from, to, names[i % count], i < count, each));
done:
  sumi__free(ctx, names);
  return status;
}

static sumi_status move(sumi_context *ctx, const char *from, const char *to, bool is_folder) {
  sumi_status status = SUMI_OK;
  if (!is_folder) return rename(from, to) == 0 ? SUMI_OK : fail_errno(ctx, to, "cannot be replaced");
  SUMI_TRY(sumi__make_directories(ctx, to));
  SUMI_TRY(visit_all(ctx, from, to, move));
  SUMI_TRY(sumi__folder_sync(ctx, to, to));
done:
  return status;
}

/* What cannot be removed stays; there is nobody to tell who has not been told of something worse. */
static sumi_status remove_it(sumi_context *ctx, const char *path, const char *nowhere, bool is_folder) {
  (void)nowhere;
  if (is_folder) (void)visit_all(ctx, path, NULL, remove_it);
  (void)(is_folder ? rmdir(path) : unlink(path));
  return SUMI_OK;
}

/* ---- A folder under way ---- */

sumi_status sumi__folder_writer_open(sumi_context *ctx, const char *folder, sumi__folder_writer **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi__folder_writer *w = sumi__alloc_zero(ctx, sizeof *w);
  if (!w) return SUMI_NO_MEMORY;
  w->ctx = ctx;
  w->made = !sumi__file_exists(folder);
  w->folder = sumi__strdup(ctx, folder);
  w->temporary = join(ctx, folder, ".unfinished.XXXXXX");
  SUMI_TRY(w->folder && w->temporary ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi__make_directories(ctx, folder));
  if (!mkdtemp(w->temporary)) {
    status = fail_errno(ctx, folder, "the folder cannot be written into");
    goto done;
  }
  w->temporary_is_ours = true;
  *out = w;
  w = NULL;
done:
  sumi__folder_writer_free(w);
  return status;
}

const char *sumi__folder_writer_path(const sumi__folder_writer *w) { return w->temporary; }

sumi_status sumi__folder_writer_commit(sumi__folder_writer *w) {
  const sumi_status status = move(w->ctx, w->temporary, w->folder, true);
  if (status == SUMI_OK) w->made = false;
  return status;
}

void sumi__folder_writer_free(sumi__folder_writer *w) {
  if (!w) return;
  if (w->temporary_is_ours) (void)remove_it(w->ctx, w->temporary, NULL, true);
  if (w->made) rmdir(w->folder);
  sumi__free(w->ctx, w->folder);
  sumi__free(w->ctx, w->temporary);
  sumi__free(w->ctx, w);
}
