#include "io/safetensors.h"

#include "io/file.h"
#include "io/json.h"
#include "io/safetensors_types.h"
#include "io/text.h"

#include <stdlib.h>
#include <string.h>

/* A tensor's place among those to write. */
typedef struct slot {
  const char *name;
  const sumi__safetensors_type *type;
  size_t index; /* in the caller's list */
  size_t bytes;
} slot;

static int compare_names(const void *a, const void *b) {
  return strcmp(((const slot *)a)->name, ((const slot *)b)->name);
}

static int compare_places(const void *a, const void *b) {
  const slot *x = a, *y = b;
  if (x->type->bits != y->type->bits) return x->type->bits > y->type->bits ? -1 : 1;
  return strcmp(x->name, y->name);
}

static sumi_status measure(sumi_context *ctx, const char *path, const sumi__safetensors_entry *e, slot *s) {
  sumi_status status = SUMI_OK;
  char shown[SUMI__QUOTE_MAX];
  sumi__quote(shown, e->name);
  s->type = sumi__safetensors_type_of(e->dtype);
  SUMI_CHECK(ctx, s->type, SUMI_INVALID, "%s: tensor %s: the type %d has no name in safetensors", path, shown,
             (int)e->dtype);
  SUMI_CHECK(ctx, strcmp(e->name, "__metadata__") != 0, SUMI_INVALID, "%s: no tensor may be called %s", path, shown);
  SUMI_CHECK(ctx, e->shape.rank >= 0 && e->shape.rank <= SUMI_MAX_RANK, SUMI_INVALID,
             "%s: tensor %s: the shape has rank %d", path, shown, e->shape.rank);
  s->name = e->name;
  s->bytes = (size_t)s->type->bits / 8;
  for (int i = 0; i < e->shape.rank; i++)
    SUMI_CHECK(ctx,
               e->shape.dims[i] >= 0 && sumi__mul_size(s->bytes, (size_t)e->shape.dims[i], &s->bytes) &&
                   s->bytes <= PTRDIFF_MAX,
               SUMI_INVALID, "%s: tensor %s: dimension %d is %lld, which no memory holds", path, shown, i,
               (long long)e->shape.dims[i]);
done:
  return status;
}

/* Checks all entries and puts them in the file's order. *largest: of those that `produce` fills. */
static sumi_status plan(sumi_context *ctx, const char *path, const sumi__safetensors_entry *entries, size_t count,
                        bool can_produce, slot *slots, size_t *largest) {
  sumi_status status = SUMI_OK;
  char shown[SUMI__QUOTE_MAX];
  size_t total = 0;
  *largest = 0;
  for (size_t i = 0; i < count; i++) {
    SUMI_TRY(measure(ctx, path, &entries[i], &slots[i]));
    SUMI_CHECK(ctx, sumi__add_size(total, slots[i].bytes, &total) && total <= INT64_MAX, SUMI_INVALID,
               "%s: the tensors exceed 2^63 bytes", path);
    slots[i].index = i;
    if (entries[i].data) continue;
    SUMI_CHECK(ctx, can_produce || !slots[i].bytes, SUMI_INVALID, "%s: tensor %s has no data", path,
               sumi__quote(shown, entries[i].name));
    if (slots[i].bytes > *largest) *largest = slots[i].bytes;
  }
  qsort(slots, count, sizeof *slots, compare_names);
  for (size_t i = 1; i < count; i++)
    SUMI_CHECK(ctx, strcmp(slots[i - 1].name, slots[i].name) != 0, SUMI_INVALID, "%s: there are two tensors called %s",
               path, sumi__quote(shown, slots[i].name));
  qsort(slots, count, sizeof *slots, compare_places);
done:
  return status;
}

static sumi_status make_header(sumi_context *ctx, const char *path, const sumi__safetensors_entry *entries,
                               const slot *slots, size_t count, const sumi__safetensors_pair *pairs, size_t pair_count,
                               char **out, size_t *out_bytes) {
  sumi__json_writer w;
  sumi__json_writer_init(&w, ctx, -1);
  sumi__json_begin_object(&w, NULL);
  if (pair_count) {
    sumi__json_begin_object(&w, "__metadata__");
    for (size_t i = 0; i < pair_count; i++) sumi__json_put_string(&w, pairs[i].key, pairs[i].value);
    sumi__json_end_object(&w);
  }
  int64_t offset = 0;
  for (size_t i = 0; i < count; i++) {
    const sumi_shape *shape = &entries[slots[i].index].shape;
    sumi__json_begin_object(&w, slots[i].name);
    sumi__json_put_string(&w, "dtype", slots[i].type->name);
    sumi__json_begin_array(&w, "shape");
    for (int k = 0; k < shape->rank; k++) sumi__json_put_i64(&w, NULL, shape->dims[k]);
    sumi__json_end_array(&w);
    sumi__json_begin_array(&w, "data_offsets");
    sumi__json_put_i64(&w, NULL, offset);
    offset += (int64_t)slots[i].bytes;
    sumi__json_put_i64(&w, NULL, offset);
    sumi__json_end_array(&w);
    sumi__json_end_object(&w);
  }
  sumi__json_end_object(&w);
  const sumi_status status = sumi__json_writer_finish(&w, out, out_bytes);
  return status == SUMI_OK ? SUMI_OK : sumi__fail_in(ctx, status, "%s", path);
}

static sumi_status write_header(sumi__file_writer *w, const char *header, size_t bytes) {
  static const char spaces[8] = "        ";
  const size_t padding = (8 - bytes % 8) % 8;
  uint8_t length[8];
  for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)(bytes + padding) >> 8 * i);
  sumi__file_writer_write(w, length, sizeof length);
  sumi__file_writer_write(w, header, bytes);
  return sumi__file_writer_write(w, spaces, padding);
}

sumi_status sumi__safetensors_write(sumi_context *ctx, const char *path, const sumi__safetensors_entry *entries,
                                    size_t count, const sumi__safetensors_pair *pairs, size_t pair_count,
                                    sumi__safetensors_produce produce, void *user) {
  sumi_status status = SUMI_OK;
  char *header = NULL;
  size_t header_bytes = 0, largest = 0;
  void *produced = NULL;
  sumi__file_writer *w = NULL;
  slot *slots = sumi__alloc_array(ctx, count, sizeof *slots);
  if (!slots) return SUMI_NO_MEMORY;
  SUMI_TRY(plan(ctx, path, entries, count, produce != NULL, slots, &largest));
  SUMI_TRY(make_header(ctx, path, entries, slots, count, pairs, pair_count, &header, &header_bytes));
  produced = sumi__alloc(ctx, largest);
  if (!produced) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  SUMI_TRY(sumi__file_writer_open(ctx, path, &w));
  SUMI_TRY(write_header(w, header, header_bytes));
  for (size_t i = 0; i < count; i++) {
    const void *data = entries[slots[i].index].data;
    if (!data && slots[i].bytes) SUMI_TRY(produce(user, slots[i].index, produced));
    SUMI_TRY(sumi__file_writer_write(w, data ? data : produced, slots[i].bytes));
  }
  SUMI_TRY(sumi__file_writer_commit(w));
done:
  sumi__file_writer_free(w);
  sumi__free(ctx, produced);
  sumi__free(ctx, header);
  sumi__free(ctx, slots);
  return status;
}

sumi_status sumi_safetensors_write_f32(sumi_context *ctx, const char *path, const sumi_array *arrays, size_t count) {
  sumi__safetensors_entry *entries = sumi__alloc_array(ctx, count, sizeof *entries);
  if (!entries) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < count; i++)
    entries[i] = (sumi__safetensors_entry){arrays[i].name, SUMI_F32, sumi_shape_make(arrays[i].rank, arrays[i].dims),
                                           arrays[i].data};
  const sumi_status status = sumi__safetensors_write(ctx, path, entries, count, NULL, 0, NULL, NULL);
  sumi__free(ctx, entries);
  return status;
}
