#include "io/torch_file.h"

#include "io/pickle.h"
#include "io/text.h"
#include "io/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 16, MOST_NAME = 1024, MOST_PREAMBLE = 4096 };

typedef struct bytes {
  const uint8_t *data;
  size_t bytes;
} bytes;

/* A storage of the legacy stream. */
typedef struct legacy_storage {
  const char *key;
  bytes at;
} legacy_storage;

typedef struct reader {
  sumi_context *ctx;
  const char *name;
  bool mapped;
  sumi__torch_file *file;
  /* Where storages are: in an archive under PREFIX/data/KEY, or in a list by key. */
  sumi__zip zip;
  char prefix[MOST_NAME];
  legacy_storage *storages;
  size_t storage_count;
  size_t visits; /* left: what refers to itself is not followed for ever */
  size_t copies; /* bytes left for tensors that have to be copied */
  size_t names;  /* and for the list of tensors: a long key may stand above many that are shared */
} reader;

static sumi_status damaged(const reader *r, const char *where, const char *what) {
  char shown[SUMI__QUOTE_MAX];
  return sumi__fail(r->ctx, SUMI_FORMAT, "%s: tensor %s: %s", r->name, sumi__quote(shown, where), what);
}

static sumi_status too_often(const reader *r) {
  return sumi__fail(r->ctx, SUMI_FORMAT, "%s: its dictionaries refer to each other too often", r->name);
}

/* What a pickle of so many bytes may unfold to. */
static void limit_walk(reader *r, size_t pickle_bytes) {
  if (pickle_bytes > SUMI__PICKLE_MOST_MEMORY / 64) pickle_bytes = SUMI__PICKLE_MOST_MEMORY / 64;
  r->visits = 8 * pickle_bytes + 1000;
  r->names = 64 * pickle_bytes + 65536;
}

/* ---- Storages ---- */

static int by_key(const void *a, const void *b) {
  return strcmp(((const legacy_storage *)a)->key, ((const legacy_storage *)b)->key);
}

static bool find_storage(const reader *r, const char *key, bytes *out) {
  char path[MOST_NAME + 256];
  if (r->storages) {
    const legacy_storage wanted = {.key = key};
    const legacy_storage *s = bsearch(&wanted, r->storages, r->storage_count, sizeof wanted, by_key);
    if (s) *out = s->at;
    return s != NULL;
  }
  const int n = snprintf(path, sizeof path, "%sdata/%s", r->prefix, key);
  const sumi__zip_entry *e = n > 0 && (size_t)n < sizeof path ? sumi__zip_find(&r->zip, path) : NULL;
  if (e) *out = (bytes){e->data, e->bytes};
  return e != NULL;
}

/* ---- Tensors ---- */

/* Elements of the shape, and the last one's place in the storage; false if either is beyond 2^62. */
static bool measure(const sumi__pickle_tensor *t, int64_t *count, int64_t *last) {
  const int64_t limit = (int64_t)1 << 62;
  *count = 1;
  *last = t->offset;
  for (int i = 0; i < t->shape.rank; i++) {
    const int64_t dim = t->shape.dims[i];
    int64_t reach;
    if (!sumi__mul_i64(*count, dim, count) || *count > limit) return false;
    if (dim == 0) continue;
    if (!sumi__mul_i64(dim - 1, t->strides[i], &reach) || reach > limit || *last > limit - reach) return false;
    *last += reach;
  }
  return true;
}

static bool in_order(const sumi__pickle_tensor *t) {
  int64_t step = 1;
  for (int i = t->shape.rank; i-- > 0;) {
    if (t->shape.dims[i] != 1 && t->strides[i] != step) return false;
    step *= t->shape.dims[i];
  }
  return true;
}

/* A copy in order of a tensor whose elements lie otherwise, such as a transpose. */
static sumi_status copy_in_order(reader *r, const sumi__pickle_tensor *t, const char *where, int64_t count,
                                 const uint8_t *from, const void **out) {
  const size_t item = sumi_dtype_bytes(t->storage->dtype);
  int64_t index[SUMI_MAX_RANK] = {0};
  if ((size_t)count > r->copies / item) return damaged(r, where, "it repeats more values than the file has");
  r->copies -= (size_t)count * item;
  uint8_t *to = sumi__arena_alloc(&r->file->arena, (size_t)count * item);
  if (!to) return SUMI_NO_MEMORY;
  for (int64_t i = 0; i < count; i++) {
    int64_t at = 0;
    for (int d = 0; d < t->shape.rank; d++) at += index[d] * t->strides[d];
    memcpy(to + (size_t)i * item, from + (size_t)at * item, item);
    for (int d = t->shape.rank; d-- > 0;) {
      if (++index[d] < t->shape.dims[d]) break;
      index[d] = 0;
    }
  }
  *out = to;
  return SUMI_OK;
}

static sumi_status view_of(reader *r, const sumi__pickle_tensor *t, const char *where, sumi__tensor_view *out) {
  const sumi__pickle_storage *s = t->storage;
  int64_t count, last;
  bytes at;
  *out = (sumi__tensor_view){.dtype = s->dtype, .shape = t->shape, .mapped = r->mapped};
  if (s->dtype == SUMI_DTYPE_COUNT) return SUMI_OK;
  if (!find_storage(r, s->key, &at)) return damaged(r, where, "its storage is missing");
  const size_t item = sumi_dtype_bytes(s->dtype);
  if (!measure(t, &count, &last)) return damaged(r, where, "its size is beyond any memory");
  if (count > 0 && (uint64_t)last >= at.bytes / item) return damaged(r, where, "it lies beyond its storage");
  out->data = at.data + (count > 0 ? (size_t)t->offset * item : 0);
  if (count == 0 || in_order(t)) return SUMI_OK;
  out->mapped = false;
  return copy_in_order(r, t, where, count, out->data, &out->data);
}

static sumi_status add(reader *r, const char *name, const sumi__tensor_view *view) {
  sumi__torch_file *f = r->file;
  const size_t cost = strlen(name) + 1 + sizeof *f->tensors;
  if (cost > r->names) return too_often(r);
  r->names -= cost;
  const sumi_status status = sumi__grow(r->ctx, (void **)&f->tensors, &f->capacity, f->count + 1, sizeof *f->tensors);
  if (status != SUMI_OK) return status;
  char *copy = sumi__arena_strdup(&f->arena, name);
  if (!copy) return SUMI_NO_MEMORY;
  f->tensors[f->count++] = (sumi__torch_tensor){copy, *view};
  return SUMI_OK;
}

/* ---- What hangs where ---- */

/* "a.b" and "c", or the number i. False if it is too long. */
static bool join(char out[MOST_NAME], const char *path, const sumi__pickle_value *key, size_t i) {
  const char *dot = *path ? "." : "";
  int n = -1;
  if (!key || key->kind == SUMI__PICKLE_INTEGER)
    n = snprintf(out, MOST_NAME, "%s%s%lld", path, dot, key ? (long long)key->integer : (long long)i);
  else if (key->kind == SUMI__PICKLE_TEXT && strlen(key->text) == key->text_bytes)
    n = snprintf(out, MOST_NAME, "%s%s%s", path, dot, key->text);
  return n > 0 && n < MOST_NAME;
}

static sumi_status walk(reader *r, const sumi__pickle_value *v, const char *path, int depth);

static sumi_status walk_items(reader *r, const sumi__pickle_value *v, const char *path, int depth) {
  sumi_status status = SUMI_OK;
  const size_t step = v->kind == SUMI__PICKLE_DICT ? 2 : 1;
  char name[MOST_NAME];
  for (size_t i = 0; i + step <= v->count; i += step)
    if (join(name, path, step == 2 ? v->items[i] : NULL, i)) SUMI_TRY(walk(r, v->items[i + step - 1], name, depth + 1));
done:
  return status;
}

static sumi_status walk(reader *r, const sumi__pickle_value *v, const char *path, int depth) {
  sumi_status status = SUMI_OK;
  sumi__tensor_view view;
  if (r->visits-- == 0) return too_often(r);
  if (v->kind == SUMI__PICKLE_TENSOR) {
    SUMI_TRY(view_of(r, v->tensor, path, &view));
    SUMI_TRY(add(r, path, &view));
  } else if (v->kind == SUMI__PICKLE_INTEGER && depth == 1) {
    view = (sumi__tensor_view){.dtype = SUMI_I64, .shape = SUMI_SCALAR, .data = &v->integer};
    SUMI_TRY(add(r, path, &view));
  } else if ((v->kind == SUMI__PICKLE_DICT || v->kind == SUMI__PICKLE_LIST) && depth < MOST_DEPTH) {
    SUMI_TRY(walk_items(r, v, path, depth));
  }
done:
  return status;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const sumi__torch_tensor *)a)->name, ((const sumi__torch_tensor *)b)->name);
}

/* A dictionary "state_dict" is the model, and what stands beside it says something about it. */
static sumi_status walk_all(reader *r, const sumi__pickle_value *root) {
  sumi_status status = SUMI_OK;
  const sumi__pickle_value *inner = sumi__pickle_find(root, "state_dict");
  sumi__torch_file *f = r->file;
  if (inner && inner->kind == SUMI__PICKLE_DICT) {
    SUMI_TRY(walk(r, inner, "", 0));
    for (size_t i = 0; i + 1 < root->count; i += 2)
      if (root->items[i]->kind == SUMI__PICKLE_TEXT && root->items[i + 1]->kind == SUMI__PICKLE_INTEGER)
        SUMI_TRY(walk(r, root->items[i + 1], root->items[i]->text, 1));
  } else {
    SUMI_TRY(walk(r, root, "", 0));
  }
  if (f->count) qsort(f->tensors, f->count, sizeof *f->tensors, by_name);
  for (size_t i = 1; i < f->count; i++)
    if (by_name(&f->tensors[i - 1], &f->tensors[i]) == 0) return damaged(r, f->tensors[i].name, "the name comes twice");
done:
  return status;
}

/* ---- Archives ---- */

static bool ends_with(const sumi__zip_entry *e, const char *end) {
  const size_t n = strlen(end);
  return e->name_bytes >= n && memcmp(e->name + e->name_bytes - n, end, n) == 0;
}

/* The archive's one folder, whose name is the file's when it was written. */
static const sumi__zip_entry *find_pickle(reader *r) {
  for (size_t i = 0; i < r->zip.count; i++) {
    const sumi__zip_entry *e = &r->zip.entries[i];
    const size_t folder = e->name_bytes - 8;
    if (!ends_with(e, "data.pkl") || folder >= sizeof r->prefix || (folder && e->name[folder - 1] != '/')) continue;
    memcpy(r->prefix, e->name, folder);
    r->prefix[folder] = '\0';
    return e;
  }
  return NULL;
}

static sumi_status check_byte_order(const reader *r) {
  char path[MOST_NAME + 16];
  snprintf(path, sizeof path, "%sbyteorder", r->prefix);
  const sumi__zip_entry *e = sumi__zip_find(&r->zip, path);
  if (!e || (e->bytes == 6 && memcmp(e->data, "little", 6) == 0)) return SUMI_OK;
  return sumi__fail(r->ctx, SUMI_UNSUPPORTED, "%s: its numbers are big-endian, expected little-endian", r->name);
}

static sumi_status parse(reader *r, bytes pickle, size_t *used, const sumi__pickle_storage **storages,
                         const sumi__pickle_value **out) {
  return sumi__pickle_parse(r->ctx, r->name, pickle.data, pickle.bytes, &r->file->arena, used, storages, out);
}

static sumi_status open_archive(reader *r, bytes all) {
  sumi_status status = SUMI_OK;
  const sumi__pickle_value *root;
  SUMI_TRY(sumi__zip_open(r->ctx, r->name, all.data, all.bytes, &r->zip));
  const sumi__zip_entry *pickle = find_pickle(r);
  SUMI_CHECK(r->ctx, pickle, SUMI_FORMAT, "%s: this zip archive has no data.pkl, so it is no PyTorch checkpoint",
             r->name);
  SUMI_TRY(check_byte_order(r));
  SUMI_TRY(parse(r, (bytes){pickle->data, pickle->bytes}, NULL, NULL, &root));
  limit_walk(r, pickle->bytes);
  SUMI_TRY(walk_all(r, root));
done:
  sumi__zip_free(&r->zip);
  return status;
}

/* ---- The stream of torch before 1.6: four pickles (magic number, protocol, system, the object), a pickle of the
 * storages' keys, and for each its length and values ---- */

static const uint8_t magic[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

/* Element sizes are those of the storages' types, also where nobody but an opaque object knows the tensor. */
static void find_sizes(reader *r, const sumi__pickle_storage *named) {
  for (; named; named = named->before) {
    const legacy_storage wanted = {.key = named->key};
    legacy_storage *s = bsearch(&wanted, r->storages, r->storage_count, sizeof wanted, by_key);
    if (s && named->dtype != SUMI_DTYPE_COUNT) s->at.bytes = sumi_dtype_bytes(named->dtype);
  }
}

static sumi_status list_keys(reader *r, const sumi__pickle_value *keys) {
  if (keys->kind != SUMI__PICKLE_LIST)
    return sumi__fail(r->ctx, SUMI_FORMAT, "%s: the list of storages is missing", r->name);
  r->storages = sumi__alloc_array(r->ctx, keys->count ? keys->count : 1, sizeof *r->storages);
  if (!r->storages) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < keys->count; i++) {
    if (keys->items[i]->kind != SUMI__PICKLE_TEXT)
      return sumi__fail(r->ctx, SUMI_FORMAT, "%s: a storage's key is not a text", r->name);
    r->storages[i] = (legacy_storage){.key = keys->items[i]->text};
  }
  r->storage_count = keys->count;
  qsort(r->storages, r->storage_count, sizeof *r->storages, by_key);
  for (size_t i = 1; i < r->storage_count; i++)
    if (by_key(&r->storages[i - 1], &r->storages[i]) == 0)
      return sumi__fail(r->ctx, SUMI_FORMAT, "%s: two storages have one key", r->name);
  return SUMI_OK;
}

/* Storages lie in the order of the list of keys. */
static sumi_status place_storages(reader *r, const sumi__pickle_value *keys, bytes rest) {
  for (size_t i = 0; i < keys->count; i++) {
    const legacy_storage wanted = {.key = keys->items[i]->text};
    legacy_storage *s = bsearch(&wanted, r->storages, r->storage_count, sizeof wanted, by_key);
    const size_t item = s->at.bytes;
    uint64_t elements = 0;
    for (int k = 8; rest.bytes >= 8 && k-- > 0;) elements = elements << 8 | rest.data[k];
    if (rest.bytes < 8 || !item || elements > (rest.bytes - 8) / item)
      return sumi__fail(r->ctx, SUMI_FORMAT, "%s: storage %zu of %zu is cut short, or of a type that is not known",
                        r->name, i + 1, keys->count);
    s->at = (bytes){rest.data + 8, (size_t)elements * item};
    rest.data += 8 + s->at.bytes;
    rest.bytes -= 8 + s->at.bytes;
  }
  return SUMI_OK;
}

static sumi_status open_stream(reader *r, bytes rest) {
  sumi_status status = SUMI_OK;
  const sumi__pickle_value *values[5] = {NULL};
  const sumi__pickle_storage *named[5] = {NULL};
  size_t used, total = 0;
  for (int i = 0; i < 5; i++) {
    const size_t most = i < 3 && rest.bytes > MOST_PREAMBLE ? MOST_PREAMBLE : rest.bytes;
    SUMI_TRY(parse(r, (bytes){rest.data, most}, &used, &named[i], &values[i]));
    rest.data += used;
    rest.bytes -= used;
    total += used;
  }
  limit_walk(r, total);
  SUMI_TRY(list_keys(r, values[4]));
  find_sizes(r, named[3]);
  SUMI_TRY(place_storages(r, values[4], rest));
  SUMI_TRY(walk_all(r, values[3]));
done:
  sumi__free(r->ctx, r->storages);
  return status;
}

/* ---- Opening ---- */

static bool is_stream(const uint8_t *data, size_t count) {
  /* From protocol 4 on a frame's length stands before the number. */
  const size_t at = count > 2 && data[2] == 0x95 ? 11 : 2;
  return count > at + sizeof magic && data[0] == 0x80 && memcmp(data + at, magic, sizeof magic) == 0;
}

bool sumi__torch_begins(const uint8_t *data, size_t count) {
  return sumi__zip_begins(data, count) || is_stream(data, count);
}

sumi_status sumi__torch_open(sumi_context *ctx, const char *name, const uint8_t *data, size_t count, bool mapped,
                             sumi__torch_file *out) {
  reader r = {.ctx = ctx, .name = name, .mapped = mapped, .file = out, .copies = count};
  sumi_status status;
  *out = (sumi__torch_file){.ctx = ctx};
  sumi__arena_init(&out->arena, ctx);
  if (is_stream(data, count))
    status = open_stream(&r, (bytes){data, count});
  else
    status = open_archive(&r, (bytes){data, count});
  if (status != SUMI_OK) sumi__torch_free(out);
  return status;
}

void sumi__torch_free(sumi__torch_file *file) {
  if (!file->ctx) return;
  sumi__free(file->ctx, file->tensors);
  sumi__arena_free(&file->arena);
  *file = (sumi__torch_file){0};
}

const sumi__torch_tensor *sumi__torch_find(const sumi__torch_file *file, const char *name) {
  const sumi__torch_tensor key = {.name = name};
  return file->count ? bsearch(&key, file->tensors, file->count, sizeof key, by_name) : NULL;
}
