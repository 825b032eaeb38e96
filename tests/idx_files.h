/* Tiny data sets in the layout of MNIST, for tests. */
#ifndef SUMI_TESTS_IDX_FILES_H
#define SUMI_TESTS_IDX_FILES_H

#include "support.h"

#include <zlib.h>

static inline void write_idx(const char *path, const void *header, size_t header_bytes, const void *data, size_t bytes,
                             bool gz) {
  char name[512];
  snprintf(name, sizeof name, "%s%s", path, gz ? ".gz" : "");
  gzFile f = gzopen(name, gz ? "wb6" : "wbT"); /* T: as it is */
  assert_non_null(f);
  assert_int_equal(gzwrite(f, header, (unsigned)header_bytes), header_bytes);
  assert_int_equal(gzwrite(f, data, (unsigned)bytes), bytes);
  assert_int_equal(gzclose(f), Z_OK);
}

/* Writes the two files of a split ("train" or "t10k") of `count` pictures of side x side into a folder, which is made
 * if it is not there. */
static inline void write_idx_folder(const char *folder, const char *split, int count, int side, const uint8_t *pixels,
                                    const uint8_t *labels, bool gz) {
  char path[480];
  const uint8_t high = (uint8_t)(count >> 8), low = (uint8_t)count, s = (uint8_t)side;
  mkdir(folder, 0777);
  snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", folder, split);
  write_idx(path, (const uint8_t[]){0, 0, 8, 3, 0, 0, high, low, 0, 0, 0, s, 0, 0, 0, s}, 16, pixels,
            (size_t)count * (size_t)(side * side), gz);
  snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", folder, split);
  write_idx(path, (const uint8_t[]){0, 0, 8, 1, 0, 0, high, low}, 8, labels, (size_t)count, gz);
}

#endif
