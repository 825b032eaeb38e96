#define _DEFAULT_SOURCE /* flock */
#include "io/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

sumi_status sumi__lock_take(sumi_context *ctx, const char *path, int *fd, bool *taken) {
  *taken = false;
  *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (*fd < 0) {
    const int code = errno;
    return sumi__fail(ctx, SUMI_IO, "%s: cannot be written: %s", path, strerror(code));
  }
  *taken = flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  if (*taken) return SUMI_OK;
  close(*fd);
  *fd = -1;
  return SUMI_OK;
}

/* The file stays: removing it would let a third process lock another file of the same name. */
void sumi__lock_release(int fd) {
  if (fd >= 0) close(fd);
}
