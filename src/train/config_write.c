#include "train/config_write.h"

#include "io/file.h"
#include "train/task.h"

#include <stdio.h>
#include <string.h>

/* Text that grows; after a failure it stays as it is. */
typedef struct text {
  sumi_context *ctx;
  char *bytes;
  size_t count, capacity;
  sumi_status status;
} text;

static void put(text *t, const char *bytes, size_t count) {
  if (t->status == SUMI_OK) t->status = sumi__grow(t->ctx, (void **)&t->bytes, &t->capacity, t->count + count, 1);
  if (t->status != SUMI_OK) return;
  memcpy(t->bytes + t->count, bytes, count);
  t->count += count;
}

static void puts_to(text *t, const char *string) { put(t, string, strlen(string)); }

/* In double quotes, as YAML 1.2 section 5.7 escapes. */
static void put_quoted(text *t, const char *string) {
  puts_to(t, "\"");
  for (; *string; string++) {
    const unsigned char c = (unsigned char)*string;
    char escaped[8];
    if (c == '"' || c == '\\')
      put(t, (char[]){'\\', (char)c}, 2);
    else if (c < 0x20 || c == 0x7f)
      put(t, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\x%02x", c));
    else
      put(t, string, 1);
  }
  puts_to(t, "\"");
}

static void put_key(text *t, sumi__arena *arena, const sumi__key *key, const void *value, const char *last_section) {
  const char *dot = strchr(key->name, '.');
  const size_t section = (size_t)(dot - key->name);
  if (!last_section || strncmp(last_section, key->name, section + 1) != 0) {
    put(t, key->name, section);
    puts_to(t, ":\n");
  }
  puts_to(t, "  ");
  puts_to(t, dot + 1);
  puts_to(t, ": ");
  const char *printed = sumi__config_print(arena, key, value);
  if (!printed)
    t->status = SUMI_NO_MEMORY;
  else if (key->type == SUMI__KEY_TEXT)
    put_quoted(t, printed);
  else
    puts_to(t, printed);
  puts_to(t, "\n");
}

sumi_status sumi__config_save(const sumi_train_config *config, const char *path) {
  text t = {.ctx = config->ctx};
  sumi__arena arena;
  const char *section = NULL;
  const void *value;
  sumi__arena_init(&arena, config->ctx);
  puts_to(&t, "task: ");
  puts_to(&t, config->task->name);
  puts_to(&t, "\n");
  for (size_t i = 0;; i++) {
    const sumi__key *key = sumi__config_key(config, i, &value);
    if (!key) break;
    put_key(&t, &arena, key, value, section);
    section = key->name;
  }
  if (t.status == SUMI_OK) t.status = sumi__file_write(config->ctx, path, t.bytes, t.count);
  sumi__arena_free(&arena);
  sumi__free(config->ctx, t.bytes);
  return t.status;
}
