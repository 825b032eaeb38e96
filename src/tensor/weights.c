#include "tensor/weights.h"

#include <string.h>

struct sumi_weights {
  sumi_context *ctx;
  sumi__arena arena;
  sumi__weight **items;
  size_t count, capacity;
  int64_t *table; /* open addressing: index + 1, 0 for empty; a power of two, at most half full */
  size_t table_size;
};

sumi_status sumi_weights_create(sumi_context *ctx, sumi_weights **out) {
  *out = NULL;
  sumi_weights *w = sumi__alloc_zero(ctx, sizeof *w);
  if (!w) return SUMI_NO_MEMORY;
  w->ctx = ctx;
  sumi__arena_init(&w->arena, ctx);
  *out = w;
  return SUMI_OK;
}

void sumi_weights_free(sumi_weights *w) {
  if (!w) return;
  for (size_t i = 0; i < w->count; i++) sumi__free(w->ctx, w->items[i]->data);
  sumi__free(w->ctx, w->items);
  sumi__free(w->ctx, w->table);
  sumi__arena_free(&w->arena);
  sumi__free(w->ctx, w);
}

size_t sumi_weights_count(const sumi_weights *w) { return w->count; }
const char *sumi_weights_name(const sumi_weights *w, size_t i) { return w->items[i]->name; }
sumi_shape sumi_weights_shape(const sumi_weights *w, size_t i) { return w->items[i]->shape; }
void *sumi_weights_data(sumi_weights *w, size_t i) { return w->items[i]->data; }
sumi__weight *sumi__weights_at(sumi_weights *w, size_t i) { return w->items[i]; }
sumi_context *sumi__weights_context(const sumi_weights *w) { return w->ctx; }

static uint64_t hash(const char *name) { /* FNV-1a */
  uint64_t h = 0xcbf29ce484222325u;
  for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3u;
  return h;
}

/* The slot where the name is, or the empty one where it would go. */
static size_t slot_of(const sumi_weights *w, const char *name) {
  size_t slot = hash(name) & (w->table_size - 1);
  while (w->table[slot] && strcmp(w->items[w->table[slot] - 1]->name, name) != 0)
    slot = (slot + 1) & (w->table_size - 1);
  return slot;
}

int64_t sumi_weights_find(const sumi_weights *w, const char *name) {
  return w->table_size ? w->table[slot_of(w, name)] - 1 : -1;
}

static sumi_status grow_table(sumi_weights *w) {
  if ((w->count + 1) * 2 <= w->table_size) return SUMI_OK;
  const size_t size = w->table_size ? w->table_size * 2 : 64;
  int64_t *table = sumi__alloc_array(w->ctx, size, sizeof *table);
  if (!table) return SUMI_NO_MEMORY;
  sumi__free(w->ctx, w->table);
  w->table = table;
  w->table_size = size;
  for (size_t i = 0; i < w->count; i++) w->table[slot_of(w, w->items[i]->name)] = (int64_t)i + 1;
  return SUMI_OK;
}

sumi_status sumi__weights_add(sumi_weights *w, const char *name, sumi_dtype dtype, sumi_shape shape,
                              sumi__layout layout, bool trainable, sumi__weight **out) {
  sumi_status status = SUMI_OK;
  if (out) *out = NULL;
  SUMI_CHECK(w->ctx, sumi__shape_valid(&shape), SUMI_SHAPE, "parameter '%s': its shape %s is not valid", name,
             SUMI__SHAPE_STR(&shape));
  SUMI_CHECK(w->ctx, sumi_weights_find(w, name) < 0, SUMI_INVALID, "parameter '%s' exists already", name);
  SUMI_TRY(grow_table(w));
  SUMI_TRY(sumi__grow(w->ctx, (void **)&w->items, &w->capacity, w->count + 1, sizeof *w->items));
  sumi__weight *item = sumi__arena_alloc(&w->arena, sizeof *item);
  char *copy = sumi__arena_strdup(&w->arena, name);
  if (!item || !copy) return SUMI_NO_MEMORY;
  void *data = sumi__alloc_zero(w->ctx, (size_t)sumi_shape_count(&shape) * sumi_dtype_bytes(dtype));
  if (!data) return SUMI_NO_MEMORY;
  *item = (sumi__weight){copy, dtype, shape, layout, trainable, data};
  w->table[slot_of(w, name)] = (int64_t)w->count + 1;
  w->items[w->count++] = item;
  if (out) *out = item;
done:
  return status;
}

sumi_shape sumi__weight_file_shape(const sumi__weight *w) {
  if (w->layout != SUMI__LAYOUT_CONV) return w->shape;
  const int64_t *d = w->shape.dims;
  return SUMI_SHAPE(d[0], d[3], d[1], d[2]);
}

/* Walks a convolution's weights in our order; `file_to_ours` says which way the values go. */
static void convert_order(const sumi__weight *w, float *ours, float *file, bool file_to_ours) {
  const int64_t *d = w->shape.dims, area = d[1] * d[2], in = d[3];
  for (int64_t o = 0; o < d[0]; o++)
    for (int64_t hw = 0; hw < area; hw++)
      for (int64_t i = 0; i < in; i++) {
        float *a = &ours[(o * area + hw) * in + i], *b = &file[(o * in + i) * area + hw];
        if (file_to_ours)
          *a = *b;
        else
          *b = *a;
      }
}

void sumi__weight_from_file_order(const sumi__weight *w, float *ours, const float *file) {
  if (w->layout == SUMI__LAYOUT_CONV)
    convert_order(w, ours, (float *)(uintptr_t)file, true);
  else
    memcpy(ours, file, (size_t)sumi_shape_count(&w->shape) * sizeof *ours);
}

void sumi__weight_to_file_order(const sumi__weight *w, float *file, const float *ours) {
  if (w->layout == SUMI__LAYOUT_CONV)
    convert_order(w, (float *)(uintptr_t)ours, file, false);
  else
    memcpy(file, ours, (size_t)sumi_shape_count(&w->shape) * sizeof *file);
}
