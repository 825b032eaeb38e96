/* YAML and JSON: what configurations are made of. */
#include "support.h"

#include "io/json.h"
#include "io/yaml.h"

#include <math.h>

/* ---- YAML ---- */

static sumi__yaml *yaml_of(sumi_context *ctx, const char *text) {
  sumi__yaml *yaml = NULL;
  assert_ok(ctx, sumi__yaml_parse(ctx, "c.yaml", text, strlen(text), &yaml));
  return yaml;
}

static void yaml_refused(sumi_context *ctx, const char *text, const char *a, const char *b) {
  sumi__yaml *yaml = NULL;
  assert_int_equal(sumi__yaml_parse(ctx, "c.yaml", text, strlen(text), &yaml), SUMI_FORMAT);
  assert_null(yaml);
  assert_error(ctx, a, b);
}

static void yaml_is_flattened_with_its_lines(void **state) {
  sumi_context *ctx = *state;
  sumi__yaml *yaml = yaml_of(ctx, "# digits\n"
                                  "name: digits\n"
                                  "train:\n"
                                  "  lr: 3e-4   # peak\n"
                                  "  steps: 1000\n"
                                  "  widths: [32, 64,\n"
                                  "    128]\n"
                                  "  ema: {on: true, decay: .999}\n"
                                  "empty: {}\n"
                                  "none: []\n"
                                  "nothing:\n");
  static const struct {
    const char *key, *where, *text;
    size_t count;
    bool is_list;
  } expected[] = {
      {"name", "c.yaml:2", "digits", 1, false},       {"train.lr", "c.yaml:4", "3e-4", 1, false},
      {"train.steps", "c.yaml:5", "1000", 1, false},  {"train.widths", "c.yaml:6", "32", 3, true},
      {"train.ema.on", "c.yaml:8", "true", 1, false}, {"train.ema.decay", "c.yaml:8", ".999", 1, false},
      {"none", "c.yaml:10", NULL, 0, true},           {"nothing", "c.yaml:11", "", 1, false},
  };
  assert_int_equal(sumi__yaml_count(yaml), 8);
  for (size_t i = 0; i < 8; i++) {
    const sumi__yaml_entry *e = sumi__yaml_at(yaml, i);
    assert_string_equal(e->key, expected[i].key);
    assert_string_equal(e->where, expected[i].where);
    assert_int_equal(e->count, expected[i].count);
    assert_int_equal(e->is_list, expected[i].is_list);
    if (e->count) assert_string_equal(e->values[0].text, expected[i].text);
  }
  assert_null(sumi__yaml_at(yaml, 8));
  assert_null(sumi__yaml_find(yaml, "train"));
  assert_string_equal(sumi__yaml_find(yaml, "train.widths")->values[2].text, "128");
  sumi__yaml_free(yaml);
  sumi__yaml_free(yaml_of(ctx, ""));
  sumi__yaml_free(yaml_of(ctx, "# only a comment\n"));
  sumi__yaml_free(NULL);
}

static void yaml_scalars_have_types(void **state) {
  sumi_context *ctx = *state;
  sumi__yaml *yaml =
      yaml_of(ctx, "i: -3\nhex: 0x10\nbig: 1e6\nf: 1e-4\nt: true\nno: no\nq: '5'\nnull: ~\nblock: |\n  7\n"
                   "list: [1, x]\nhalf: 0.5\n");
  int64_t i = 0;
  double f = 0;
  bool b = false;
  const char *s = NULL;
#define ENTRY(key) sumi__yaml_find(yaml, key)
  assert_ok(ctx, sumi__yaml_i64(ctx, ENTRY("i"), 0, -3, 3, &i));
  assert_int_equal(i, -3);
  assert_ok(ctx, sumi__yaml_i64(ctx, ENTRY("hex"), 0, 0, 100, &i));
  assert_int_equal(i, 16);
  assert_ok(ctx, sumi__yaml_i64(ctx, ENTRY("big"), 0, 0, INT64_MAX, &i));
  assert_int_equal(i, 1000000);
  assert_ok(ctx, sumi__yaml_f64(ctx, ENTRY("f"), 0, 0, 1, &f));
  assert_true(f == 1e-4);
  assert_ok(ctx, sumi__yaml_f64(ctx, ENTRY("i"), 0, -INFINITY, INFINITY, &f));
  assert_true(f == -3);
  assert_ok(ctx, sumi__yaml_bool(ctx, ENTRY("t"), 0, &b));
  assert_true(b);
  assert_ok(ctx, sumi__yaml_string(ctx, ENTRY("no"), 0, &s));
  assert_string_equal(s, "no");
  assert_ok(ctx, sumi__yaml_string(ctx, ENTRY("q"), 0, &s));
  assert_string_equal(s, "5");
  assert_true(sumi__yaml_is_null(&ENTRY("null")->values[0]));

  assert_int_equal(sumi__yaml_i64(ctx, ENTRY("i"), 0, 0, 3, &i), SUMI_FORMAT);
  assert_error(ctx, "c.yaml:1: i: expected an integer from 0 to 3, found `-3`");
  assert_int_equal(sumi__yaml_i64(ctx, ENTRY("half"), 0, 0, INT64_MAX, &i), SUMI_FORMAT);
  assert_error(ctx, "half: expected an integer of 0 or more, found `0.5`");
  assert_int_equal(sumi__yaml_i64(ctx, ENTRY("q"), 0, 0, 9, &i), SUMI_FORMAT);
  assert_int_equal(sumi__yaml_i64(ctx, ENTRY("block"), 0, 0, 9, &i), SUMI_FORMAT);
  assert_int_equal(sumi__yaml_f64(ctx, ENTRY("no"), 0, 0, 1, &f), SUMI_FORMAT);
  assert_error(ctx, "c.yaml:6: no: expected a number from 0 to 1, found `no`");
  assert_int_equal(sumi__yaml_bool(ctx, ENTRY("no"), 0, &b), SUMI_FORMAT);
  assert_error(ctx, "expected true or false, found `no`");
  assert_int_equal(sumi__yaml_string(ctx, ENTRY("null"), 0, &s), SUMI_FORMAT);
  assert_error(ctx, "found nothing");
  assert_int_equal(sumi__yaml_i64(ctx, ENTRY("list"), 1, 0, 9, &i), SUMI_FORMAT);
  assert_error(ctx, "list[1]", "`x`");
  assert_int_equal(sumi__yaml_i64(ctx, ENTRY("list"), 2, 0, 9, &i), SUMI_FORMAT);
  assert_error(ctx, "at least 3 values, found 2");
  assert_int_equal(sumi__yaml_scalar(ctx, ENTRY("list")), SUMI_FORMAT);
  assert_ok(ctx, sumi__yaml_scalar(ctx, ENTRY("i")));
#undef ENTRY
  sumi__yaml_free(yaml);
}

static void yaml_refuses_what_it_does_not_mean(void **state) {
  sumi_context *ctx = *state;
  yaml_refused(ctx, "a: 1\nb: 2\na: 3\n", "c.yaml:3", "`a`: is given twice, first at c.yaml:1");
  yaml_refused(ctx, "a:\n  b: 1\na.b: 2\n", "c.yaml:3", "`a.b`");
  yaml_refused(ctx, "a: &x 1\n", "c.yaml:1", "anchors");
  yaml_refused(ctx, "a: &x [1]\n", "`a`", "anchors");
  yaml_refused(ctx, "a: *x\n", "`a`", "aliases");
  yaml_refused(ctx, "a: !!int 1\n", "`a`", "tags");
  yaml_refused(ctx, "!x {a: 1}\n", "c.yaml:1", "tags");
  yaml_refused(ctx, "a: [[1]]\n", "`a`", "not lists");
  yaml_refused(ctx, "a: [{b: 1}]\n", "`a`", "not lists or mappings");
  yaml_refused(ctx, "- 1\n", "c.yaml:1", "found a list");
  yaml_refused(ctx, "word\n", "c.yaml:1", "key: value");
  yaml_refused(ctx, "a: 1\n---\nb: 2\n", "c.yaml:2", "second document");
  yaml_refused(ctx, "{[a]: 1}\n", "c.yaml:1", "single word");
  yaml_refused(ctx, "'': 1\n", "c.yaml:1", "empty");
  yaml_refused(ctx, "a b: 1\n", "c.yaml:1", "space");
  yaml_refused(ctx, "a: \"x\\0y\"\n", "`a`", "zero");
  yaml_refused(ctx, "a: [1\n", "c.yaml:", "not valid YAML");
  yaml_refused(ctx, "a: 1\n\tb: 2\n", "c.yaml:2", "not valid YAML");
  yaml_refused(ctx, "a: \xff\n", "c.yaml", "not valid YAML");
  yaml_refused(ctx, "{a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}}}}}}}}}}", "c.yaml",
               "deeper");
}

static void yaml_size_and_keys_are_bounded(void **state) {
  sumi_context *ctx = *state;
  const size_t room = (1 << 20) + 2;
  char *text = malloc(room + 1);
  memset(text, ' ', room);
  text[room] = 0;
  yaml_refused(ctx, text, "c.yaml", "at most 1048576");
  size_t n = 0;
  for (int i = 0; i < 4097; i++) n += (size_t)sprintf(text + n, "k%d: 1\n", i);
  yaml_refused(ctx, text, "c.yaml:4097", "more than 4096 keys");
  memset(text, 'k', 300);
  strcpy(text + 300, ": 1\n");
  yaml_refused(ctx, text, "c.yaml:1", "longer than 256");
  free(text);
}

static void the_command_line_overrides(void **state) {
  sumi_context *ctx = *state;
  sumi__yaml *yaml = yaml_of(ctx, "train: {lr: 1, widths: [1, 2]}\nname: x\n");
  assert_ok(ctx, sumi__yaml_override(yaml, "train.lr=3e-4"));
  assert_ok(ctx, sumi__yaml_override(yaml, "train.widths=[32, 64, 128]"));
  assert_ok(ctx, sumi__yaml_override(yaml, "name='1 = 2'"));
  assert_ok(ctx, sumi__yaml_override(yaml, "out={dir: a/b, keep: 3}"));
  assert_ok(ctx, sumi__yaml_override(yaml, "seed="));
  assert_int_equal(sumi__yaml_count(yaml), 6);
  const sumi__yaml_entry *lr = sumi__yaml_find(yaml, "train.lr");
  assert_string_equal(lr->values[0].text, "3e-4");
  assert_string_equal(lr->where, "command line");
  assert_int_equal(sumi__yaml_find(yaml, "train.widths")->count, 3);
  assert_string_equal(sumi__yaml_find(yaml, "name")->values[0].text, "1 = 2");
  assert_true(sumi__yaml_find(yaml, "name")->values[0].quoted);
  assert_string_equal(sumi__yaml_find(yaml, "out.dir")->values[0].text, "a/b");
  assert_true(sumi__yaml_is_null(&sumi__yaml_find(yaml, "seed")->values[0]));
  assert_int_equal(sumi__yaml_override(yaml, "novalue"), SUMI_INVALID);
  assert_error(ctx, "command line", "`novalue`", "key=value");
  assert_int_equal(sumi__yaml_override(yaml, "=3"), SUMI_INVALID);
  assert_int_equal(sumi__yaml_override(yaml, "a b=3"), SUMI_INVALID);
  assert_int_equal(sumi__yaml_override(yaml, "name=[1"), SUMI_FORMAT);
  assert_error(ctx, "command line", "not valid YAML");
  assert_int_equal(sumi__yaml_override(yaml, "name=*x"), SUMI_FORMAT);
  assert_string_equal(sumi__yaml_find(yaml, "name")->values[0].text, "1 = 2"); /* failures change nothing */
  sumi__yaml_free(yaml);
}

static void yaml_files_are_read(void **state) {
  sumi_context *ctx = *state;
  sumi__yaml *yaml = NULL;
  write_plain("f.yaml", "a: 1\r\nb: x\r\n", 12);
  assert_ok(ctx, sumi__yaml_read(ctx, "f.yaml", &yaml));
  assert_string_equal(sumi__yaml_find(yaml, "a")->values[0].text, "1");
  sumi__yaml_free(yaml);
  assert_int_equal(sumi__yaml_read(ctx, "absent.yaml", &yaml), SUMI_NOT_FOUND);
  assert_error(ctx, "absent.yaml", "No such file");
}

/* ---- JSON ---- */

static sumi__json *json_of(sumi_context *ctx, const char *text) {
  sumi__json *json = NULL;
  assert_ok(ctx, sumi__json_parse(ctx, "c.json", text, strlen(text), &sumi__json_config_limits, &json));
  return json;
}

static void json_getters_name_the_place(void **state) {
  sumi_context *ctx = *state;
  sumi__json *json =
      json_of(ctx, "{\"a\": {\"list\": [1, 2.5, {\"x\": \"y\"}], \"on\": true}, \"n\": null, \"s\": \"t\"}");
  const sumi__json_node *root = sumi__json_root(json), *a = NULL, *list = NULL, *item = NULL;
  int64_t i = 9;
  double f = 0;
  bool b = false;
  const char *s = NULL;
  assert_ok(ctx, sumi__json_get_object(json, root, "a", SUMI__JSON_REQUIRED, &a));
  assert_ok(ctx, sumi__json_get_array(json, a, "list", SUMI__JSON_REQUIRED, &list));
  assert_int_equal(sumi__json_count(list), 3);
  assert_ok(ctx, sumi__json_item_i64(json, list, 0, 0, 1, &i));
  assert_int_equal(i, 1);
  assert_ok(ctx, sumi__json_item_f64(json, list, 1, &f));
  assert_true(f == 2.5);
  assert_ok(ctx, sumi__json_item_object(json, list, 2, &item));
  assert_ok(ctx, sumi__json_get_string(json, item, "x", SUMI__JSON_REQUIRED, &s));
  assert_string_equal(s, "y");
  assert_ok(ctx, sumi__json_get_bool(json, a, "on", SUMI__JSON_REQUIRED, &b));
  assert_true(b);
  i = 9;
  assert_ok(ctx, sumi__json_get_i64(json, root, "n", SUMI__JSON_OPTIONAL, 0, 1, &i));
  assert_ok(ctx, sumi__json_get_i64(json, root, "absent", SUMI__JSON_OPTIONAL, 0, 1, &i));
  assert_int_equal(i, 9);

  assert_int_equal(sumi__json_get_i64(json, item, "x", SUMI__JSON_OPTIONAL, 0, 1, &i), SUMI_FORMAT);
  assert_error(ctx, "c.json: `a.list[2].x`: expected an integer from 0 to 1, found a string");
  assert_int_equal(sumi__json_item_i64(json, list, 0, 5, INT64_MAX, &i), SUMI_FORMAT);
  assert_error(ctx, "c.json: `a.list[0]`: expected an integer of 5 or more, found 1");
  assert_int_equal(sumi__json_item_i64(json, list, 1, 0, 5, &i), SUMI_FORMAT);
  assert_error(ctx, "`a.list[1]`", "fractional");
  assert_int_equal(sumi__json_item_string(json, list, 3, &s), SUMI_FORMAT);
  assert_error(ctx, "`a.list[3]` is missing");
  assert_int_equal(sumi__json_get_f64(json, root, "f", SUMI__JSON_REQUIRED, &f), SUMI_FORMAT);
  assert_error(ctx, "c.json: `f` is missing");
  assert_int_equal(sumi__json_get_f64(json, root, "n", SUMI__JSON_REQUIRED, &f), SUMI_FORMAT);
  assert_error(ctx, "c.json: `n`: expected a number, found null");
  assert_int_equal(sumi__json_get_array(json, root, "a", SUMI__JSON_REQUIRED, &list), SUMI_FORMAT);
  assert_error(ctx, "expected a list, found an object");
  assert_int_equal(sumi__json_get_bool(json, root, "s", SUMI__JSON_REQUIRED, &b), SUMI_FORMAT);
  sumi__json_free(json);
  sumi__json_free(NULL);
}

static void json_keeps_the_order_of_keys(void **state) {
  sumi_context *ctx = *state;
  sumi__json *json = json_of(ctx, "{\"zebra\":1,\"ant\":2.5,\"cow\":\"x\"}");
  void *cursor = NULL;
  const char *key = NULL;
  char keys[64] = "";
  const sumi__json_node *value = NULL;
  while (sumi__json_next(sumi__json_root(json), &cursor, &key, &value)) strcat(strcat(keys, key), " ");
  assert_string_equal(keys, "zebra ant cow ");
  const sumi__json_node *root = sumi__json_root(json);
  assert_int_equal(sumi__json_integer_of(sumi__json_find(root, "zebra")), 1);
  assert_true(sumi__json_number_of(sumi__json_find(root, "ant")) == 2.5);
  assert_true(sumi__json_number_of(sumi__json_find(root, "zebra")) == 1);
  assert_string_equal(sumi__json_string_of(sumi__json_find(root, "cow")), "x");
  assert_null(sumi__json_find(root, "dog"));
  sumi__json_free(json);
}

static void json_refuses_what_is_malformed(void **state) {
  sumi_context *ctx = *state;
  const char *const bad[] = {
      "",    "{",       "{\"a\":1,\"a\":2}",     "[1,]",     "{a:1}",       "[1] 2", "'x'",       "[01]", "\"\xff\"",
      "nul", "[1e999]", "[9223372036854775808]", "\"a\nb\"", "\"\\u0000\"", "]",     "{\"a\":1}}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sumi__json *json = NULL;
    assert_int_equal(sumi__json_parse(ctx, "c.json", bad[i], strlen(bad[i]), &sumi__json_config_limits, &json),
                     SUMI_FORMAT);
    assert_null(json);
    assert_error(ctx, "c.json:1:", "not valid JSON");
  }
  const sumi__json_limits limits = {100, 3, 4};
  sumi__json *json = NULL;
  assert_int_equal(sumi__json_parse(ctx, "c.json", "[[[[1]]]]", 9, &limits, &json), SUMI_FORMAT);
  assert_error(ctx, "c.json", "deeper than the 3");
  assert_int_equal(sumi__json_parse(ctx, "c.json", "[1,2,3,4,5]", 11, &limits, &json), SUMI_FORMAT);
  assert_error(ctx, "c.json", "more than the 4 values");
  assert_int_equal(sumi__json_parse(ctx, "c.json", "[1]", 101, &limits, &json), SUMI_FORMAT);
  assert_error(ctx, "c.json", "101 bytes");
  assert_ok(ctx, sumi__json_parse(ctx, "c.json", "[\"[[[[,,,,,,\\\"[\"]", 17, &limits, &json)); /* in a string */
  sumi__json_free(json);
}

static void json_written_reads_back(void **state) {
  sumi_context *ctx = *state;
  sumi__json_writer w;
  sumi__json_writer_init(&w, ctx, 2);
  sumi__json_begin_object(&w, NULL);
  sumi__json_put_string(&w, "text", "a \"b\" \\ \n\t\x01 \xc3\xbc");
  sumi__json_put_i64(&w, "int", INT64_MIN);
  sumi__json_put_f64(&w, "f64", 1e-05);
  sumi__json_put_f32(&w, "f32", 0.1f);
  sumi__json_put_f64(&w, "whole", 2);
  sumi__json_put_bool(&w, "bool", true);
  sumi__json_put_null(&w, "null");
  sumi__json_begin_array(&w, "list");
  sumi__json_put_i64(&w, NULL, 1);
  sumi__json_put_string(&w, NULL, "x");
  sumi__json_begin_object(&w, NULL);
  sumi__json_end_object(&w);
  sumi__json_end_array(&w);
  sumi__json_end_object(&w);
  assert_ok(ctx, sumi__json_writer_save(&w, "w.json"));
  char *text = read_plain("w.json", NULL);
  assert_string_equal(text, "{\n"
                            "  \"text\": \"a \\\"b\\\" \\\\ \\n\\t\\u0001 \xc3\xbc\",\n"
                            "  \"int\": -9223372036854775808,\n"
                            "  \"f64\": 1e-05,\n"
                            "  \"f32\": 0.1,\n"
                            "  \"whole\": 2.0,\n"
                            "  \"bool\": true,\n"
                            "  \"null\": null,\n"
                            "  \"list\": [\n    1,\n    \"x\",\n    {}\n  ]\n"
                            "}\n");
  free(text);
  sumi__json *json = NULL;
  const char *s = NULL;
  assert_ok(ctx, sumi__json_read(ctx, "w.json", &json));
  assert_ok(ctx, sumi__json_get_string(json, sumi__json_root(json), "text", SUMI__JSON_REQUIRED, &s));
  assert_string_equal(s, "a \"b\" \\ \n\t\x01 \xc3\xbc");
  sumi__json_free(json);

  sumi__json_writer_init(&w, ctx, -1);
  sumi__json_begin_array(&w, NULL);
  sumi__json_put_bool(&w, NULL, false);
  sumi__json_begin_object(&w, NULL);
  sumi__json_put_i64(&w, "a", 1);
  sumi__json_end_object(&w);
  sumi__json_end_array(&w);
  size_t bytes = 0;
  assert_ok(ctx, sumi__json_writer_finish(&w, &text, &bytes));
  assert_string_equal(text, "[false,{\"a\":1}]");
  assert_int_equal(bytes, strlen(text));
  sumi__free(ctx, text);
}

static void json_writer_keeps_its_first_fault(void **state) {
  sumi_context *ctx = *state;
  sumi__json_writer w;
  sumi__json_writer_init(&w, ctx, 2);
  sumi__json_begin_object(&w, NULL);
  sumi__json_put_f64(&w, "loss", NAN);
  sumi__json_put_string(&w, "bad", "\xff");
  sumi__json_end_object(&w);
  assert_int_equal(sumi__json_writer_save(&w, "fault.json"), SUMI_INVALID);
  assert_error(ctx, "fault.json", "`loss`", "finite");
  assert_int_not_equal(access("fault.json", F_OK), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(yaml_is_flattened_with_its_lines),   cmocka_unit_test(yaml_scalars_have_types),
      cmocka_unit_test(yaml_refuses_what_it_does_not_mean), cmocka_unit_test(yaml_size_and_keys_are_bounded),
      cmocka_unit_test(the_command_line_overrides),         cmocka_unit_test(yaml_files_are_read),
      cmocka_unit_test(json_getters_name_the_place),        cmocka_unit_test(json_keeps_the_order_of_keys),
      cmocka_unit_test(json_refuses_what_is_malformed),     cmocka_unit_test(json_written_reads_back),
      cmocka_unit_test(json_writer_keeps_its_first_fault),
  };
  return cmocka_run_group_tests_name("io: configurations", tests, support_setup, support_teardown);
}
