#include "io/json.h"

#include "io/file.h"
#include "io/text.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct sumi__json {
  sumi_context *ctx;
  char *name;
  json_t *root;
};

const sumi__json_limits sumi__json_config_limits = {16 << 20, 32, 1000000};

/* A node is jansson's value under another name, so that its header stays out of ours. */
static const json_t *inside(const sumi__json_node *node) { return (const json_t *)node; }
static const sumi__json_node *outside(const json_t *value) { return (const sumi__json_node *)value; }

/* jansson's parser calls itself for each level and spends up to a hundred bytes on two of the text, so the text is
 * measured before it is parsed. Only strings can hold brackets that do not count; whether they and all else are well
 * formed is jansson's business. */
static sumi_status measure(sumi_context *ctx, const char *name, const char *text, size_t bytes,
                           const sumi__json_limits *limits) {
  if (bytes > limits->bytes)
    return sumi__fail(ctx, SUMI_FORMAT, "%s: has %zu bytes of JSON, at most %zu were expected", name, bytes,
                      limits->bytes);
  size_t values = 0;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < bytes; i++) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') depth++;
    if (c == ']' || c == '}') depth--;
    if (c == '[' || c == '{' || c == ',') values++;
    if (depth > limits->depth)
      return sumi__fail(ctx, SUMI_FORMAT, "%s: is nested deeper than the %d levels expected at most", name,
                        limits->depth);
    if (values > limits->values)
      return sumi__fail(ctx, SUMI_FORMAT, "%s: has more than the %zu values expected at most", name, limits->values);
  }
  return SUMI_OK;
}

sumi_status sumi__json_parse(sumi_context *ctx, const char *name, const char *text, size_t bytes,
                             const sumi__json_limits *limits, sumi__json **out) {
  *out = NULL;
  sumi_status status = measure(ctx, name, text, bytes, limits);
  if (status != SUMI_OK) return status;
  sumi__json *json = sumi__alloc_zero(ctx, sizeof *json);
  if (!json) return SUMI_NO_MEMORY;
  json->ctx = ctx;
  json->name = sumi__strdup(ctx, name);
  if (!json->name) {
    status = SUMI_NO_MEMORY;
    goto done;
  }
  json_error_t error;
  json->root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
  if (!json->root) {
    char shown[SUMI__QUOTE_MAX];
    const bool memory = json_error_code(&error) == json_error_out_of_memory;
    sumi__quote(shown, error.text);
    status = sumi__fail(ctx, memory ? SUMI_NO_MEMORY : SUMI_FORMAT, "%s:%d:%d: is not valid JSON: %.*s", name,
                        error.line, error.column, (int)strlen(shown) - 2, shown + 1);
    goto done;
  }
  *out = json;
  json = NULL;
done:
  sumi__json_free(json);
  return status;
}

sumi_status sumi__json_read(sumi_context *ctx, const char *path, sumi__json **out) {
  uint8_t *text = NULL;
  size_t bytes = 0;
  *out = NULL;
  sumi_status status = sumi__file_read(ctx, path, sumi__json_config_limits.bytes, &text, &bytes);
  if (status == SUMI_OK)
    status = sumi__json_parse(ctx, path, (const char *)text, bytes, &sumi__json_config_limits, out);
  sumi__free(ctx, text);
  return status;
}

void sumi__json_free(sumi__json *json) {
  if (!json) return;
  json_decref(json->root);
  sumi__free(json->ctx, json->name);
  sumi__free(json->ctx, json);
}

/* ---- Looking -------------------------------------------------------------------------------------------------- */

const sumi__json_node *sumi__json_root(const sumi__json *json) { return outside(json->root); }

sumi__json_kind sumi__json_kind_of(const sumi__json_node *node) {
  switch (json_typeof(inside(node))) {
  case JSON_TRUE:
  case JSON_FALSE: return SUMI__JSON_BOOL;
  case JSON_INTEGER: return SUMI__JSON_INTEGER;
  case JSON_REAL: return SUMI__JSON_REAL;
  case JSON_STRING: return SUMI__JSON_STRING;
  case JSON_ARRAY: return SUMI__JSON_ARRAY;
  case JSON_OBJECT: return SUMI__JSON_OBJECT;
  case JSON_NULL: break;
  }
  return SUMI__JSON_NULL;
}

size_t sumi__json_count(const sumi__json_node *node) {
  return json_is_object(inside(node)) ? json_object_size(inside(node)) : json_array_size(inside(node));
}

const sumi__json_node *sumi__json_find(const sumi__json_node *object, const char *key) {
  return outside(json_object_get(inside(object), key));
}

const sumi__json_node *sumi__json_item(const sumi__json_node *array, size_t i) {
  return outside(json_array_get(inside(array), i));
}

bool sumi__json_next(const sumi__json_node *object, void **cursor, const char **key, const sumi__json_node **value) {
  json_t *o = (json_t *)(uintptr_t)inside(object); /* jansson's iterators lack a const; they only read */
  *cursor = *cursor ? json_object_iter_next(o, *cursor) : json_object_iter(o);
  if (!*cursor) return false;
  *key = json_object_iter_key(*cursor);
  *value = outside(json_object_iter_value(*cursor));
  return true;
}

int64_t sumi__json_integer_of(const sumi__json_node *node) { return json_integer_value(inside(node)); }
double sumi__json_number_of(const sumi__json_node *node) { return json_number_value(inside(node)); }
const char *sumi__json_string_of(const sumi__json_node *node) { return json_string_value(inside(node)); }

/* ---- Errors that name the place --------------------------------------------------------------------------------- */

enum { PATH_MAX_BYTES = 160 };

/* Writes the way from `from` to the container `to`, such as `unet.blocks[2]`, and returns true if it is there. Only
 * failures pay for the search; nodes need not know their parents. Containers occur once, so the way is unique. */
static bool find_path(const json_t *from, const json_t *to, char *out, size_t room) {
  if (from == to) {
    *out = 0;
    return true;
  }
  const char *key;
  json_t *value;
  size_t i;
  char step[PATH_MAX_BYTES], rest[PATH_MAX_BYTES];
  if (json_is_object(from)) {
    json_object_foreach((json_t *)(uintptr_t)from, key, value) {
      if (!find_path(value, to, rest, sizeof rest)) continue;
      const bool dot = *rest && *rest != '[';
      snprintf(step, sizeof step, "%s%s%s", key, dot ? "." : "", rest);
      snprintf(out, room, "%s", step);
      return true;
    }
  } else if (json_is_array(from)) {
    json_array_foreach(from, i, value) {
      if (!find_path(value, to, rest, sizeof rest)) continue;
      const bool dot = *rest && *rest != '[';
      snprintf(step, sizeof step, "[%zu]%s%s", i, dot ? "." : "", rest);
      snprintf(out, room, "%s", step);
      return true;
    }
  }
  return false;
}

/* The name of a member (key) or item (key NULL) of a container, quoted. */
static char *name_place(const sumi__json *json, const sumi__json_node *container, const char *key, size_t i,
                        char out[SUMI__QUOTE_MAX]) {
  char path[PATH_MAX_BYTES] = "", place[2 * PATH_MAX_BYTES];
  find_path(json->root, inside(container), path, sizeof path);
  if (key)
    snprintf(place, sizeof place, "%s%s%s", path, *path ? "." : "", key);
  else
    snprintf(place, sizeof place, "%s[%zu]", path, i);
  return sumi__quote(out, place);
}

static const char *describe(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT: return "an object";
  case JSON_ARRAY: return "a list";
  case JSON_STRING: return "a string";
  case JSON_INTEGER: return "an integer";
  case JSON_REAL: return "a fractional number";
  case JSON_TRUE: return "true";
  case JSON_FALSE: return "false";
  case JSON_NULL: break;
  }
  return "null";
}

/* Fetches a member (key) or item (key NULL) for a typed getter: *value is NULL where an optional one is absent. */
static sumi_status fetch(const sumi__json *json, const sumi__json_node *container, const char *key, size_t i,
                         sumi__json_need need, const json_t **value) {
  char place[SUMI__QUOTE_MAX];
  *value = key ? json_object_get(inside(container), key) : json_array_get(inside(container), i);
  if (need == SUMI__JSON_OPTIONAL && (!*value || json_is_null(*value))) {
    *value = NULL;
    return SUMI_OK;
  }
  if (*value) return SUMI_OK;
  return sumi__fail(json->ctx, SUMI_FORMAT, "%s: %s is missing", json->name,
                    name_place(json, container, key, i, place));
}

static sumi_status wrong(const sumi__json *json, const sumi__json_node *container, const char *key, size_t i,
                         const char *expected, const json_t *found) {
  char place[SUMI__QUOTE_MAX];
  name_place(json, container, key, i, place);
  if (json_is_integer(found))
    return sumi__fail(json->ctx, SUMI_FORMAT, "%s: %s: expected %s, found %lld", json->name, place, expected,
                      (long long)json_integer_value(found));
  return sumi__fail(json->ctx, SUMI_FORMAT, "%s: %s: expected %s, found %s", json->name, place, expected,
                    describe(found));
}

/* ---- Typed getters ---------------------------------------------------------------------------------------------- */

static sumi_status as_i64(const sumi__json *json, const sumi__json_node *container, const char *key, size_t i,
                          sumi__json_need need, int64_t low, int64_t high, int64_t *out) {
  const json_t *value;
  const sumi_status status = fetch(json, container, key, i, need, &value);
  if (status != SUMI_OK || !value) return status;
  if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high) {
    char expected[96];
    if (high < INT64_MAX)
      snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)low, (long long)high);
    else
      snprintf(expected, sizeof expected, "an integer of %lld or more", (long long)low);
    return wrong(json, container, key, i, low == INT64_MIN ? "an integer" : expected, value);
  }
  *out = json_integer_value(value);
  return SUMI_OK;
}

static sumi_status as_f64(const sumi__json *json, const sumi__json_node *container, const char *key, size_t i,
                          sumi__json_need need, double *out) {
  const json_t *value;
  const sumi_status status = fetch(json, container, key, i, need, &value);
  if (status != SUMI_OK || !value) return status;
  if (!json_is_number(value)) return wrong(json, container, key, i, "a number", value);
  *out = json_number_value(value);
  return SUMI_OK;
}

static sumi_status as_string(const sumi__json *json, const sumi__json_node *container, const char *key, size_t i,
                             sumi__json_need need, const char **out) {
  const json_t *value;
  const sumi_status status = fetch(json, container, key, i, need, &value);
  if (status != SUMI_OK || !value) return status;
  if (!json_is_string(value)) return wrong(json, container, key, i, "a string", value);
  *out = json_string_value(value);
  return SUMI_OK;
}

static sumi_status as_container(const sumi__json *json, const sumi__json_node *container, const char *key, size_t i,
                                sumi__json_need need, json_type type, const sumi__json_node **out) {
  const json_t *value;
  const sumi_status status = fetch(json, container, key, i, need, &value);
  if (status != SUMI_OK || !value) return status;
  if (json_typeof(value) != type)
    return wrong(json, container, key, i, type == JSON_OBJECT ? "an object" : "a list", value);
  *out = outside(value);
  return SUMI_OK;
}

sumi_status sumi__json_get_i64(const sumi__json *json, const sumi__json_node *object, const char *key,
                               sumi__json_need need, int64_t low, int64_t high, int64_t *out) {
  return as_i64(json, object, key, 0, need, low, high, out);
}

sumi_status sumi__json_get_f64(const sumi__json *json, const sumi__json_node *object, const char *key,
                               sumi__json_need need, double *out) {
  return as_f64(json, object, key, 0, need, out);
}

sumi_status sumi__json_get_bool(const sumi__json *json, const sumi__json_node *object, const char *key,
                                sumi__json_need need, bool *out) {
  const json_t *value;
  const sumi_status status = fetch(json, object, key, 0, need, &value);
  if (status != SUMI_OK || !value) return status;
  if (!json_is_boolean(value)) return wrong(json, object, key, 0, "true or false", value);
  *out = json_is_true(value);
  return SUMI_OK;
}

sumi_status sumi__json_get_string(const sumi__json *json, const sumi__json_node *object, const char *key,
                                  sumi__json_need need, const char **out) {
  return as_string(json, object, key, 0, need, out);
}

sumi_status sumi__json_get_array(const sumi__json *json, const sumi__json_node *object, const char *key,
                                 sumi__json_need need, const sumi__json_node **out) {
  return as_container(json, object, key, 0, need, JSON_ARRAY, out);
}

sumi_status sumi__json_get_object(const sumi__json *json, const sumi__json_node *object, const char *key,
                                  sumi__json_need need, const sumi__json_node **out) {
  return as_container(json, object, key, 0, need, JSON_OBJECT, out);
}

sumi_status sumi__json_item_i64(const sumi__json *json, const sumi__json_node *array, size_t i, int64_t low,
                                int64_t high, int64_t *out) {
  return as_i64(json, array, NULL, i, SUMI__JSON_REQUIRED, low, high, out);
}

sumi_status sumi__json_item_f64(const sumi__json *json, const sumi__json_node *array, size_t i, double *out) {
  return as_f64(json, array, NULL, i, SUMI__JSON_REQUIRED, out);
}

sumi_status sumi__json_item_string(const sumi__json *json, const sumi__json_node *array, size_t i, const char **out) {
  return as_string(json, array, NULL, i, SUMI__JSON_REQUIRED, out);
}

sumi_status sumi__json_item_object(const sumi__json *json, const sumi__json_node *array, size_t i,
                                   const sumi__json_node **out) {
  return as_container(json, array, NULL, i, SUMI__JSON_REQUIRED, JSON_OBJECT, out);
}
