/* safetensors: what is written reads back, and what is malformed is refused with a reason. */
#include "support.h"

#include "io/file.h"
#include "io/safetensors.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* A file from a header and so many bytes of data (0, 1, 2, ...). */
typedef struct made {
  uint8_t bytes[4096];
  size_t count;
} made;

static made make(const char *header, size_t data_bytes) {
  made m = {.count = 8 + strlen(header) + data_bytes};
  assert_true(m.count <= sizeof m.bytes);
  const uint64_t length = strlen(header);
  for (int i = 0; i < 8; i++) m.bytes[i] = (uint8_t)(length >> 8 * i);
  memcpy(m.bytes + 8, header, strlen(header));
  for (size_t i = 0; i < data_bytes; i++) m.bytes[8 + strlen(header) + i] = (uint8_t)i;
  return m;
}

static sumi_status parse(sumi_context *ctx, const made *m, sumi_safetensors **out) {
  return sumi__safetensors_parse(ctx, "m.safetensors", m->bytes, m->count, out);
}

/* The header over so many bytes of data is refused, with these words. */
#define refused(ctx, header, data_bytes, ...)                                                                          \
  do {                                                                                                                 \
    const made m_ = make(header, data_bytes);                                                                          \
    sumi_safetensors *file_ = NULL;                                                                                    \
    assert_int_equal(parse(ctx, &m_, &file_), SUMI_FORMAT);                                                            \
    assert_null(file_);                                                                                                \
    assert_error(ctx, "m.safetensors", __VA_ARGS__);                                                                   \
  } while (0)

static void reads_tensors_and_metadata(void **state) {
  sumi_context *ctx = *state;
  const made m = make("{\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[2,10]},"
                      "\"__metadata__\":{\"format\":\"pt\",\"x\":\"\\u00fc\"},"
                      "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                      "\"e\":{\"dtype\":\"I64\",\"shape\":[3,0],\"data_offsets\":[10,10]},"
                      "\"s\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[10,12]}}   ",
                      12);
  sumi_safetensors *file = NULL;
  assert_ok(ctx, parse(ctx, &m, &file));
  assert_int_equal(sumi_safetensors_count(file), 4);
  const char *const order[] = {"a", "b", "e", "s"};
  for (size_t i = 0; i < 4; i++) assert_string_equal(sumi_safetensors_tensor_at(file, i)->name, order[i]);
  assert_null(sumi_safetensors_tensor_at(file, 4));
  const sumi_safetensors_tensor *b = sumi_safetensors_find(file, "b");
  assert_string_equal(b->dtype, "F32");
  assert_int_equal(b->rank, 2);
  assert_int_equal(b->dims[0], 2);
  assert_int_equal(b->dims[1], 1);
  assert_int_equal(b->count, 2);
  assert_int_equal(b->bytes, 8);
  assert_memory_equal(b->data, "\2\3\4\5\6\7\10\11", 8);
  assert_int_equal(sumi_safetensors_find(file, "e")->count, 0);
  assert_int_equal(sumi_safetensors_find(file, "s")->count, 1);
  assert_null(sumi_safetensors_find(file, "c"));
  const sumi_safetensors_tensor *none = NULL;
  assert_int_equal(sumi__safetensors_get(file, "c", &none), SUMI_NOT_FOUND);
  assert_error(ctx, "m.safetensors: has no tensor `c`");
  assert_int_equal(sumi_safetensors_metadata_count(file), 2);
  assert_string_equal(sumi_safetensors_metadata(file, "x"), "\xc3\xbc");
  assert_null(sumi_safetensors_metadata(file, "y"));
  const char *key = NULL, *value = NULL;
  assert_true(sumi_safetensors_metadata_at(file, 0, &key, &value));
  assert_string_equal(key, "format");
  assert_string_equal(value, "pt");
  assert_false(sumi_safetensors_metadata_at(file, 2, &key, &value));
  sumi_safetensors_close(file);
  sumi_safetensors_close(NULL);
}

static void an_empty_file_has_no_tensors(void **state) {
  sumi_context *ctx = *state;
  const made m = make("{}", 0);
  sumi_safetensors *file = NULL;
  assert_ok(ctx, parse(ctx, &m, &file));
  assert_int_equal(sumi_safetensors_count(file), 0);
  assert_null(sumi_safetensors_find(file, ""));
  sumi_safetensors_close(file);
}

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void refuses_bad_ranges(void **state) {
  sumi_context *ctx = *state;
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[4]", "[2,6]") "}", 6, "tensor `b`", "begins at 2",
          "before it ends at 4");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[4]", "[0,4]") "}", 4, "tensor `b`", "begins at 0");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[2]", "[6,8]") "}", 8, "tensor `b`",
          "a hole after 4");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[2,6]") "}", 6, "tensor `a`", "a hole after 0");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,4]") "}", 6, "2 bytes after the last tensor");
  refused(ctx, "{}", 1, "1 bytes after the last tensor");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,4]") "}", 3, "tensor `a`", "end at 4", "only 3 bytes");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[4,0]") "}", 4, "tensor `a`", "before they begin");
  refused(ctx, "{\"a\":" T("F32", "[4]", "[0,4]") "}", 4, "tensor `a`", "span 4 bytes", "need 16");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,9223372036854775807]") "}", 4, "tensor `a`", "only 4 bytes");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,18446744073709551616]") "}", 4, "too big integer");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[-4,0]") "}", 4, "`a.data_offsets[0]`", "found -4");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,4.0]") "}", 4, "`a.data_offsets[1]`", "fractional");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0]") "}", 4, "tensor `a`", "has 1 items");
  refused(ctx, "{\"a\":" T("U8", "[4]", "[0,4,4]") "}", 4, "tensor `a`", "has 3 items");
  refused(ctx, "{\"a\":" T("U8", "[4]", "\"0,4\"") "}", 4, "`a.data_offsets`", "expected a list");
}

static void refuses_bad_shapes(void **state) {
  sumi_context *ctx = *state;
  refused(ctx, "{\"a\":" T("U8", "[4294967296,4294967296]", "[0,0]") "}", 0, "tensor `a`", "past 2^63");
  refused(ctx, "{\"a\":" T("U8", "[4294967296,4294967296,0]", "[0,0]") "}", 0, "tensor `a`", "past 2^63");
  refused(ctx, "{\"a\":" T("F64", "[9223372036854775807]", "[0,0]") "}", 0, "tensor `a`", "past 2^63 bits");
  refused(ctx, "{\"a\":" T("U8", "[-1]", "[0,0]") "}", 0, "`a.shape[0]`", "found -1");
  refused(ctx, "{\"a\":" T("U8", "[2,1.5]", "[0,3]") "}", 3, "`a.shape[1]`", "fractional");
  refused(ctx, "{\"a\":" T("U8", "[\"2\"]", "[0,2]") "}", 2, "`a.shape[0]`", "string");
  refused(ctx, "{\"a\":" T("U8", "2", "[0,2]") "}", 2, "`a.shape`", "expected a list");
  refused(ctx, "{\"a\":" T("F4", "[3]", "[0,1]") "}", 1, "tensor `a`", "whole bytes");
  refused(ctx, "{\"a\":" T("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1,
          "tensor `a`", "33 dimensions");
}

static void refuses_bad_headers(void **state) {
  sumi_context *ctx = *state;
  refused(ctx, "{\"a\":" T("U8", "[1]", "[0,1]") ",\"a\":" T("U8", "[1]", "[1,2]") "}", 2, "duplicate", "a");
  refused(ctx, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "duplicate");
  refused(ctx, "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "`a.dtype` is missing");
  refused(ctx, "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "`a.shape` is missing");
  refused(ctx, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "`a.data_offsets` is missing");
  refused(ctx, "{\"a\":" T("F33", "[1]", "[0,1]") "}", 1, "tensor `a`", "`F33` is unknown");
  refused(ctx, "{\"a\":3}", 0, "tensor `a`", "expected an object");
  refused(ctx, "{\"__metadata__\":{\"k\":1}}", 0, "__metadata__", "`k`", "expected a string");
  refused(ctx, "{\"__metadata__\":[]}", 0, "__metadata__", "expected an object");
  refused(ctx, "[]", 0, "does not begin with");
  refused(ctx, " {}", 0, "does not begin with");
  refused(ctx, "{} x", 0, "not valid JSON");
  refused(ctx, "{\"a\xff\":1}", 0, "not valid JSON");
  refused(ctx, "{\"a\\u0000\":1}", 0, "not valid JSON");
  refused(ctx, "{\"a\\n\\u001b[2J\":1}", 0, "tensor `a??[2J`");
  refused(ctx, "{\"a\":[[[[[[[[1]]]]]]]]}", 0, "nested deeper");
  made m = make("{}", 0);
  sumi_safetensors *file = NULL;
  m.bytes[7] = 0x7f;
  assert_int_equal(parse(ctx, &m, &file), SUMI_FORMAT);
  assert_error(ctx, "m.safetensors", "claims a header of");
  memset(m.bytes, 0xff, 8);
  assert_int_equal(parse(ctx, &m, &file), SUMI_FORMAT);
  m = make("{}", 0);
  m.bytes[0] = 3;
  assert_int_equal(parse(ctx, &m, &file), SUMI_FORMAT);
  assert_error(ctx, "m.safetensors", "truncated");
  m = make("", 0);
  assert_int_equal(parse(ctx, &m, &file), SUMI_FORMAT);
}

static const float values[] = {1.5f, -2.0f, 0.25f, 3.0f};
static const int64_t step_value = 77;

static sumi__safetensors_entry small_entries[] = {
    {"step", SUMI_I64, {0, {0}}, &step_value},
    {"w", SUMI_F32, {2, {2, 2}}, values},
    {"mask", SUMI_BOOL, {1, {3}}, "\1\0\1"},
    {"b", SUMI_F32, {1, {2}}, values},
};
static const sumi__safetensors_pair small_pairs[] = {{"format", "pt"}, {"note", "say \"hi\"\n"}};

static void write_small(sumi_context *ctx, const char *path) {
  assert_ok(ctx, sumi__safetensors_write(ctx, path, small_entries, 4, small_pairs, 2, NULL, NULL));
}

static void truncation_anywhere_is_refused(void **state) {
  sumi_context *ctx = *state;
  write_small(ctx, "cut.safetensors");
  size_t bytes = 0;
  char *whole = read_plain("cut.safetensors", &bytes);
  for (size_t cut = 0; cut < bytes; cut++) {
    /* In a block of its own size, so that a sanitizer sees any step beyond it. */
    char *part = malloc(cut ? cut : 1);
    memcpy(part, whole, cut);
    sumi_safetensors *file = NULL;
    assert_int_equal(sumi__safetensors_parse(ctx, "cut", part, cut, &file), SUMI_FORMAT);
    assert_null(file);
    assert_error(ctx, "cut: ");
    free(part);
  }
  free(whole);
}

static void writes_what_it_reads(void **state) {
  sumi_context *ctx = *state;
  write_small(ctx, "small.safetensors");
  sumi_safetensors *file = NULL;
  assert_ok(ctx, sumi_safetensors_open(ctx, "small.safetensors", &file));
  const char *const order[] = {"step", "b", "w", "mask"}; /* wider first, then by name */
  assert_int_equal(sumi_safetensors_count(file), 4);
  for (size_t i = 0; i < 4; i++) {
    const sumi_safetensors_tensor *t = sumi_safetensors_tensor_at(file, i);
    assert_string_equal(t->name, order[i]);
    if (i < 3) assert_int_equal((uintptr_t)t->data % (i == 0 ? 8 : 4), 0);
  }
  assert_memory_equal(sumi_safetensors_find(file, "w")->data, values, sizeof values);
  assert_memory_equal(sumi_safetensors_find(file, "step")->data, &step_value, 8);
  assert_memory_equal(sumi_safetensors_find(file, "mask")->data, "\1\0\1", 3);
  assert_string_equal(sumi_safetensors_metadata(file, "note"), "say \"hi\"\n");
  sumi_dtype dtype;
  assert_true(sumi__safetensors_dtype(sumi_safetensors_find(file, "mask"), &dtype));
  assert_int_equal(dtype, SUMI_BOOL);
  sumi_safetensors_close(file);
}

static void the_order_of_entries_does_not_matter(void **state) {
  sumi_context *ctx = *state;
  write_small(ctx, "one.safetensors");
  sumi__safetensors_entry turned[4];
  for (size_t i = 0; i < 4; i++) turned[i] = small_entries[3 - i];
  assert_ok(ctx, sumi__safetensors_write(ctx, "two.safetensors", turned, 4, small_pairs, 2, NULL, NULL));
  size_t a = 0, b = 0;
  char *one = read_plain("one.safetensors", &a), *two = read_plain("two.safetensors", &b);
  assert_int_equal(a, b);
  assert_memory_equal(one, two, a);
  free(one);
  free(two);
}

static sumi_status produce(void *user, size_t i, void *out) {
  sumi_context *ctx = user;
  if (i == 1) return sumi__fail(ctx, SUMI_CANCELLED, "asked to stop");
  memcpy(out, values, sizeof values);
  return SUMI_OK;
}

static void produces_tensors_on_demand(void **state) {
  sumi_context *ctx = *state;
  sumi__safetensors_entry entries[] = {{"a", SUMI_F32, {1, {4}}, NULL}, {"b", SUMI_F32, {1, {2}}, NULL}};
  assert_ok(ctx, sumi__safetensors_write(ctx, "made.safetensors", entries, 1, NULL, 0, produce, ctx));
  sumi_safetensors *file = NULL;
  assert_ok(ctx, sumi_safetensors_open(ctx, "made.safetensors", &file));
  assert_memory_equal(sumi_safetensors_find(file, "a")->data, values, sizeof values);
  sumi_safetensors_close(file);
  assert_int_equal(sumi__safetensors_write(ctx, "made.safetensors", entries, 2, NULL, 0, produce, ctx), SUMI_CANCELLED);
  assert_ok(ctx, sumi_safetensors_open(ctx, "made.safetensors", &file)); /* the old one */
  assert_int_equal(sumi_safetensors_count(file), 1);
  sumi_safetensors_close(file);
}

static void refuses_to_write_nonsense(void **state) {
  sumi_context *ctx = *state;
  sumi__safetensors_entry e[] = {{"a", SUMI_F32, {1, {1}}, values}, {"a", SUMI_F32, {1, {1}}, values}};
  assert_int_equal(sumi__safetensors_write(ctx, "bad", e, 2, NULL, 0, NULL, NULL), SUMI_INVALID);
  assert_error(ctx, "bad", "two tensors called `a`");
  e[0].data = NULL;
  assert_int_equal(sumi__safetensors_write(ctx, "bad", e, 1, NULL, 0, NULL, NULL), SUMI_INVALID);
  assert_error(ctx, "`a`", "no data");
  e[0] = (sumi__safetensors_entry){"a", SUMI_F32, {2, {INT64_MAX, 8}}, values};
  assert_int_equal(sumi__safetensors_write(ctx, "bad", e, 1, NULL, 0, NULL, NULL), SUMI_INVALID);
  e[0] = (sumi__safetensors_entry){"__metadata__", SUMI_F32, {1, {1}}, values};
  assert_int_equal(sumi__safetensors_write(ctx, "bad", e, 1, NULL, 0, NULL, NULL), SUMI_INVALID);
  e[0] = (sumi__safetensors_entry){"\xff", SUMI_F32, {1, {1}}, values};
  assert_int_equal(sumi__safetensors_write(ctx, "bad", e, 1, NULL, 0, NULL, NULL), SUMI_INVALID);
  assert_error(ctx, "bad", "not UTF-8");
  assert_false(sumi__file_exists("bad") || temporaries_of("bad") != 0);
}

static void a_full_disk_keeps_the_old_checkpoint(void **state) {
  sumi_context *ctx = *state;
  write_small(ctx, "kept.safetensors");
  size_t before = 0, after = 0;
  char *old = read_plain("kept.safetensors", &before);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {1 << 20, 1 << 20};
    static float large[1 << 20];
    const sumi__safetensors_entry e = {"w", SUMI_F32, {1, {1 << 20}}, large};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(20);
    const sumi_status status = sumi__safetensors_write(ctx, "kept.safetensors", &e, 1, NULL, 0, NULL, NULL);
    _exit(status == SUMI_IO && strstr(sumi_context_error(ctx), "kept.safetensors") ? 0 : 21);
  }
  int result = 0;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
  char *now = read_plain("kept.safetensors", &after);
  assert_int_equal(before, after);
  assert_memory_equal(old, now, before);
  assert_int_equal(temporaries_of("kept.safetensors"), 0);
  free(old);
  free(now);
}

/* One tensor of `n` elements of the type over the given bytes, as f32. */
static void expect_f32(sumi_context *ctx, const char *dtype, const void *bytes, size_t byte_count, size_t n,
                       const float *expected) {
  char header[256];
  snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", dtype, n,
           byte_count);
  made m = make(header, byte_count);
  memcpy(m.bytes + 8 + strlen(header), bytes, byte_count);
  sumi_safetensors *file = NULL;
  assert_ok(ctx, parse(ctx, &m, &file));
  float out[16];
  assert_ok(ctx, sumi__safetensors_read_f32(file, sumi_safetensors_tensor_at(file, 0), out));
  for (size_t i = 0; i < n; i++) {
    if (isnan(expected[i]))
      assert_true(isnan(out[i]));
    else
      assert_memory_equal(&out[i], &expected[i], sizeof *out);
  }
  sumi_safetensors_close(file);
}

static void every_type_becomes_f32(void **state) {
  sumi_context *ctx = *state;
  /* Bit patterns by the formats' definitions: 1, -2, the largest finite, the smallest subnormal, inf, NaN. */
  expect_f32(ctx, "F16", (uint16_t[]){0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x7e00, 0x8000}, 14, 7,
             (float[]){1, -2, 65504, 0x1p-24f, INFINITY, NAN, -0.0f});
  expect_f32(ctx, "BF16", (uint16_t[]){0x3f80, 0xc000, 0xff80, 0x7fc0}, 8, 4, (float[]){1, -2, -INFINITY, NAN});
  expect_f32(ctx, "F8_E4M3", (uint8_t[]){0x38, 0xc0, 0x7e, 0x01, 0x7f}, 5, 5, (float[]){1, -2, 448, 0x1p-9f, NAN});
  expect_f32(ctx, "F8_E5M2", (uint8_t[]){0x3c, 0xc0, 0x7b, 0x01, 0x7c}, 5, 5,
             (float[]){1, -2, 57344, 0x1p-16f, INFINITY});
  expect_f32(ctx, "F8_E8M0", (uint8_t[]){127, 128, 0, 255}, 4, 4, (float[]){1, 2, 0x1p-127f, NAN});
  expect_f32(ctx, "F64", (double[]){0.1, -1e300}, 16, 2, (float[]){0.1f, -INFINITY});
  expect_f32(ctx, "F32", (float[]){0.1f, NAN}, 8, 2, (float[]){0.1f, NAN});
  expect_f32(ctx, "I64", (int64_t[]){-5, 1LL << 40}, 16, 2, (float[]){-5, 0x1p40f});
  expect_f32(ctx, "U64", (uint64_t[]){UINT64_MAX}, 8, 1, (float[]){0x1p64f});
  expect_f32(ctx, "I32", (int32_t[]){INT32_MIN}, 4, 1, (float[]){-0x1p31f});
  expect_f32(ctx, "U32", (uint32_t[]){7}, 4, 1, (float[]){7});
  expect_f32(ctx, "I16", (int16_t[]){-7}, 2, 1, (float[]){-7});
  expect_f32(ctx, "U16", (uint16_t[]){65535}, 2, 1, (float[]){65535});
  expect_f32(ctx, "I8", (int8_t[]){-128}, 1, 1, (float[]){-128});
  expect_f32(ctx, "U8", (uint8_t[]){200}, 1, 1, (float[]){200});
  expect_f32(ctx, "BOOL", (uint8_t[]){0, 1, 2}, 3, 3, (float[]){0, 1, 1});
  const made m = make("{\"a\":" T("C64", "[1]", "[0,8]") "}", 8);
  sumi_safetensors *file = NULL;
  float out;
  assert_ok(ctx, parse(ctx, &m, &file));
  assert_int_equal(sumi__safetensors_read_f32(file, sumi_safetensors_tensor_at(file, 0), &out), SUMI_UNSUPPORTED);
  assert_error(ctx, "m.safetensors", "`a`", "C64");
  sumi_safetensors_close(file);
}

static void statistics_skip_what_is_not_finite(void **state) {
  sumi_context *ctx = *state;
  enum { N = 5000 };
  static float large[N];
  for (int i = 0; i < N; i++) large[i] = 1000.0f + (float)(i % 2);
  large[0] = NAN;
  large[N - 1] = INFINITY;
  const sumi__safetensors_entry e[] = {{"a", SUMI_F32, {1, {N}}, large}, {"none", SUMI_F32, {1, {0}}, NULL}};
  assert_ok(ctx, sumi__safetensors_write(ctx, "stats.safetensors", e, 2, NULL, 0, NULL, NULL));
  sumi_safetensors *file = NULL;
  assert_ok(ctx, sumi_safetensors_open(ctx, "stats.safetensors", &file));
  sumi_statistics s;
  assert_ok(ctx, sumi_safetensors_statistics(file, sumi_safetensors_find(file, "a"), &s));
  assert_true(s.min == 1000 && s.max == 1001 && s.nonfinite == 2);
  assert_true(fabs(s.mean - 1000.5) < 1e-9 && fabs(s.std - 0.5) < 1e-9);
  assert_ok(ctx, sumi_safetensors_statistics(file, sumi_safetensors_find(file, "none"), &s));
  assert_true(s.min == 0 && s.max == 0 && s.mean == 0 && s.std == 0 && s.nonfinite == 0);
  sumi_safetensors_close(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_tensors_and_metadata),
      cmocka_unit_test(an_empty_file_has_no_tensors),
      cmocka_unit_test(refuses_bad_ranges),
      cmocka_unit_test(refuses_bad_shapes),
      cmocka_unit_test(refuses_bad_headers),
      cmocka_unit_test(truncation_anywhere_is_refused),
      cmocka_unit_test(writes_what_it_reads),
      cmocka_unit_test(the_order_of_entries_does_not_matter),
      cmocka_unit_test(produces_tensors_on_demand),
      cmocka_unit_test(refuses_to_write_nonsense),
      cmocka_unit_test(a_full_disk_keeps_the_old_checkpoint),
      cmocka_unit_test(every_type_becomes_f32),
      cmocka_unit_test(statistics_skip_what_is_not_finite),
  };
  return cmocka_run_group_tests_name("io: safetensors", tests, support_setup, support_teardown);
}
