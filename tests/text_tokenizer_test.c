/* The tokenizer against transformers' on many scripts, its files, and hostile input. */
#include "support.h"

#include "io/json.h"
#include "text/tokenizer.h"

#include <time.h>

/* ---- Golden values (tools/oracle/tokenizer.py) ------------------------------------------------------------------ */

static size_t from_hex(const char *hex, char *out) {
  const size_t n = strlen(hex) / 2;
  for (size_t i = 0; i < n; i++) {
    unsigned byte = 0;
    assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
    out[i] = (char)byte;
  }
  out[n] = 0;
  return n;
}

static void check_encode(sumi_context *ctx, const sumi_tokenizer *t, const char *hex, const sumi__json_node *want) {
  static char text[1 << 16];
  int32_t *ids;
  size_t count;
  assert_true(strlen(hex) / 2 < sizeof text);
  const size_t bytes = from_hex(hex, text);
  assert_int_equal(sumi_tokenizer_encode(t, ctx, text, bytes, &ids, &count), SUMI_OK);
  bool same = count == sumi__json_count(want);
  for (size_t i = 0; same && i < count; i++) same = ids[i] == sumi__json_integer_of(sumi__json_item(want, i));
  if (!same) fail_msg("other ids for \"%s\" (%s)", text, hex);
  sumi_ids_free(ctx, ids);
}

static void check_decode(sumi_context *ctx, const sumi_tokenizer *t, const sumi__json_node *ids, const char *hex) {
  static char want[1 << 16];
  int32_t list[4096];
  char *text;
  const size_t count = sumi__json_count(ids);
  assert_true(count <= 4096 && strlen(hex) / 2 < sizeof want);
  for (size_t i = 0; i < count; i++) list[i] = (int32_t)sumi__json_integer_of(sumi__json_item(ids, i));
  from_hex(hex, want);
  assert_int_equal(sumi_tokenizer_decode(t, ctx, list, count, &text), SUMI_OK);
  assert_string_equal(text, want);
  sumi_text_free(ctx, text);
}

static void check_golden(sumi_context *ctx, const char *folder, const char *path) {
  sumi_tokenizer *t;
  sumi__json *json;
  const sumi__json_node *cases;
  assert_int_equal(sumi_tokenizer_open(ctx, folder, &t), SUMI_OK);
  assert_int_equal(sumi__json_read(ctx, path, &json), SUMI_OK);
  cases = sumi__json_find(sumi__json_root(json), "encode");
  assert_true(sumi__json_count(cases) > 300);
  for (size_t i = 0; i < sumi__json_count(cases); i++) {
    const sumi__json_node *c = sumi__json_item(cases, i);
    check_encode(ctx, t, sumi__json_string_of(sumi__json_find(c, "hex")), sumi__json_find(c, "ids"));
  }
  cases = sumi__json_find(sumi__json_root(json), "decode");
  assert_true(sumi__json_count(cases) > 50);
  for (size_t i = 0; i < sumi__json_count(cases); i++) {
    const sumi__json_node *c = sumi__json_item(cases, i);
    check_decode(ctx, t, sumi__json_find(c, "ids"), sumi__json_string_of(sumi__json_find(c, "hex")));
  }
  sumi__json_free(json);
  sumi_tokenizer_close(t);
}

static void test_builtin(void **state) { check_golden(*state, NULL, SUMI_TESTS "/golden/text/tokenizer.json"); }

static void test_folder(void **state) {
  check_golden(*state, SUMI_TESTS "/golden/text/folder", SUMI_TESTS "/golden/text/folder.json");
}

/* ---- What can be asked ------------------------------------------------------------------------------------------ */

static void test_pieces(void **state) {
  sumi_context *ctx = *state;
  sumi_tokenizer *t;
  char *text;
  assert_int_equal(sumi_tokenizer_open(ctx, NULL, &t), SUMI_OK);
  assert_int_equal(sumi_tokenizer_vocabulary(t), 49408);
  assert_int_equal(sumi_tokenizer_bos(t), 49406);
  assert_int_equal(sumi_tokenizer_eos(t), 49407);
  assert_int_equal(sumi_tokenizer_pad(t), 49407);
  assert_string_equal(sumi_tokenizer_piece(t, 0), "!");
  assert_string_equal(sumi_tokenizer_piece(t, 267), ",</w>");
  assert_string_equal(sumi_tokenizer_piece(t, 22456), "otter</w>");
  assert_null(sumi_tokenizer_piece(t, -1));
  assert_null(sumi_tokenizer_piece(t, 49408));
  for (int32_t id = 0; id < 49408; id++) assert_int_equal(sumi_tokenizer_find(t, sumi_tokenizer_piece(t, id)), id);
  assert_int_equal(sumi_tokenizer_find(t, "no such piece"), -1);
  assert_int_equal(sumi_tokenizer_decode(t, ctx, (const int32_t[]){49408}, 1, &text), SUMI_INVALID);
  assert_null(text);
  sumi_tokenizer_close(t);
}

static void test_small_folder(void **state) {
  sumi_tokenizer *t;
  assert_int_equal(sumi_tokenizer_open(*state, SUMI_TESTS "/golden/text/folder", &t), SUMI_OK);
  assert_int_equal(sumi_tokenizer_pad(t), sumi_tokenizer_find(t, "!"));
  assert_int_equal(sumi_tokenizer_eos(t), sumi_tokenizer_vocabulary(t) - 1);
  sumi_tokenizer_close(t);
}

/* ---- Hostile input ---------------------------------------------------------------------------------------------- */

/* Words of a megabyte: minutes, were merging quadratic. */
static void test_long_words(void **state) {
  static const char *const units[] = {"a", "abcdefgh", "<", "'", "\xcc\x81\xcc\xa3", "\xf0\x9f\x98\x80", "\xff"};
  enum { BYTES = 1 << 20 };
  sumi_context *ctx = *state;
  sumi_tokenizer *t;
  char *text = malloc(BYTES);
  assert_non_null(text);
  assert_int_equal(sumi_tokenizer_open(ctx, NULL, &t), SUMI_OK);
  const clock_t begin = clock();
  for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
    int32_t *ids;
    size_t count, n = strlen(units[u]);
    for (size_t i = 0; i < BYTES; i++) text[i] = units[u][i % n];
    assert_int_equal(sumi_tokenizer_encode(t, ctx, text, BYTES, &ids, &count), SUMI_OK);
    assert_true(count > 0 && count <= 3 * BYTES);
    sumi_ids_free(ctx, ids);
  }
  assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 120); /* a second or two; more under sanitizers */
  sumi_tokenizer_close(t);
  free(text);
}

static void test_too_long(void **state) {
  sumi_context *ctx = *state;
  sumi_tokenizer *t;
  int32_t *ids;
  size_t count;
  assert_int_equal(sumi_tokenizer_open(ctx, NULL, &t), SUMI_OK);
  assert_int_equal(sumi_tokenizer_encode(t, ctx, "a", SIZE_MAX, &ids, &count), SUMI_INVALID);
  assert_null(ids);
  sumi_tokenizer_close(t);
}

typedef struct bad_files {
  const char *vocab, *merges, *map, *said;
} bad_files;

#define SPECIALS "\"<|startoftext|>\":0,\"<|endoftext|>\":1"

static void test_bad_files(void **state) {
  static const bad_files cases[] = {
      {"[]", "", NULL, "expected an object"},
      {"{", "", NULL, "vocab.json"},
      {"{}", "", NULL, "no pieces"},
      {"{\"a\":-1}", "", NULL, "expected an id"},
      {"{\"a\":\"x\"}", "", NULL, "expected an id"},
      {"{\"a\":4611686018427387904}", "", NULL, "expected an id"},
      {"{\"a\":1048576}", "", NULL, "expected an id"},
      {"{\"a\":0,\"b\":0}", "", NULL, "another piece"},
      {"{\"a\":0}", "", NULL, "special token"},
      {"{" SPECIALS "}", "a b\n", NULL, "merges.txt:1"},
      {"{" SPECIALS ",\"a\":2,\"b\":3}", "#version: 0.2\na b\n", NULL, "merges.txt:2"},
      {"{" SPECIALS ",\"a\":2,\"aa\":3}", "a a\na\n", NULL, "merges.txt:2"},
      {"{" SPECIALS ",\"a\":2,\"aa\":3}", "a a a\n", NULL, "expected two pieces"},
      {"{" SPECIALS "}", "", "[]", "expected an object"},
      {"{" SPECIALS "}", "", "{\"pad_token\":\"gone\"}", "`gone`"},
      {"{" SPECIALS "}", "", "{\"pad_token\":3}", "pad_token"},
      {"{" SPECIALS "}", "", "{\"pad_token\":{\"text\":\"x\"}}", "content"},
  };
  sumi_context *ctx = *state;
  sumi_tokenizer *t;
  assert_int_equal(mkdir("bad", 0755), 0);
  assert_int_equal(sumi_tokenizer_open(ctx, "bad", &t), SUMI_NOT_FOUND);
  assert_error(ctx, "bad/vocab.json");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_plain("bad/vocab.json", cases[i].vocab, strlen(cases[i].vocab));
    write_plain("bad/merges.txt", cases[i].merges, strlen(cases[i].merges));
    remove("bad/special_tokens_map.json");
    if (cases[i].map) write_plain("bad/special_tokens_map.json", cases[i].map, strlen(cases[i].map));
    assert_int_equal(sumi_tokenizer_open(ctx, "bad", &t), SUMI_FORMAT);
    assert_null(t);
    assert_error(ctx, "bad", cases[i].said);
  }
}

/* Memory that runs out anywhere is NO_MEMORY, and nothing leaks (under ASan). */
static int allowed;
static void *starving(void *user, size_t bytes) {
  (void)user;
  return allowed-- > 0 ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
}
static void release(void *user, void *memory) {
  (void)user;
  free(memory);
}

static void test_no_memory(void **state) {
  (void)state;
  const sumi_context_options options = {.threads = 1, .allocate = starving, .release = release};
  sumi_context *ctx;
  allowed = 1 << 30;
  assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
  for (int limit = 0;; limit++) {
    sumi_tokenizer *t;
    int32_t *ids = NULL;
    size_t count;
    char *text = NULL;
    allowed = limit;
    sumi_status status = sumi_tokenizer_open(ctx, SUMI_TESTS "/golden/text/folder", &t);
    if (status == SUMI_OK) status = sumi_tokenizer_encode(t, ctx, "a cafe\xcc\x81!", 9, &ids, &count);
    if (status == SUMI_OK) status = sumi_tokenizer_decode(t, ctx, ids, count, &text);
    sumi_text_free(ctx, text);
    sumi_ids_free(ctx, ids);
    sumi_tokenizer_close(t);
    if (status == SUMI_OK) break;
    assert_int_equal(status, SUMI_NO_MEMORY);
    assert_true(limit < 10000);
  }
  sumi_context_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_builtin),      cmocka_unit_test(test_folder),     cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_small_folder), cmocka_unit_test(test_long_words), cmocka_unit_test(test_too_long),
      cmocka_unit_test(test_bad_files),    cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
