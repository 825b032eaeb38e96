/* A folder that one process at a time may work in. */
#ifndef SUMI_SRC_IO_LOCK_H
#define SUMI_SRC_IO_LOCK_H

#include "base/base.h"

/* Takes the file at `path` (made if it is missing; empty) for this run alone: until it is released, or the process
 * ends however it ends, everybody else who asks is told *taken = false, other contexts of this process included. On a
 * file system that knows no locks everybody gets it. Errors: IO. */
sumi_status sumi__lock_take(sumi_context *ctx, const char *path, int *fd, bool *taken);
void sumi__lock_release(int fd); /* -1 is allowed */

#endif
