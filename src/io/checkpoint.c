#include "io/checkpoint.h"

#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/text.h"
#include "io/torch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARDS = 1024, PATH_BYTES = 4096 };

typedef struct entry {
  const char *name;
  size_t shard;
} entry;

struct sumi__checkpoint {
  sumi__tensor_source source;
  sumi_context *ctx;
  char *path;
  const char *kind;
  /* One of these three. */
  sumi_safetensors *safetensors;
  sumi__torch_file torch;
  sumi__mapping map; /* of `torch` */
  sumi__checkpoint **shards;
  size_t shard_count;
  entry *entries; /* of shards, by name; the names are the index's */
  size_t entry_count;
  sumi__json *index;
};

/* ---- Finding ---- */

static int by_name(const void *a, const void *b) { return strcmp(((const entry *)a)->name, ((const entry *)b)->name); }

static bool find(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  const sumi__checkpoint *c = (const sumi__checkpoint *)(const void *)source;
  if (c->safetensors) {
    const sumi__tensor_source *inner = sumi__safetensors_source(c->safetensors);
    return inner->find(inner, name, out);
  }
  if (c->shards) {
    const entry key = {.name = name};
    const entry *e = c->entry_count ? bsearch(&key, c->entries, c->entry_count, sizeof key, by_name) : NULL;
    return e && find(&c->shards[e->shard]->source, name, out);
  }
  const sumi__torch_tensor *t = sumi__torch_find(&c->torch, name);
  if (t) *out = t->view;
  return t != NULL;
}

size_t sumi__checkpoint_count(const sumi__checkpoint *c) {
  if (c->safetensors) return sumi_safetensors_count(c->safetensors);
  return c->shards ? c->entry_count : c->torch.count;
}

bool sumi__checkpoint_at(const sumi__checkpoint *c, size_t i, const char **name, sumi__tensor_view *view) {
  if (i >= sumi__checkpoint_count(c)) return false;
  *name = c->safetensors ? sumi_safetensors_tensor_at(c->safetensors, i)->name
          : c->shards    ? c->entries[i].name
                         : c->torch.tensors[i].name;
  return find(&c->source, *name, view);
}

const char *sumi__checkpoint_kind(const sumi__checkpoint *c) { return c->kind; }
const sumi_safetensors *sumi__checkpoint_safetensors(const sumi__checkpoint *c) { return c->safetensors; }
const sumi__tensor_source *sumi__checkpoint_source(const sumi__checkpoint *c) { return &c->source; }

bool sumi__checkpoint_is_at(const sumi__checkpoint *c, const char *path) {
  if (sumi__same_file(c->path, path)) return true;
  for (size_t i = 0; i < c->shard_count; i++)
    if (sumi__checkpoint_is_at(c->shards[i], path)) return true;
  return false;
}

/* ---- Shards ---- */

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

/* The shard of that name beside the index: opened if it is not yet. */
static sumi_status want_shard(sumi__checkpoint *c, const char **names, const char *name, size_t *out) {
  char path[PATH_BYTES], shown[SUMI__QUOTE_MAX];
  for (*out = 0; *out < c->shard_count; ++*out)
    if (strcmp(names[*out], name) == 0) return SUMI_OK;
  const char *slash = strrchr(c->path, '/');
  const int n = snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash + 1 - c->path) : 0, c->path, name);
  const bool plain = *name && !strchr(name, '/') && name[0] != '.' && !ends_with(name, ".index.json");
  if (!plain || n < 0 || (size_t)n >= sizeof path || c->shard_count == MOST_SHARDS)
    return sumi__fail(c->ctx, SUMI_FORMAT, "%s: %s is no name of a file beside it (at most %d)", c->path,
                      sumi__quote(shown, name), (int)MOST_SHARDS);
  names[c->shard_count] = name;
  return sumi__checkpoint_open(c->ctx, path, &c->shards[c->shard_count++]);
}

static sumi_status read_index(sumi__checkpoint *c) {
  sumi_status status = SUMI_OK;
  const sumi__json_node *map = NULL, *value;
  const char *name, **names = sumi__alloc_array(c->ctx, MOST_SHARDS, sizeof *names);
  void *cursor = NULL;
  c->kind = "sharded";
  c->shards = sumi__alloc_array(c->ctx, MOST_SHARDS, sizeof *c->shards);
  SUMI_TRY(names && c->shards ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi__json_read(c->ctx, c->path, &c->index));
  SUMI_TRY(sumi__json_get_object(c->index, sumi__json_root(c->index), "weight_map", SUMI__JSON_REQUIRED, &map));
  c->entries = sumi__alloc_array(c->ctx, sumi__json_count(map), sizeof *c->entries);
  SUMI_TRY(c->entries ? SUMI_OK : SUMI_NO_MEMORY);
  while (sumi__json_next(map, &cursor, &name, &value)) {
    char shown[SUMI__QUOTE_MAX];
    sumi__tensor_view view;
    entry *e = &c->entries[c->entry_count];
    SUMI_CHECK(c->ctx, sumi__json_kind_of(value) == SUMI__JSON_STRING, SUMI_FORMAT,
               "%s: `weight_map`: %s: expected the name of a file", c->path, sumi__quote(shown, name));
    SUMI_TRY(want_shard(c, names, sumi__json_string_of(value), &e->shard));
    SUMI_CHECK(c->ctx, find(&c->shards[e->shard]->source, name, &view), SUMI_MISMATCH,
               "%s: tensor %s is not in the file that the index says", c->path, sumi__quote(shown, name));
    e->name = name;
    c->entry_count++;
  }
  qsort(c->entries, c->entry_count, sizeof *c->entries, by_name);
done:
  sumi__free(c->ctx, names);
  return status;
}

/* ---- Opening ---- */

static sumi_status open_content(sumi__checkpoint *c) {
  if (ends_with(c->path, ".index.json")) return read_index(c);
  sumi_status status = sumi__file_map(c->ctx, c->path, &c->map);
  if (status != SUMI_OK) return status;
  if (sumi__torch_begins(c->map.data, c->map.bytes)) {
    c->kind = "PyTorch";
    return sumi__torch_open(c->ctx, c->path, c->map.data, c->map.bytes, true, &c->torch);
  }
  /* A safetensors file may be damaged in many ways, of which its reader tells; but it has a header. */
  const bool has_header = c->map.bytes > 8 && c->map.data[8] == '{';
  sumi__file_unmap(&c->map);
  if (!has_header && !ends_with(c->path, ".safetensors"))
    return sumi__fail(c->ctx, SUMI_FORMAT, "%s: this is neither a safetensors file nor one that torch.save wrote",
                      c->path);
  c->kind = "safetensors";
  return sumi_safetensors_open(c->ctx, c->path, &c->safetensors);
}

sumi_status sumi__checkpoint_open(sumi_context *ctx, const char *path, sumi__checkpoint **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi__checkpoint *c = sumi__alloc_zero(ctx, sizeof *c);
  if (!c) return SUMI_NO_MEMORY;
  c->ctx = ctx;
  c->path = sumi__strdup(ctx, path);
  SUMI_TRY(c->path ? SUMI_OK : SUMI_NO_MEMORY);
  c->source = (sumi__tensor_source){c->path, find};
  SUMI_TRY(open_content(c));
  *out = c;
  c = NULL;
done:
  sumi__checkpoint_close(c);
  return status;
}

void sumi__checkpoint_close(sumi__checkpoint *c) {
  if (!c) return;
  for (size_t i = 0; i < c->shard_count; i++) sumi__checkpoint_close(c->shards[i]);
  sumi_safetensors_close(c->safetensors);
  sumi__torch_free(&c->torch);
  sumi__file_unmap(&c->map);
  sumi__json_free(c->index);
  sumi__free(c->ctx, c->shards);
  sumi__free(c->ctx, c->entries);
  sumi__free(c->ctx, c->path);
  sumi__free(c->ctx, c);
}
