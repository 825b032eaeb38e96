/* Batches of a data set, prepared by a thread of their own while the one before is being trained on. */
#ifndef SUMI_SRC_DATA_LOADER_H
#define SUMI_SRC_DATA_LOADER_H

#include "data/dataset.h"

typedef struct sumi__loader sumi__loader;

typedef struct sumi__loader_options {
  int64_t batch; /* pictures in a batch, 1 to 2^20 */
  uint64_t seed;
  bool shuffle;   /* a new order each epoch; false: the set's own */
  bool drop_last; /* leave out an epoch's last batch where it would be smaller (not if it is the only one) */
  int shift;      /* move each picture by up to this many pixels each way, zeros coming in; 0 to 64 */
  /* Where to start: batch `first_batch` of epoch `first_epoch`. */
  int64_t first_epoch, first_batch;
} sumi__loader_options;

typedef struct sumi__batch {
  int64_t epoch, index; /* this is batch `index` of the epoch */
  int64_t rows;
  const float *pixels;   /* (rows, H, W, C), samples / 255: [0, 1] */
  const int32_t *labels; /* (rows) */
} sumi__batch;

/* Starts the thread. The data set is lent and must outlive the loader. What batch (epoch, index) holds is a function
 * of the data, the seed and the options alone, wherever the loader started. Memory: two batches and an order.
 * Errors: INVALID (options), NO_MEMORY, FAILED (no thread). Free with sumi__loader_free. */
sumi_status sumi__loader_create(sumi_context *ctx, const sumi__dataset *set, const sumi__loader_options *options,
                                sumi__loader **out);

/* The next batch, epoch after epoch without end; waits until it is ready. Lent until the next call. */
void sumi__loader_next(sumi__loader *loader, sumi__batch *out);

int64_t sumi__loader_batches_per_epoch(const sumi__loader *loader);

/* Stops the thread and frees. NULL is allowed. */
void sumi__loader_free(sumi__loader *loader);

/* How many batches an epoch of `count` pictures has; 1 or more. */
int64_t sumi__batches_per_epoch(int64_t count, int64_t batch, bool drop_last);

#endif
