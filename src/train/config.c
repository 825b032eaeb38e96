#include "train/config.h"

#include "io/text.h"
#include "io/yaml.h"
#include "train/schedule.h"
#include "train/task.h"

#include <stdio.h>
#include <string.h>

/* ---- Values as text ---- */

const char *sumi__config_print(sumi__arena *arena, const sumi__key *key, const void *value) {
  char number[SUMI__NUMBER_MAX];
  switch (key->type) {
  case SUMI__KEY_BOOL: return *(const bool *)value ? "true" : "false";
  case SUMI__KEY_INT: snprintf(number, sizeof number, "%lld", (long long)*(const int64_t *)value); break;
  case SUMI__KEY_NUMBER: sumi__format_f64(number, *(const double *)value); break;
  case SUMI__KEY_CHOICE: return key->choices[*(const int *)value];
  case SUMI__KEY_TEXT: return *(const char *const *)value;
  }
  return sumi__arena_strdup(arena, number);
}

/* ---- Names ---- */

/* Levenshtein's distance over two rows; names beyond NAME_LIMIT are not compared. */
enum { NAME_LIMIT = 64 };

static int distance(const char *a, const char *b) {
  const int n = (int)strlen(a), m = (int)strlen(b);
  if (n > NAME_LIMIT || m > NAME_LIMIT) return NAME_LIMIT;
  int row[NAME_LIMIT + 1];
  for (int j = 0; j <= m; j++) row[j] = j;
  for (int i = 1; i <= n; i++) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= m; j++) {
      const int above = row[j], change = diagonal + (a[i - 1] != b[j - 1]);
      int best = above + 1 < row[j - 1] + 1 ? above + 1 : row[j - 1] + 1;
      row[j] = change < best ? change : best;
      diagonal = above;
    }
  }
  return row[m];
}

/* The distance to a key: to its whole name, or to its last part where the section was left out or is another. */
static int key_distance(const char *name, const char *key) {
  const char *name_dot = strrchr(name, '.'), *key_dot = strrchr(key, '.');
  const int whole = distance(name, key);
  const int last = distance(name_dot ? name_dot + 1 : name, key_dot ? key_dot + 1 : key) + 1;
  return last < whole ? last : whole;
}

const char *sumi__nearest_key(const char *name, const sumi__key_table *tables, size_t table_count) {
  const char *best = NULL;
  int least = 2 + (int)(strlen(name) / 3);
  for (size_t t = 0; t < table_count; t++)
    for (size_t i = 0; i < tables[t].count; i++) {
      const int d = key_distance(name, tables[t].keys[i].name);
      if (d < least) least = d, best = tables[t].keys[i].name;
    }
  return best;
}

/* ---- Reading ---- */

static sumi_status set_choice(sumi_context *ctx, const sumi__key *key, const char *where, const char *text, int *out) {
  char list[256] = "", quoted[SUMI__QUOTE_MAX];
  for (int i = 0; key->choices[i]; i++) {
    if (strcmp(key->choices[i], text) == 0) {
      *out = i;
      return SUMI_OK;
    }
    const size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", key->choices[i]);
  }
  return sumi__fail(ctx, SUMI_FORMAT, "%s: %s: expected one of %s, found %s", where, key->name, list,
                    sumi__quote(quoted, text));
}

/* Checks an entry and stores its value in the key's struct. */
static sumi_status set_value(sumi_train_config *c, const sumi__key *key, void *values, const sumi__yaml_entry *entry) {
  sumi_status status = SUMI_OK;
  void *value = (char *)values + key->offset;
  const char *text = NULL;
  SUMI_TRY(sumi__yaml_scalar(c->ctx, entry));
  switch (key->type) {
  case SUMI__KEY_BOOL: return sumi__yaml_bool(c->ctx, entry, 0, value);
  case SUMI__KEY_INT: return sumi__yaml_i64(c->ctx, entry, 0, (int64_t)key->low, (int64_t)key->high, value);
  case SUMI__KEY_NUMBER: return sumi__yaml_f64(c->ctx, entry, 0, key->low, key->high, value);
  case SUMI__KEY_CHOICE:
    SUMI_TRY(sumi__yaml_string(c->ctx, entry, 0, &text));
    return set_choice(c->ctx, key, entry->where, text, value);
  case SUMI__KEY_TEXT:
    SUMI_TRY(sumi__yaml_string(c->ctx, entry, 0, &text));
    text = sumi__arena_strdup(&c->arena, text);
    if (!text) return SUMI_NO_MEMORY;
    memcpy(value, &text, sizeof text);
    break;
  }
done:
  return status;
}

/* Defaults go the same way as what the user writes, so that they are checked too. */
static sumi_status set_defaults(sumi_train_config *c, const sumi__key_table *table, void *values) {
  for (size_t i = 0; i < table->count; i++) {
    const sumi__key *key = &table->keys[i];
    const sumi__yaml_value text = {key->default_value, false};
    const sumi__yaml_entry entry = {.key = key->name, .where = "default", .count = 1, .values = &text};
    sumi_status status = set_value(c, key, values, &entry);
    if (status != SUMI_OK) return status;
  }
  return SUMI_OK;
}

static const sumi__key *find_key(const sumi__key_table *table, const char *name) {
  for (size_t i = 0; i < table->count; i++)
    if (strcmp(table->keys[i].name, name) == 0) return &table->keys[i];
  return NULL;
}

/* As sumi__yaml_override says where its entries are from. */
#define COMMAND_LINE "command line"

/* The place of a key in the tables that have all keys, the common ones first. */
static size_t index_of(const sumi_train_config *c, const sumi__key *key) {
  const void *value;
  size_t i = 0;
  while (sumi__config_key(c, i, &value) != key) i++;
  return i;
}

static sumi_status unknown_key(sumi_train_config *c, const sumi__yaml_entry *entry) {
  const sumi__key_table tables[] = {sumi__train_keys, c->task->keys};
  char quoted[SUMI__QUOTE_MAX];
  const sumi_status code = strcmp(entry->where, COMMAND_LINE) == 0 ? SUMI_INVALID : SUMI_FORMAT;
  sumi__quote(quoted, entry->key);
  const char *near = sumi__nearest_key(entry->key, tables, 2);
  if (near) return sumi__fail(c->ctx, code, "%s: unknown key %s; did you mean `%s`?", entry->where, quoted, near);
  return sumi__fail(c->ctx, code, "%s: unknown key %s; task %s has no such key", entry->where, quoted, c->task->name);
}

static sumi_status set_all(sumi_train_config *c, const sumi__yaml *yaml) {
  sumi_status status = SUMI_OK;
  for (size_t i = 0; i < sumi__yaml_count(yaml); i++) {
    const sumi__yaml_entry *entry = sumi__yaml_at(yaml, i);
    if (strcmp(entry->key, "task") == 0) continue;
    const sumi__key *common = find_key(&sumi__train_keys, entry->key);
    const sumi__key *own = common ? NULL : find_key(&c->task->keys, entry->key);
    if (!common && !own) return unknown_key(c, entry);
    const bool from_command_line = strcmp(entry->where, COMMAND_LINE) == 0;
    status = common ? set_value(c, common, &c->values, entry) : set_value(c, own, c->task_values, entry);
    if (status == SUMI_FORMAT && from_command_line) return SUMI_INVALID;
    SUMI_TRY(status);
    const char *where = from_command_line ? "the " COMMAND_LINE : sumi__arena_strdup(&c->arena, entry->where);
    if (!where) return SUMI_NO_MEMORY;
    c->where[index_of(c, common ? common : own)] = where;
  }
done:
  return status;
}

/* How every value would be written, so that asking for one changes nothing. */
static sumi_status print_all(sumi_train_config *c) {
  const void *value = NULL;
  const sumi__key *key;
  for (size_t i = 0; (key = sumi__config_key(c, i, &value)); i++) {
    c->printed[i] = sumi__config_print(&c->arena, key, value);
    if (!c->printed[i]) return SUMI_NO_MEMORY;
  }
  return SUMI_OK;
}

static sumi_status make_tables(sumi_train_config *c) {
  const size_t keys = sumi__train_keys.count + c->task->keys.count;
  c->task_values = sumi__arena_alloc(&c->arena, c->task->values_bytes);
  c->printed = sumi__arena_alloc(&c->arena, keys * sizeof *c->printed);
  c->where = sumi__arena_alloc(&c->arena, keys * sizeof *c->where);
  if (!c->task_values || !c->printed || !c->where) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < keys; i++) c->where[i] = "the default";
  return SUMI_OK;
}

static sumi_status choose_task(sumi_train_config *c, const sumi__yaml *yaml) {
  sumi_status status = SUMI_OK;
  const sumi__yaml_entry *entry = sumi__yaml_find(yaml, "task");
  const char *name = NULL;
  char names[256] = "", quoted[SUMI__QUOTE_MAX];
  for (int i = 0; sumi__tasks[i]; i++) {
    const size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", sumi__tasks[i]->name);
  }
  SUMI_CHECK(c->ctx, entry, SUMI_FORMAT, "%s: the key `task` is missing; it is one of %s", c->path, names);
  SUMI_TRY(sumi__yaml_scalar(c->ctx, entry));
  SUMI_TRY(sumi__yaml_string(c->ctx, entry, 0, &name));
  c->task = sumi__task_find(name);
  SUMI_CHECK(c->ctx, c->task, SUMI_FORMAT, "%s: task: expected one of %s, found %s", entry->where, names,
             sumi__quote(quoted, name));
done:
  return status;
}

sumi_status sumi_train_config_load(sumi_context *ctx, const char *path, size_t override_count,
                                   const char *const *overrides, sumi_train_config **out) {
  sumi_status status = SUMI_OK;
  sumi__yaml *yaml = NULL;
  *out = NULL;
  sumi_train_config *c = sumi__alloc_zero(ctx, sizeof *c);
  if (!c) return SUMI_NO_MEMORY;
  c->ctx = ctx;
  sumi__arena_init(&c->arena, ctx);
  c->path = sumi__arena_strdup(&c->arena, path);
  SUMI_TRY(c->path ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi__yaml_read(ctx, path, &yaml));
  for (size_t i = 0; i < override_count; i++) {
    status = sumi__yaml_override(yaml, overrides[i]);
    if (status == SUMI_FORMAT) status = SUMI_INVALID; /* what is typed is an argument, not a file */
    SUMI_TRY(status);
  }
  SUMI_TRY(choose_task(c, yaml));
  SUMI_TRY(make_tables(c));
  SUMI_TRY(set_defaults(c, &sumi__train_keys, &c->values));
  SUMI_TRY(set_defaults(c, &c->task->keys, c->task_values));
  SUMI_TRY(set_all(c, yaml));
  SUMI_TRY(print_all(c));
done:
  sumi__yaml_free(yaml);
  if (status != SUMI_OK) {
    sumi_train_config_free(c);
    c = NULL;
  }
  *out = c;
  return status;
}

void sumi_train_config_free(sumi_train_config *c) {
  if (!c) return;
  sumi__arena_free(&c->arena);
  sumi__free(c->ctx, c);
}

/* ---- Asking ---- */

const sumi__key *sumi__config_key(const sumi_train_config *c, size_t i, const void **value) {
  const bool common = i < sumi__train_keys.count;
  if (!common) i -= sumi__train_keys.count;
  const sumi__key_table *table = common ? &sumi__train_keys : &c->task->keys;
  if (i >= table->count) return NULL;
  const char *values = common ? (const char *)&c->values : c->task_values;
  *value = values + table->keys[i].offset;
  return &table->keys[i];
}

const char *sumi_train_config_get(const sumi_train_config *c, const char *name) {
  const void *value = NULL;
  if (strcmp(name, "task") == 0) return c->task->name;
  for (size_t i = 0;; i++) {
    const sumi__key *key = sumi__config_key(c, i, &value);
    if (!key) return NULL;
    if (strcmp(key->name, name) == 0) return c->printed[i];
  }
}

const char *sumi__config_where(const sumi_train_config *c, const sumi__key *key) { return c->where[index_of(c, key)]; }

bool sumi__config_matters(const sumi_train_config *c, const sumi__key *key) {
  if (key->flags & SUMI__KEY_LENGTH) return c->values.schedule.name == SUMI__SCHEDULE_COSINE;
  return !(key->flags & SUMI__KEY_FREE);
}

static const char *type_text(const sumi__key *key) {
  static const char *const names[] = {"true or false", "integer", "number", "choice", "text"};
  return names[key->type];
}

bool sumi_train_key_at(const char *task_name, size_t i, sumi_train_key *out) {
  const sumi__task *task = sumi__task_find(task_name);
  if (!task) return false;
  const bool common = i < sumi__train_keys.count;
  const sumi__key_table *table = common ? &sumi__train_keys : &task->keys;
  if (!common) i -= sumi__train_keys.count;
  if (i >= table->count) return false;
  const sumi__key *key = &table->keys[i];
  *out =
      (sumi_train_key){key->name, type_text(key), key->choices, key->low, key->high, key->default_value, key->meaning};
  return true;
}

const char *sumi_train_task_at(size_t i) {
  for (size_t k = 0; sumi__tasks[k]; k++)
    if (k == i) return sumi__tasks[k]->name;
  return NULL;
}
