/* Parsing: libyaml's events, flattened as they come. yaml_values.c gives the values their types. */
#include "io/yaml.h"

#include "io/file.h"
#include "io/text.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* Keys are compared with all those before them, so their number is bounded and not only the file's size. */
enum { LIMIT_BYTES = 1 << 20, MAX_DEPTH = 16, MAX_KEYS = 4096, MAX_KEY = 256 };

typedef struct entries {
  sumi__yaml_entry *items;
  size_t count, capacity;
} entries;

struct sumi__yaml {
  sumi_context *ctx;
  char *name;
  sumi__arena arena; /* keys, values, places */
  entries all;
};

/* One text on its way into a list of entries. */
typedef struct parse {
  sumi__yaml *yaml;
  entries *into;
  const char *place; /* what stands for file and line, or NULL: the file's name and the event's line */
  yaml_parser_t parser;
  char key[MAX_KEY + 1]; /* the dotted key that is being read */
} parse;

static void where(const parse *p, size_t line, char *out, size_t room) {
  if (p->place)
    snprintf(out, room, "%s", p->place);
  else
    snprintf(out, room, "%s:%zu", p->yaml->name, line + 1);
}

/* Fails with the place, the present key if there is one, and the sentence. */
static sumi_status refuse(const parse *p, size_t line, const char *sentence) {
  char place[512], shown[SUMI__QUOTE_MAX];
  where(p, line, place, sizeof place);
  if (!p->key[0]) return sumi__fail(p->yaml->ctx, SUMI_FORMAT, "%s: %s", place, sentence);
  return sumi__fail(p->yaml->ctx, SUMI_FORMAT, "%s: %s: %s", place, sumi__quote(shown, p->key), sentence);
}

/* The next event, to be deleted by the caller; anchors, tags and aliases never get past here. */
static sumi_status next_event(parse *p, yaml_event_t *event) {
  if (!yaml_parser_parse(&p->parser, event)) {
    memset(event, 0, sizeof *event);
    if (p->parser.error == YAML_MEMORY_ERROR)
      return sumi__fail(p->yaml->ctx, SUMI_NO_MEMORY, "%s: out of memory", p->yaml->name);
    char place[512];
    where(p, p->parser.problem_mark.line, place, sizeof place);
    return sumi__fail(p->yaml->ctx, SUMI_FORMAT, "%s: is not valid YAML: %s%s%s", place,
                      p->parser.context ? p->parser.context : "", p->parser.context ? ", " : "",
                      p->parser.problem ? p->parser.problem : "unreadable");
  }
  const yaml_char_t *anchor = NULL, *tag = NULL;
  switch (event->type) {
  case YAML_SCALAR_EVENT:
    anchor = event->data.scalar.anchor;
    tag = event->data.scalar.tag;
    break;
  case YAML_SEQUENCE_START_EVENT:
    anchor = event->data.sequence_start.anchor;
    tag = event->data.sequence_start.tag;
    break;
  case YAML_MAPPING_START_EVENT:
    anchor = event->data.mapping_start.anchor;
    tag = event->data.mapping_start.tag;
    break;
  case YAML_ALIAS_EVENT: anchor = event->data.alias.anchor; break;
  default: break;
  }
  if (!anchor && !tag) return SUMI_OK;
  const sumi_status status = refuse(p, event->start_mark.line,
                                    anchor ? "anchors and aliases are not allowed here" : "tags are not allowed here");
  yaml_event_delete(event);
  memset(event, 0, sizeof *event);
  return status;
}

static sumi__yaml_entry *find_in(const entries *list, const char *key) {
  for (size_t i = 0; i < list->count; i++)
    if (!strcmp(list->items[i].key, key)) return &list->items[i];
  return NULL;
}

static sumi_status copy_value(parse *p, const yaml_event_t *event, sumi__yaml_value *out) {
  const char *text = (const char *)event->data.scalar.value;
  if (strlen(text) != event->data.scalar.length)
    return refuse(p, event->start_mark.line, "a zero character cannot be part of a value");
  out->text = sumi__arena_strdup(&p->yaml->arena, text);
  out->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  return out->text ? SUMI_OK : SUMI_NO_MEMORY;
}

/* Adds the present key with its values, which are in the arena. */
static sumi_status add_entry(parse *p, size_t line, bool is_list, const sumi__yaml_value *values, size_t count) {
  sumi_context *ctx = p->yaml->ctx;
  const sumi__yaml_entry *old = find_in(p->into, p->key);
  if (old) {
    char sentence[600];
    snprintf(sentence, sizeof sentence, "is given twice, first at %s", old->where);
    return refuse(p, line, sentence);
  }
  if (p->into->count >= MAX_KEYS) return refuse(p, line, "there are more than 4096 keys");
  char place[512];
  where(p, line, place, sizeof place);
  const sumi__yaml_entry entry = {sumi__arena_strdup(&p->yaml->arena, p->key),
                                  sumi__arena_strdup(&p->yaml->arena, place), is_list, count, values};
  if (!entry.key || !entry.where) return SUMI_NO_MEMORY;
  const sumi_status status =
      sumi__grow(ctx, (void **)&p->into->items, &p->into->capacity, p->into->count + 1, sizeof entry);
  if (status == SUMI_OK) p->into->items[p->into->count++] = entry;
  return status;
}

static sumi_status read_list(parse *p, size_t line) {
  sumi_context *ctx = p->yaml->ctx;
  sumi__yaml_value *values = NULL;
  size_t count = 0, capacity = 0;
  sumi_status status = SUMI_OK;
  yaml_event_t event = {0};
  for (;;) {
    SUMI_TRY(next_event(p, &event));
    if (event.type == YAML_SEQUENCE_END_EVENT) break;
    if (event.type != YAML_SCALAR_EVENT) {
      status = refuse(p, event.start_mark.line, "a list holds only single values, not lists or mappings");
      goto done;
    }
    SUMI_TRY(sumi__grow(ctx, (void **)&values, &capacity, count + 1, sizeof *values));
    SUMI_TRY(copy_value(p, &event, &values[count]));
    count++;
    yaml_event_delete(&event);
    memset(&event, 0, sizeof event);
  }
  const sumi__yaml_value *kept = sumi__arena_copy(&p->yaml->arena, values, count * sizeof *values);
  status = kept ? add_entry(p, line, true, kept, count) : SUMI_NO_MEMORY;
done:
  yaml_event_delete(&event);
  sumi__free(ctx, values);
  return status;
}

static sumi_status read_scalar(parse *p, const yaml_event_t *event) {
  sumi__yaml_value *value = sumi__arena_alloc(&p->yaml->arena, sizeof *value);
  if (!value) return SUMI_NO_MEMORY;
  const sumi_status status = copy_value(p, event, value);
  return status == SUMI_OK ? add_entry(p, event->start_mark.line, false, value, 1) : status;
}

/* Extends the dotted key by a mapping's key; *before is where to cut it again. */
static sumi_status push_key(parse *p, const yaml_event_t *event, size_t *before) {
  *before = strlen(p->key);
  if (event->type != YAML_SCALAR_EVENT) return refuse(p, event->start_mark.line, "a key must be a single word");
  const char *word = (const char *)event->data.scalar.value;
  const size_t n = event->data.scalar.length;
  if (n == 0) return refuse(p, event->start_mark.line, "a key is empty");
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)word[i] <= ' ' || word[i] == 0x7f)
      return refuse(p, event->start_mark.line, "a key contains a space or a control character");
  if (*before + 1 + n > MAX_KEY) return refuse(p, event->start_mark.line, "a key is longer than 256 characters");
  snprintf(p->key + *before, sizeof p->key - *before, "%s%s", *before ? "." : "", word);
  return SUMI_OK;
}

static sumi_status read_node(parse *p, const yaml_event_t *first, int depth);

static sumi_status read_mapping(parse *p, int depth) {
  sumi_status status = SUMI_OK;
  yaml_event_t key = {0}, value = {0};
  for (;;) {
    size_t before = 0;
    SUMI_TRY(next_event(p, &key));
    if (key.type == YAML_MAPPING_END_EVENT) break;
    SUMI_TRY(push_key(p, &key, &before));
    SUMI_TRY(next_event(p, &value));
    SUMI_TRY(read_node(p, &value, depth + 1));
    p->key[before] = 0;
    yaml_event_delete(&key);
    yaml_event_delete(&value);
    memset(&key, 0, sizeof key);
    memset(&value, 0, sizeof value);
  }
done:
  yaml_event_delete(&key);
  yaml_event_delete(&value);
  return status;
}

/* Reads the node that begins with the event, under the present key. */
static sumi_status read_node(parse *p, const yaml_event_t *first, int depth) {
  if (depth > MAX_DEPTH) return refuse(p, first->start_mark.line, "is nested deeper than 16 levels");
  switch (first->type) {
  case YAML_SCALAR_EVENT: return read_scalar(p, first);
  case YAML_SEQUENCE_START_EVENT: return read_list(p, first->start_mark.line);
  default: return read_mapping(p, depth);
  }
}

/* The outermost node of a file is a mapping, or nothing; that of an override may be anything. */
static sumi_status read_document(parse *p, bool *found) {
  sumi_status status = SUMI_OK;
  yaml_event_t event = {0};
  *found = false;
  for (;;) {
    SUMI_TRY(next_event(p, &event));
    const yaml_event_type_t type = event.type;
    if (type == YAML_STREAM_END_EVENT) break;
    if (type == YAML_DOCUMENT_START_EVENT && *found) {
      status = refuse(p, event.start_mark.line, "a second document begins here, one was expected");
      goto done;
    }
    if (type == YAML_SCALAR_EVENT && !p->key[0] && event.data.scalar.length) {
      status = refuse(p, event.start_mark.line, "expected lines of `key: value`");
      goto done;
    }
    if (type == YAML_SEQUENCE_START_EVENT && !p->key[0]) {
      status = refuse(p, event.start_mark.line, "expected lines of `key: value`, found a list");
      goto done;
    }
    if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT ||
        (type == YAML_SCALAR_EVENT && p->key[0])) {
      SUMI_TRY(read_node(p, &event, 1));
    }
    if (type == YAML_DOCUMENT_END_EVENT) *found = true;
    yaml_event_delete(&event);
    memset(&event, 0, sizeof event);
  }
done:
  yaml_event_delete(&event);
  return status;
}

static sumi_status read_text(parse *p, const char *text, size_t bytes, bool *found) {
  sumi_context *ctx = p->yaml->ctx;
  if (bytes > LIMIT_BYTES)
    return sumi__fail(ctx, SUMI_FORMAT, "%s: has %zu bytes, at most %d were expected", p->yaml->name, bytes,
                      (int)LIMIT_BYTES);
  if (!yaml_parser_initialize(&p->parser)) return sumi__fail(ctx, SUMI_NO_MEMORY, "%s: out of memory", p->yaml->name);
  yaml_parser_set_encoding(&p->parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&p->parser, (const unsigned char *)text, bytes);
  const sumi_status status = read_document(p, found);
  yaml_parser_delete(&p->parser);
  return status;
}

sumi_status sumi__yaml_parse(sumi_context *ctx, const char *name, const char *text, size_t bytes, sumi__yaml **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi__yaml *yaml = sumi__alloc_zero(ctx, sizeof *yaml);
  if (!yaml) return SUMI_NO_MEMORY;
  yaml->ctx = ctx;
  sumi__arena_init(&yaml->arena, ctx);
  yaml->name = sumi__arena_strdup(&yaml->arena, name);
  if (!yaml->name) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  parse p = {.yaml = yaml, .into = &yaml->all};
  bool found;
  SUMI_TRY(read_text(&p, text, bytes, &found));
  *out = yaml;
  yaml = NULL;
done:
  sumi__yaml_free(yaml);
  return status;
}

sumi_status sumi__yaml_read(sumi_context *ctx, const char *path, sumi__yaml **out) {
  uint8_t *text = NULL;
  size_t bytes = 0;
  *out = NULL;
  sumi_status status = sumi__file_read(ctx, path, LIMIT_BYTES, &text, &bytes);
  if (status == SUMI_OK) status = sumi__yaml_parse(ctx, path, (const char *)text, bytes, out);
  sumi__free(ctx, text);
  return status;
}

void sumi__yaml_free(sumi__yaml *yaml) {
  if (!yaml) return;
  sumi_context *ctx = yaml->ctx;
  sumi__free(ctx, yaml->all.items);
  sumi__arena_free(&yaml->arena);
  sumi__free(ctx, yaml);
}

/* ---- The command line ----------------------------------------------------------------------------------------- */

static sumi_status split_assignment(sumi__yaml *yaml, const char *assignment, char *key, const char **value) {
  sumi_status status = SUMI_OK;
  char shown[SUMI__QUOTE_MAX];
  const char *equals = strchr(assignment, '=');
  sumi__quote(shown, assignment);
  SUMI_CHECK(yaml->ctx, equals, SUMI_INVALID, "command line: %s: expected key=value", shown);
  const size_t n = (size_t)(equals - assignment);
  SUMI_CHECK(yaml->ctx, n >= 1 && n <= MAX_KEY, SUMI_INVALID, "command line: %s: the key is empty or too long", shown);
  for (size_t i = 0; i < n; i++)
    SUMI_CHECK(yaml->ctx, (unsigned char)assignment[i] > ' ' && assignment[i] != 0x7f, SUMI_INVALID,
               "command line: %s: the key contains a space or a control character", shown);
  memcpy(key, assignment, n);
  key[n] = 0;
  *value = equals + 1;
done:
  return status;
}

/* Moves the new entries over, each replacing what its key had. */
static sumi_status take_over(sumi__yaml *yaml, const entries *fresh) {
  entries *all = &yaml->all;
  const sumi_status status =
      sumi__grow(yaml->ctx, (void **)&all->items, &all->capacity, all->count + fresh->count, sizeof *all->items);
  if (status != SUMI_OK) return status;
  for (size_t i = 0; i < fresh->count; i++) {
    sumi__yaml_entry *old = find_in(all, fresh->items[i].key);
    if (old)
      *old = fresh->items[i];
    else
      all->items[all->count++] = fresh->items[i];
  }
  return SUMI_OK;
}

sumi_status sumi__yaml_override(sumi__yaml *yaml, const char *assignment) {
  sumi_status status = SUMI_OK;
  entries fresh = {0};
  parse p = {.yaml = yaml, .into = &fresh, .place = "command line"};
  const char *value = NULL;
  bool found = false;
  SUMI_TRY(split_assignment(yaml, assignment, p.key, &value));
  SUMI_TRY(read_text(&p, value, strlen(value), &found));
  if (!found) { /* nothing after the '=', or a comment: null */
    static const sumi__yaml_value null_value = {"", false};
    SUMI_TRY(add_entry(&p, 0, false, &null_value, 1));
  }
  SUMI_TRY(take_over(yaml, &fresh));
done:
  sumi__free(yaml->ctx, fresh.items);
  return status;
}

size_t sumi__yaml_count(const sumi__yaml *yaml) { return yaml->all.count; }

const sumi__yaml_entry *sumi__yaml_at(const sumi__yaml *yaml, size_t i) {
  return i < yaml->all.count ? &yaml->all.items[i] : NULL;
}

const sumi__yaml_entry *sumi__yaml_find(const sumi__yaml *yaml, const char *key) { return find_in(&yaml->all, key); }
