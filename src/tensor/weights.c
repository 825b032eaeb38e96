#include "tensor/weights.h"

#include <pthread.h>
#include <string.h>

enum { PACK_LISTS = 256 };

struct sumi__pack {
  sumi__pack_key key;
  void *data;
  int users;
  sumi__pack *next;
};

struct sumi_weights {
  sumi_context *ctx;
  pthread_mutex_t lock;          /* of the packed copies */
  sumi__pack *packs[PACK_LISTS]; /* by what they are packed from */
  size_t packed_bytes;
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
  if (pthread_mutex_init(&w->lock, NULL) != 0) {
    sumi__free(ctx, w);
    return sumi__fail(ctx, SUMI_NO_MEMORY, "out of memory: a lock could not be had");
  }
  sumi__arena_init(&w->arena, ctx);
  *out = w;
  return SUMI_OK;
}

void sumi_weights_free(sumi_weights *w) {
  if (!w) return;
  for (size_t i = 0; i < w->count; i++) sumi__free(w->ctx, w->items[i]->data);
  pthread_mutex_destroy(&w->lock);
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

/* The slot where the name is, or the empty one where it would go. */
static size_t slot_of(const sumi_weights *w, const char *name) {
  size_t slot = sumi__hash(name, strlen(name), 0) & (w->table_size - 1);
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

/* Adds `item`, whose name and shape are checked and whose name is copied. */
static sumi_status add(sumi_weights *w, const sumi__weight *item, sumi__weight **out) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(w->ctx, sumi__shape_valid(&item->shape), SUMI_SHAPE, "parameter '%s': its shape %s is not valid",
             item->name, SUMI__SHAPE_STR(&item->shape));
  SUMI_CHECK(w->ctx, sumi_weights_find(w, item->name) < 0, SUMI_INVALID, "parameter '%s' exists already", item->name);
  SUMI_TRY(grow_table(w));
  SUMI_TRY(sumi__grow(w->ctx, (void **)&w->items, &w->capacity, w->count + 1, sizeof *w->items));
  sumi__weight *added = sumi__arena_copy(&w->arena, item, sizeof *item);
  if (!added || !(added->name = sumi__arena_strdup(&w->arena, item->name))) return SUMI_NO_MEMORY;
  if (!item->lent) {
    added->data = sumi__alloc_zero(w->ctx, (size_t)sumi_shape_count(&item->shape) * sumi_dtype_bytes(item->dtype));
    if (!added->data) return SUMI_NO_MEMORY;
  }
  w->table[slot_of(w, added->name)] = (int64_t)w->count + 1;
  w->items[w->count++] = added;
  *out = added;
done:
  return status;
}

sumi_status sumi__weights_add(sumi_weights *w, const char *name, sumi_dtype dtype, sumi_shape shape,
                              sumi__layout layout, bool trainable, sumi__weight **out) {
  sumi__weight *added = NULL;
  const sumi_status status =
      add(w, &(sumi__weight){.name = name, .dtype = dtype, .shape = shape, .layout = layout, .trainable = trainable},
          &added);
  if (out) *out = added;
  return status;
}

sumi_status sumi__weights_lend(sumi_weights *w, const char *name, sumi_dtype dtype, const void *data, bool mapped,
                               sumi_shape shape, sumi__layout layout) {
  sumi__weight *added;
  if (dtype != SUMI_F32 && dtype != SUMI_BF16 && dtype != SUMI_F16)
    return sumi__fail(w->ctx, SUMI_INVALID, "parameter '%s': a %s tensor cannot be lent", name, sumi_dtype_name(dtype));
  return add(w,
             &(sumi__weight){.name = name,
                             .dtype = SUMI_F32,
                             .shape = shape,
                             .layout = layout,
                             .lent = data,
                             .lent_dtype = dtype,
                             .lent_mapped = mapped},
             &added);
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

/* ---- Packed copies ---- */

static bool same_key(const sumi__pack_key *a, const sumi__pack_key *b) {
  return a->data == b->data && a->dtype == b->dtype && a->bytes == b->bytes && a->kernel == b->kernel &&
         a->layout == b->layout;
}

static sumi__pack **list_of(sumi_weights *w, const sumi__pack_key *key) {
  return &w->packs[sumi__hash(&key->data, sizeof key->data, 0) % PACK_LISTS];
}

/* With the lock held. The set's own context is not asked for memory by other means at that time, but its sentence is
 * not theirs to read: a failure is told again to `ctx`. */
static sumi_status make_pack(sumi_weights *w, sumi_context *ctx, const sumi__pack_key *key, sumi__pack_fn fill,
                             void *user, sumi__pack **out) {
  const sumi_context_options *hooks = &w->ctx->options;
  sumi__pack *pack = hooks->allocate(hooks->memory_user, sizeof *pack);
  void *data = hooks->allocate(hooks->memory_user, key->bytes);
  sumi_status status = pack && data ? SUMI_OK : SUMI_NO_MEMORY;
  if (status != SUMI_OK)
    sumi__fail(ctx, status, "out of memory: %zu bytes for packed weights could not be had", key->bytes);
  else
    status = fill(user, data);
  if (status != SUMI_OK) {
    sumi__free(w->ctx, pack);
    sumi__free(w->ctx, data);
    return status;
  }
  sumi__pack **list = list_of(w, key);
  *pack = (sumi__pack){.key = *key, .data = data, .next = *list};
  *list = pack;
  w->packed_bytes += key->bytes;
  *out = pack;
  return SUMI_OK;
}

sumi_status sumi__weights_acquire(sumi_weights *w, sumi_context *ctx, const sumi__pack_key *key, sumi__pack_fn fill,
                                  void *user, sumi__pack **out) {
  sumi_status status = SUMI_OK;
  pthread_mutex_lock(&w->lock);
  sumi__pack *pack = *list_of(w, key);
  while (pack && !same_key(&pack->key, key)) pack = pack->next;
  if (!pack) status = make_pack(w, ctx, key, fill, user, &pack);
  if (status == SUMI_OK) {
    pack->users++;
    *out = pack;
  }
  pthread_mutex_unlock(&w->lock);
  return status;
}

void *sumi__pack_data(const sumi__pack *pack) { return pack->data; }

void sumi__weights_release(sumi_weights *w, sumi__pack *pack) {
  if (!pack) return;
  pthread_mutex_lock(&w->lock);
  if (--pack->users == 0) {
    sumi__pack **at = list_of(w, &pack->key);
    while (*at != pack) at = &(*at)->next;
    *at = pack->next;
    w->packed_bytes -= pack->key.bytes;
    sumi__free(w->ctx, pack->data);
    sumi__free(w->ctx, pack);
  }
  pthread_mutex_unlock(&w->lock);
}

size_t sumi__weights_packed_bytes(sumi_weights *w) {
  pthread_mutex_lock(&w->lock);
  const size_t bytes = w->packed_bytes;
  pthread_mutex_unlock(&w->lock);
  return bytes;
}
