/* JSON: what is read is written by our writer, and reads back. */
#include "fuzz.h"

#include "io/json.h"

static void copy_value(const sumi__json_node *node, const char *key, sumi__json_writer *w) {
  void *cursor = NULL;
  const char *member = NULL;
  const sumi__json_node *value = NULL;
  switch (sumi__json_kind_of(node)) {
  case SUMI__JSON_NULL: sumi__json_put_null(w, key); break;
  case SUMI__JSON_BOOL: sumi__json_put_bool(w, key, true); break;
  case SUMI__JSON_INTEGER: sumi__json_put_i64(w, key, sumi__json_integer_of(node)); break;
  case SUMI__JSON_REAL: sumi__json_put_f64(w, key, sumi__json_number_of(node)); break;
  case SUMI__JSON_STRING: sumi__json_put_string(w, key, sumi__json_string_of(node)); break;
  case SUMI__JSON_ARRAY:
    sumi__json_begin_array(w, key);
    for (size_t i = 0; i < sumi__json_count(node); i++) copy_value(sumi__json_item(node, i), NULL, w);
    sumi__json_end_array(w);
    break;
  case SUMI__JSON_OBJECT:
    sumi__json_begin_object(w, key);
    while (sumi__json_next(node, &cursor, &member, &value)) copy_value(value, member, w);
    sumi__json_end_object(w);
    break;
  }
}

static void write_text(sumi_context *ctx, const sumi__json *json, int indent, char **text, size_t *bytes) {
  sumi__json_writer w;
  sumi__json_writer_init(&w, ctx, indent);
  copy_value(sumi__json_root(json), NULL, &w);
  fuzz_require(sumi__json_writer_finish(&w, text, bytes) == SUMI_OK, "what was read can be written");
}

/* Typed getters on whatever is there: their errors search for the place. */
static void ask(const sumi__json *json) {
  const sumi__json_node *root = sumi__json_root(json), *found = NULL;
  int64_t integer;
  const char *text;
  void *cursor = NULL;
  const char *key;
  const sumi__json_node *value;
  if (sumi__json_kind_of(root) != SUMI__JSON_OBJECT) return;
  while (sumi__json_next(root, &cursor, &key, &value)) {
    (void)sumi__json_get_i64(json, root, key, SUMI__JSON_OPTIONAL, 0, 9, &integer);
    (void)sumi__json_get_object(json, root, key, SUMI__JSON_REQUIRED, &found);
    if (sumi__json_kind_of(value) == SUMI__JSON_ARRAY) (void)sumi__json_item_string(json, value, 1, &text);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live, once_bytes = 0, twice_bytes = 0;
  sumi_context *ctx = fuzz_begin(&live);
  sumi__json *json = NULL, *again = NULL;
  const sumi_status status =
      sumi__json_parse(ctx, "fuzz.json", (const char *)data, bytes, &sumi__json_config_limits, &json);
  if (status == SUMI_OK) {
    char *once = NULL, *twice = NULL;
    ask(json);
    write_text(ctx, json, -1, &once, &once_bytes);
    fuzz_require(sumi__json_parse(ctx, "fuzz.json", once, once_bytes, &sumi__json_config_limits, &again) == SUMI_OK,
                 "what was written can be read");
    write_text(ctx, again, -1, &twice, &twice_bytes);
    fuzz_require(once_bytes == twice_bytes && !memcmp(once, twice, once_bytes), "writing again changes nothing");
    sumi__free(ctx, once);
    sumi__free(ctx, twice);
  }
  sumi__json_free(json);
  sumi__json_free(again);
  return fuzz_end(ctx, &live, status);
}
