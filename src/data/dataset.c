#include "data/dataset.h"

#include "io/file.h"
#include "io/gzip.h"
#include "io/idx.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Far above any data set of this kind (EMNIST's largest has 0.55 GB); memory follows what a file really holds. */
#define FILE_LIMIT ((size_t)1 << 30)
enum { SIDE_MAX = 4096 };

/* `folder/name` or `folder/name.gz`, whichever is there. */
static sumi_status find(sumi_context *ctx, const char *folder, const char *name, char path[PATH_MAX]) {
  sumi_status status = SUMI_OK;
  const int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
  SUMI_CHECK(ctx, length > 0 && length < PATH_MAX - 3, SUMI_INVALID, "the data folder's path is too long");
  if (sumi__file_exists(path)) goto done;
  memcpy(path + length, ".gz", 4);
  SUMI_CHECK(ctx, sumi__file_exists(path), SUMI_NOT_FOUND,
             "%s: no %s (nor %s.gz) there; put the four IDX files of MNIST in it, or name another folder with "
             "data.dir=FOLDER (Debian's and Ubuntu's package dataset-fashion-mnist has such files in "
             "/usr/share/datasets/fashion-mnist)",
             folder, name, name);
done:
  return status;
}

static sumi_status read_part(sumi_context *ctx, const char *folder, const char *name, int rank, char path[PATH_MAX],
                             sumi__idx *idx) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(find(ctx, folder, name, path));
  SUMI_TRY(sumi__idx_read(ctx, path, FILE_LIMIT, idx));
  SUMI_CHECK(ctx, idx->dtype == SUMI_U8 && idx->rank == rank, SUMI_FORMAT,
             "%s: expected %d dimension(s) of u8, found %d of %s", path, rank, idx->rank, sumi_dtype_name(idx->dtype));
done:
  return status;
}

static sumi_status check_labels(sumi_context *ctx, const char *path, const sumi__idx *labels, int64_t classes) {
  const uint8_t *values = labels->data;
  for (int64_t i = 0; i < labels->count; i++)
    if (values[i] >= classes)
      return sumi__fail(ctx, SUMI_FORMAT, "%s: label %lld is %d, expected one below %lld", path, (long long)i,
                        values[i], (long long)classes);
  return SUMI_OK;
}

sumi_status sumi__dataset_open_idx(sumi_context *ctx, const char *folder, sumi__split split, int64_t classes,
                                   sumi__dataset *out) {
  sumi_status status = SUMI_OK;
  const bool train = split == SUMI__SPLIT_TRAIN;
  char images_path[PATH_MAX], labels_path[PATH_MAX];
  sumi__idx images = {0}, labels = {0};
  memset(out, 0, sizeof *out);
  SUMI_TRY(
      read_part(ctx, folder, train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte", 3, images_path, &images));
  SUMI_TRY(
      read_part(ctx, folder, train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte", 1, labels_path, &labels));
  SUMI_CHECK(ctx, images.count > 0, SUMI_FORMAT, "%s: it holds no pictures", images_path);
  SUMI_CHECK(ctx, images.dims[1] <= SIDE_MAX && images.dims[2] <= SIDE_MAX, SUMI_FORMAT,
             "%s: pictures of %lld x %lld, expected at most %d on each side", images_path, (long long)images.dims[2],
             (long long)images.dims[1], SIDE_MAX);
  SUMI_CHECK(ctx, images.dims[0] == labels.dims[0], SUMI_FORMAT, "%s: %lld labels, but %s has %lld pictures",
             labels_path, (long long)labels.dims[0], images_path, (long long)images.dims[0]);
  SUMI_TRY(check_labels(ctx, labels_path, &labels, classes));
  *out = (sumi__dataset){.count = images.dims[0],
                         .height = images.dims[1],
                         .width = images.dims[2],
                         .channels = 1,
                         .classes = classes,
                         .pixels = images.data,
                         .labels = labels.data};
  images.data = labels.data = NULL; /* handed over */
done:
  sumi__idx_free(ctx, &images);
  sumi__idx_free(ctx, &labels);
  return status;
}

void sumi__dataset_limit(sumi__dataset *set, int64_t limit) {
  if (limit > 0 && limit < set->count) set->count = limit;
}

uint32_t sumi__dataset_crc(const sumi__dataset *set) {
  const size_t count = (size_t)set->count, pixels = (size_t)(set->height * set->width * set->channels);
  return sumi__crc32(sumi__crc32(0, set->pixels, count * pixels), set->labels, count);
}

void sumi__dataset_free(sumi_context *ctx, sumi__dataset *set) {
  sumi__free(ctx, set->pixels);
  sumi__free(ctx, set->labels);
  memset(set, 0, sizeof *set);
}
