/* Reading: every claim of the header is checked against the file before anybody sees it. */
#include "io/safetensors.h"

#include "io/file.h"
#include "io/json.h"
#include "io/safetensors_types.h"
#include "io/text.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RANK = 32 };

/* The header's size is the format's own limit. Four million commas and brackets are tensors by the hundred thousand,
 * and bound what parsing takes to a few hundred megabytes. */
static const sumi__json_limits header_limits = {100 * 1000 * 1000, 8, 4 * 1000 * 1000};

/* A tensor and where the header puts it. */
typedef struct entry {
  sumi_safetensors_tensor tensor;
  size_t begin;
} entry;

struct sumi_safetensors {
  sumi__tensor_source source;
  sumi_context *ctx;
  char *path;
  sumi__mapping map;   /* zero when the bytes are the caller's */
  const uint8_t *data; /* behind the header */
  size_t data_bytes;
  sumi__arena arena;
  entry *entries; /* by place in the file */
  size_t count;
  const entry **by_name;
  sumi__safetensors_pair *pairs;
  size_t pair_count;
};

/* A failure at a tensor: "model.safetensors: tensor `conv.weight`: ...". */
#define TENSOR_CHECK(file, name, cond, format, ...)                                                                    \
  do {                                                                                                                 \
    if (!(cond)) {                                                                                                     \
      char shown_[SUMI__QUOTE_MAX];                                                                                    \
      return sumi__fail((file)->ctx, SUMI_FORMAT, "%s: tensor %s: " format, (file)->path, sumi__quote(shown_, name),   \
                        __VA_ARGS__);                                                                                  \
    }                                                                                                                  \
  } while (0)

static sumi_status read_shape(sumi_safetensors *file, const sumi__json *json, const sumi__json_node *info,
                              sumi_safetensors_tensor *t) {
  const sumi__json_node *shape = NULL;
  sumi_status status = sumi__json_get_array(json, info, "shape", SUMI__JSON_REQUIRED, &shape);
  if (status != SUMI_OK) return status;
  const size_t rank = sumi__json_count(shape);
  TENSOR_CHECK(file, t->name, rank <= MAX_RANK, "has %zu dimensions, at most %d were expected", rank, (int)MAX_RANK);
  int64_t *dims = sumi__arena_alloc(&file->arena, rank * sizeof *dims);
  if (!dims) return SUMI_NO_MEMORY;
  t->rank = (int)rank;
  t->dims = dims;
  t->count = 1;
  for (size_t i = 0; i < rank; i++) {
    status = sumi__json_item_i64(json, shape, i, 0, INT64_MAX, &dims[i]);
    if (status != SUMI_OK) return status;
    TENSOR_CHECK(file, t->name, sumi__mul_i64(t->count, dims[i], &t->count), "%s",
                 "its shape multiplies past 2^63 elements");
  }
  return SUMI_OK;
}

/* The range of data_offsets, which must hold what type and shape ask for, exactly. */
static sumi_status read_range(sumi_safetensors *file, const sumi__json *json, const sumi__json_node *info, int bits,
                              entry *e) {
  sumi_safetensors_tensor *t = &e->tensor;
  const sumi__json_node *offsets = NULL;
  int64_t begin = 0, end = 0, total_bits = 0;
  sumi_status status = sumi__json_get_array(json, info, "data_offsets", SUMI__JSON_REQUIRED, &offsets);
  if (status != SUMI_OK) return status;
  TENSOR_CHECK(file, t->name, sumi__json_count(offsets) == 2, "data_offsets has %zu items, 2 were expected",
               sumi__json_count(offsets));
  status = sumi__json_item_i64(json, offsets, 0, 0, INT64_MAX, &begin);
  if (status == SUMI_OK) status = sumi__json_item_i64(json, offsets, 1, 0, INT64_MAX, &end);
  if (status != SUMI_OK) return status;
  TENSOR_CHECK(file, t->name, begin <= end, "data_offsets end at %lld, before they begin at %lld", (long long)end,
               (long long)begin);
  TENSOR_CHECK(file, t->name, (uint64_t)end <= file->data_bytes,
               "data_offsets end at %lld, but the file has only %zu bytes of data", (long long)end, file->data_bytes);
  TENSOR_CHECK(file, t->name, sumi__mul_i64(t->count, bits, &total_bits), "%s",
               "its shape and type multiply past 2^63 bits");
  TENSOR_CHECK(file, t->name, total_bits % 8 == 0, "%lld elements of %s do not fill whole bytes", (long long)t->count,
               t->dtype);
  TENSOR_CHECK(file, t->name, end - begin == total_bits / 8,
               "data_offsets span %lld bytes, %lld elements of %s need %lld", (long long)(end - begin),
               (long long)t->count, t->dtype, (long long)(total_bits / 8));
  e->begin = (size_t)begin;
  t->bytes = (size_t)(end - begin);
  t->data = file->data + begin;
  return SUMI_OK;
}

static sumi_status read_tensor(sumi_safetensors *file, const sumi__json *json, const char *name,
                               const sumi__json_node *info, entry *e) {
  e->tensor.name = sumi__arena_strdup(&file->arena, name);
  if (!e->tensor.name) return SUMI_NO_MEMORY;
  TENSOR_CHECK(file, name, sumi__json_kind_of(info) == SUMI__JSON_OBJECT, "%s", "expected an object");
  const char *dtype = NULL;
  sumi_status status = sumi__json_get_string(json, info, "dtype", SUMI__JSON_REQUIRED, &dtype);
  if (status != SUMI_OK) return status;
  const sumi__safetensors_type *type = sumi__safetensors_type_named(dtype);
  char shown[SUMI__QUOTE_MAX];
  TENSOR_CHECK(file, name, type, "the type %s is unknown", sumi__quote(shown, dtype));
  e->tensor.dtype = type->name;
  status = read_shape(file, json, info, &e->tensor);
  if (status != SUMI_OK) return status;
  return read_range(file, json, info, type->bits, e);
}

static sumi_status read_metadata(sumi_safetensors *file, const sumi__json_node *node) {
  if (sumi__json_kind_of(node) != SUMI__JSON_OBJECT)
    return sumi__fail(file->ctx, SUMI_FORMAT, "%s: __metadata__: expected an object", file->path);
  file->pairs = sumi__arena_alloc(&file->arena, sumi__json_count(node) * sizeof *file->pairs);
  if (!file->pairs) return SUMI_NO_MEMORY;
  void *cursor = NULL;
  const char *key;
  const sumi__json_node *value;
  while (sumi__json_next(node, &cursor, &key, &value)) {
    char shown[SUMI__QUOTE_MAX];
    if (sumi__json_kind_of(value) != SUMI__JSON_STRING)
      return sumi__fail(file->ctx, SUMI_FORMAT, "%s: __metadata__: %s: expected a string", file->path,
                        sumi__quote(shown, key));
    sumi__safetensors_pair *pair = &file->pairs[file->pair_count];
    pair->key = sumi__arena_strdup(&file->arena, key);
    pair->value = sumi__arena_strdup(&file->arena, sumi__json_string_of(value));
    if (!pair->key || !pair->value) return SUMI_NO_MEMORY;
    file->pair_count++;
  }
  return SUMI_OK;
}

static sumi_status read_members(sumi_safetensors *file, const sumi__json *json) {
  const sumi__json_node *root = sumi__json_root(json);
  if (sumi__json_kind_of(root) != SUMI__JSON_OBJECT)
    return sumi__fail(file->ctx, SUMI_FORMAT, "%s: the header is not a JSON object", file->path);
  file->entries = sumi__arena_alloc(&file->arena, sumi__json_count(root) * sizeof *file->entries);
  if (!file->entries) return SUMI_NO_MEMORY;
  void *cursor = NULL;
  const char *name;
  const sumi__json_node *value;
  while (sumi__json_next(root, &cursor, &name, &value)) {
    sumi_status status;
    if (!strcmp(name, "__metadata__"))
      status = read_metadata(file, value);
    else
      status = read_tensor(file, json, name, value, &file->entries[file->count++]);
    if (status != SUMI_OK) return status;
  }
  return SUMI_OK;
}

/* By place, empty tensors before the one that begins there too; by name where even that is the same. */
static int compare_places(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->tensor.bytes != y->tensor.bytes) return x->tensor.bytes < y->tensor.bytes ? -1 : 1;
  return strcmp(x->tensor.name, y->tensor.name);
}

static int compare_names(const void *a, const void *b) {
  return strcmp((*(const entry *const *)a)->tensor.name, (*(const entry *const *)b)->tensor.name);
}

/* The format wants the ranges to cover the data once: no overlap, no hole, nothing behind. */
static sumi_status check_cover(sumi_safetensors *file) {
  size_t covered = 0;
  for (size_t i = 0; i < file->count; i++) {
    const entry *e = &file->entries[i];
    TENSOR_CHECK(file, e->tensor.name, e->begin >= covered,
                 "its data begins at %zu, but the tensor before it ends at %zu", e->begin, covered);
    TENSOR_CHECK(file, e->tensor.name, e->begin == covered, "its data begins at %zu, leaving a hole after %zu",
                 e->begin, covered);
    covered += e->tensor.bytes;
  }
  if (covered != file->data_bytes)
    return sumi__fail(file->ctx, SUMI_FORMAT, "%s: has %zu bytes after the last tensor's data, none were expected",
                      file->path, file->data_bytes - covered);
  return SUMI_OK;
}

static sumi_status index_names(sumi_safetensors *file) {
  file->by_name = sumi__arena_alloc(&file->arena, file->count * sizeof *file->by_name);
  if (!file->by_name) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < file->count; i++) file->by_name[i] = &file->entries[i];
  qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
  return SUMI_OK;
}

static sumi_status read_header(sumi_safetensors *file, const uint8_t *bytes, size_t count) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = file->ctx;
  sumi__json *json = NULL;
  SUMI_CHECK(ctx, count >= 8, SUMI_FORMAT, "%s: has %zu bytes, a safetensors file has at least 8", file->path, count);
  uint64_t length = 0;
  for (int i = 0; i < 8; i++) length |= (uint64_t)bytes[i] << 8 * i;
  SUMI_CHECK(ctx, length <= header_limits.bytes, SUMI_FORMAT,
             "%s: claims a header of %llu bytes, at most %zu were expected (is it a safetensors file?)", file->path,
             (unsigned long long)length, header_limits.bytes);
  SUMI_CHECK(ctx, length <= count - 8, SUMI_FORMAT, "%s: is truncated: its header has %llu bytes, only %zu are there",
             file->path, (unsigned long long)length, count - 8);
  SUMI_CHECK(ctx, length >= 2 && bytes[8] == '{', SUMI_FORMAT, "%s: the header does not begin with `{`", file->path);
  file->data = bytes + 8 + length;
  file->data_bytes = count - 8 - (size_t)length;
  SUMI_TRY(sumi__json_parse(ctx, file->path, (const char *)bytes + 8, (size_t)length, &header_limits, &json));
  SUMI_TRY(read_members(file, json));
  qsort(file->entries, file->count, sizeof *file->entries, compare_places);
  SUMI_TRY(check_cover(file));
  SUMI_TRY(index_names(file));
done:
  sumi__json_free(json);
  return status;
}

static bool find_view(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  const sumi_safetensors *file = (const sumi_safetensors *)(const void *)source;
  const sumi_safetensors_tensor *t = sumi_safetensors_find(file, name);
  if (!t || t->rank > SUMI_MAX_RANK) return false;
  *out = (sumi__tensor_view){.dtype = SUMI_DTYPE_COUNT,
                             .shape = sumi_shape_make(t->rank, t->dims),
                             .data = t->data,
                             .mapped = file->map.bytes > 0};
  sumi__safetensors_dtype(t, &out->dtype);
  return true;
}

/* Takes the mapping over (zero for bytes of the caller), also on failure. */
static sumi_status open_bytes(sumi_context *ctx, const char *path, sumi__mapping map, const uint8_t *bytes,
                              size_t count, sumi_safetensors **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi_safetensors *file = sumi__alloc_zero(ctx, sizeof *file);
  if (!file) {
    sumi__file_unmap(&map);
    return SUMI_NO_MEMORY;
  }
  file->ctx = ctx;
  file->source.find = find_view;
  file->map = map;
  sumi__arena_init(&file->arena, ctx);
  file->path = sumi__arena_strdup(&file->arena, path);
  file->source.path = file->path;
  if (!file->path) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  SUMI_TRY(read_header(file, bytes, count));
  *out = file;
  file = NULL;
done:
  sumi_safetensors_close(file);
  return status;
}

sumi_status sumi_safetensors_open(sumi_context *ctx, const char *path, sumi_safetensors **out) {
  sumi__mapping map;
  *out = NULL;
  const sumi_status status = sumi__file_map(ctx, path, &map);
  return status == SUMI_OK ? open_bytes(ctx, path, map, map.data, map.bytes, out) : status;
}

sumi_status sumi__safetensors_parse(sumi_context *ctx, const char *name, const void *data, size_t bytes,
                                    sumi_safetensors **out) {
  return open_bytes(ctx, name, (sumi__mapping){0}, data, bytes, out);
}

void sumi_safetensors_close(sumi_safetensors *file) {
  if (!file) return;
  sumi__file_unmap(&file->map);
  sumi__arena_free(&file->arena);
  sumi__free(file->ctx, file);
}

const char *sumi__safetensors_path(const sumi_safetensors *file) { return file->path; }
sumi_context *sumi__safetensors_context(const sumi_safetensors *file) { return file->ctx; }
size_t sumi_safetensors_count(const sumi_safetensors *file) { return file->count; }

const sumi_safetensors_tensor *sumi_safetensors_tensor_at(const sumi_safetensors *file, size_t i) {
  return i < file->count ? &file->entries[i].tensor : NULL;
}

const sumi_safetensors_tensor *sumi_safetensors_find(const sumi_safetensors *file, const char *name) {
  size_t low = 0, high = file->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const int order = strcmp(name, file->by_name[middle]->tensor.name);
    if (order == 0) return &file->by_name[middle]->tensor;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}

sumi_status sumi__safetensors_get(const sumi_safetensors *file, const char *name, const sumi_safetensors_tensor **out) {
  char shown[SUMI__QUOTE_MAX];
  *out = sumi_safetensors_find(file, name);
  if (*out) return SUMI_OK;
  return sumi__fail(file->ctx, SUMI_NOT_FOUND, "%s: has no tensor %s", file->path, sumi__quote(shown, name));
}

size_t sumi_safetensors_metadata_count(const sumi_safetensors *file) { return file->pair_count; }

bool sumi_safetensors_metadata_at(const sumi_safetensors *file, size_t i, const char **key, const char **value) {
  if (i >= file->pair_count) return false;
  *key = file->pairs[i].key;
  *value = file->pairs[i].value;
  return true;
}

const char *sumi_safetensors_metadata(const sumi_safetensors *file, const char *key) {
  for (size_t i = 0; i < file->pair_count; i++)
    if (!strcmp(file->pairs[i].key, key)) return file->pairs[i].value;
  return NULL;
}

const sumi__tensor_source *sumi__safetensors_source(const sumi_safetensors *file) { return &file->source; }
