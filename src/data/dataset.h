/* A set of small pictures with labels, held in memory as 8-bit samples: the layout of MNIST and all that copy it. */
#ifndef SUMI_SRC_DATA_DATASET_H
#define SUMI_SRC_DATA_DATASET_H

#include "base/base.h"

typedef struct sumi__dataset {
  int64_t count, height, width, channels;
  int64_t classes; /* labels are below it */
  uint8_t *pixels; /* (count, height, width, channels); owned */
  uint8_t *labels; /* (count); owned */
} sumi__dataset;

typedef enum sumi__split { SUMI__SPLIT_TRAIN, SUMI__SPLIT_TEST } sumi__split;

/* Reads a folder's IDX files, gzipped (".gz") or not: train-images-idx3-ubyte and train-labels-idx1-ubyte, or
 * t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte for the test split. Images are (count, H, W) u8, H and W from 1 to
 * 4096; labels (count) u8. `classes` is what the caller expects (1 to 256); a label beyond it is an error.
 * Errors: NOT_FOUND (a file is missing: the line says which, and where such data can be had), IO, FORMAT, NO_MEMORY.
 * On failure *out is all zero. Free with sumi__dataset_free. */
sumi_status sumi__dataset_open_idx(sumi_context *ctx, const char *folder, sumi__split split, int64_t classes,
                                   sumi__dataset *out);

/* Keeps the first `limit` pictures; 0 or more than there are: all. */
void sumi__dataset_limit(sumi__dataset *set, int64_t limit);

/* CRC-32 of all pixels and labels: what tells a set from another of the same size. */
uint32_t sumi__dataset_crc(const sumi__dataset *set);

/* Frees what it owns and zeroes the struct. */
void sumi__dataset_free(sumi_context *ctx, sumi__dataset *set);

#endif
