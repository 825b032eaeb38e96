/* Checkpoints that other tools wrote: the same tensors bit for bit, and a clear sentence for whatever is damaged or
 * hostile. tests/golden/torch is made by tools/oracle/torch_files.py. */
#include "support.h"

#include "io/checkpoint.h"
#include "io/pickle.h"
#include "io/safetensors.h"
#include "io/torch_file.h"
#include "io/zip.h"

static const char *const files[] = {"zip2.ckpt", "zip4.ckpt", "legacy.ckpt", "legacy5.ckpt"};

enum { FILES = sizeof files / sizeof *files };

static const char *golden(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/golden/torch/%s", SUMI_TESTS, name);
  return path;
}

static void tensors_are_those_of_torch(void **state) {
  sumi_safetensors *expected;
  assert_int_equal(sumi_safetensors_open(*state, golden("expected.safetensors"), &expected), SUMI_OK);
  const sumi__tensor_source *right = sumi__safetensors_source(expected);
  for (size_t k = 0; k < FILES; k++) {
    sumi__checkpoint *c;
    if (sumi__checkpoint_open(*state, golden(files[k]), &c) != SUMI_OK) fail_msg("%s", sumi_context_error(*state));
    assert_string_equal(sumi__checkpoint_kind(c), "PyTorch");
    assert_int_equal(sumi__checkpoint_count(c), sumi_safetensors_count(expected) + 2); /* global_step and epoch */
    const char *name;
    sumi__tensor_view a, b;
    for (size_t i = 0; sumi__checkpoint_at(c, i, &name, &a); i++) {
      if (strcmp(name, "global_step") == 0 || strcmp(name, "epoch") == 0) {
        int64_t number;
        memcpy(&number, a.data, sizeof number);
        assert_int_equal(number, *name == 'g' ? 875000 : 3);
        continue;
      }
      if (!right->find(right, name, &b)) fail_msg("%s is not there", name);
      assert_int_equal(a.dtype, b.dtype);
      assert_true(sumi_shape_equal(&a.shape, &b.shape));
      assert_memory_equal(a.data, b.data, (size_t)sumi_shape_count(&a.shape) * sumi_dtype_bytes(a.dtype));
    }
    sumi__checkpoint_close(c);
  }
  sumi_safetensors_close(expected);
}

/* Whatever is missing at the end gives an error, and nothing is read beyond it: the copy is exactly as long, so that a
 * sanitizer would see it. */
static void truncation_at_every_byte_is_an_error(void **state) {
  for (size_t k = 0; k < FILES; k++) {
    size_t bytes;
    char *all = read_plain(golden(files[k]), &bytes);
    for (size_t n = 0; n < bytes; n++) {
      sumi__torch_file f;
      uint8_t *part = malloc(n ? n : 1);
      memcpy(part, all, n);
      assert_int_not_equal(sumi__torch_open(*state, "part", part, n, false, &f), SUMI_OK);
      free(part);
    }
    free(all);
  }
}

/* ---- Hostile pickles ---- */

static sumi_status parse(sumi_context *ctx, const char *text, size_t bytes, const sumi__pickle_value **out,
                         sumi__arena *arena) {
  sumi__arena_init(arena, ctx);
  return sumi__pickle_parse(ctx, "hostile.ckpt", (const uint8_t *)text, bytes, arena, NULL, NULL, out);
}

#define BYTES(text) text, sizeof(text) - 1

static void calls_are_not_made(void **state) {
  const sumi__pickle_value *v;
  sumi__arena arena;
  remove("made");
  assert_int_equal(parse(*state, BYTES("cos\nsystem\n(S'touch made'\ntR."), &v, &arena), SUMI_OK);
  assert_int_equal(v->kind, SUMI__PICKLE_OPAQUE);
  assert_int_equal(access("made", F_OK), -1);
  sumi__arena_free(&arena);
}

static void damaged_pickles_are_errors(void **state) {
  static const struct {
    const char *text;
    size_t bytes;
  } cases[] = {
      {BYTES("")},                    /* nothing */
      {BYTES(".")},                   /* no value */
      {BYTES("0.")},                  /* pop of nothing */
      {BYTES("t.")},                  /* a tuple without a mark */
      {BYTES("\x85.")},               /* of one that is not there */
      {BYTES("h\x05.")},              /* a memo that was not made */
      {BYTES("Nr\xff\xff\xff\xff.")}, /* a memo of number 2^32 - 1 */
      {BYTES("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
             "a.")}, /* a text of 2^64 - 1 bytes */
      {BYTES("X\xff\xff\xff\x7f"
             "a.")}, /* of 2^31 - 1 */
      {BYTES("B\xff\xff\xff\xff"
             "a.")},                                     /* of 2^32 - 1 */
      {BYTES("]u.")},                                    /* items for nothing */
      {BYTES("(u.")},                                    /* items below the mark */
      {BYTES("cos\nsystem")},                            /* a line that does not end */
      {BYTES("S'abc\n.")},                               /* no closing quote */
      {BYTES("Iseven\n.")},                              /* no number */
      {BYTES("\x82\x01.")},                              /* an extension */
      {BYTES("\x98.")},                                  /* a buffer from outside */
      {BYTES("]s.")},                                    /* an item for what is not there */
      {BYTES("ctorch._utils\n_rebuild_tensor_v2\n)R.")}, /* a tensor without storage */
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const sumi__pickle_value *v;
    sumi__arena arena;
    if (parse(*state, cases[k].text, cases[k].bytes, &v, &arena) != SUMI_FORMAT) fail_msg("case %zu was taken", k);
    assert_non_null(strstr(sumi_context_error(*state), "hostile.ckpt: the pickle is damaged at byte"));
    sumi__arena_free(&arena);
  }
}

/* A list that contains itself, and lists of lists of lists that share: neither hangs the walk. */
static void cycles_end(void **state) {
  const sumi__pickle_value *v;
  sumi__arena arena;
  assert_int_equal(parse(*state,
                         BYTES("]q\x00h\x00"
                               "a."),
                         &v, &arena),
                   SUMI_OK);
  assert_ptr_equal(v->items[0], v);
  sumi__arena_free(&arena);
}

/* Opcodes of a few bytes that repeat something long which is shared: in proportion to the file they take little. */
enum { REPEATED = 15000, REPEATS = 5000 };

/* A context whose memory is counted: `little` is the most that may live at once. */
typedef struct purse {
  size_t live, little;
} purse;

static void *allocate_little(void *user, size_t bytes) {
  purse *p = user;
  if (bytes > p->little - p->live) return NULL;
  uint8_t *memory = aligned_alloc(64, sumi__align_up(bytes, 64) + 64);
  if (!memory) return NULL;
  p->live += bytes;
  memcpy(memory, &bytes, sizeof bytes);
  return memory + 64;
}

static void release_little(void *user, void *memory) {
  size_t bytes;
  memcpy(&bytes, (uint8_t *)memory - 64, sizeof bytes);
  ((purse *)user)->live -= bytes;
  free((uint8_t *)memory - 64);
}

static sumi_context *frugal_context(purse *p) {
  const sumi_context_options options = {
      .threads = 1, .allocate = allocate_little, .release = release_little, .memory_user = p};
  sumi_context *ctx;
  assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
  return ctx;
}

static size_t put(char *out, size_t at, const char *text, size_t bytes, size_t times) {
  for (size_t i = 0; i < times; i++, at += bytes) memcpy(out + at, text, bytes);
  return at;
}

#define PUT(text, times) n = put(pickle, n, BYTES(text), times)

static void repeats_take_little_memory(void **state) {
  (void)state;
  purse p = {.little = 40 << 20};
  sumi_context *ctx = frugal_context(&p);
  char *pickle = malloc(1 << 20);
  assert_non_null(pickle);
  for (int k = 0; k < 2; k++) {
    const sumi__pickle_value *v;
    sumi__arena arena;
    size_t n = 0;
    if (k == 0) { /* OrderedDict(pairs), again and again */
      PUT("(]q\x00(", 1);
      PUT("K\x01K\x01\x86", REPEATED / 3);
      PUT("e0ccollections\nOrderedDict\nq\x01", 1);
      PUT("h\x01h\x00\x85R0", REPEATS);
    } else { /* classes with a long name */
      PUT("X\x98:\x00\x00", 1);
      PUT("a", REPEATED);
      PUT("q\x00", 1);
      PUT("h\x00h\x00\x93"
          "0",
          REPEATS);
    }
    PUT("}.", 1);
    assert_int_equal(parse(ctx, pickle, n, &v, &arena), SUMI_FORMAT);
    assert_non_null(strstr(sumi_context_error(ctx), "takes too much memory at byte"));
    sumi__arena_free(&arena);
  }
  free(pickle);
  sumi_context_free(ctx);
  assert_int_equal(p.live, 0);
}

/* Every opcode that makes something out of a byte or two, four megabytes of it: the limit is named before memory is
 * gone, and what is read within it takes little. */
static void many_values_take_bounded_memory(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t bytes;
  } cases[] = {{BYTES("N")}, {BYTES("]")},     {BYTES("}")},  {BYTES("(")},     {BYTES(")")},  {BYTES("K\x01")},
               {BYTES("2")}, {BYTES("]\x94")}, {BYTES("N0")}, {BYTES("N\x85")}, {BYTES("2a")}, {BYTES("C\x00")}};
  enum { MOST = 4 << 20 };
  char *pickle = malloc(MOST + 8);
  assert_non_null(pickle);
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
    for (int small = 0; small < 2; small++) {
      const size_t length = small ? MOST / 40 : MOST;
      /* The limit, and growing arrays are copied. */
      purse p = {.little = small ? 100 * length + (1 << 20) : SUMI__PICKLE_MOST_MEMORY + (80 << 20)};
      sumi_context *ctx = frugal_context(&p);
      const sumi__pickle_value *v;
      sumi__arena arena;
      size_t n = put(pickle, 0, BYTES("]"), 1);
      n = put(pickle, n, cases[k].text, cases[k].bytes, (length - 2) / cases[k].bytes);
      n = put(pickle, n, BYTES("."), 1);
      const sumi_status status = parse(ctx, pickle, n, &v, &arena);
      const char *says = sumi_context_error(ctx);
      const bool limited = strstr(says, "the limit is ") && strstr(says, " bytes for one of its length");
      if (status != SUMI_OK && !(status == SUMI_FORMAT && (limited || strstr(says, "the stack is empty"))))
        fail_msg("case %zu, %zu bytes: %s", k, n, says);
      sumi__arena_free(&arena);
      sumi_context_free(ctx);
      assert_int_equal(p.live, 0);
    }
  free(pickle);
}

/* Numbers of memos that leave gaps would ask for memory that no value needs. */
static void memos_follow_each_other(void **state) {
  const sumi__pickle_value *v;
  sumi__arena arena;
  char pickle[256];
  size_t n = 0;
  PUT("]r\x00\x00\x00\x01", 1);
  PUT("N0", 100);
  PUT(".", 1);
  assert_int_equal(parse(*state, pickle, n, &v, &arena), SUMI_FORMAT);
  assert_error(*state, "a memo's number is too large");
  sumi__arena_free(&arena);
}

/* A pickle that goes on for ever is not followed for ever. */
static void endless_pickles_end(void **state) {
  const sumi__pickle_value *v;
  sumi__arena arena;
  const size_t bytes = SUMI__PICKLE_MOST_BYTES + 1000;
  char *pickle = malloc(bytes);
  assert_non_null(pickle);
  put(pickle, 0, BYTES("\x80\x02"), bytes / 2);
  assert_int_equal(parse(*state, pickle, bytes, &v, &arena), SUMI_FORMAT);
  assert_error(*state, "hostile.ckpt: the pickle has no end within 67108864 bytes, which is the limit");
  sumi__arena_free(&arena);
  free(pickle);
}

/* An archive of a pickle and a storage of 16 bytes under the key 0. */
static size_t make_archive(uint8_t *out, const char *pickle, size_t bytes) {
  static const char *const names[] = {"a/data.pkl", "a/data/0"};
  const char *const data[] = {pickle, "sixteen bytes..."};
  const size_t sizes[] = {bytes, 16}, n[] = {10, 8};
  uint8_t central[2 * 46 + 18] = {0}, end[22] = {'P', 'K', 5, 6}, *p = out, *c = central;
  for (int k = 0; k < 2; k++) {
    uint8_t local[30] = {'P', 'K', 3, 4}, entry[46] = {'P', 'K', 1, 2};
    for (int i = 0; i < 4; i++) {
      local[18 + i] = local[22 + i] = entry[20 + i] = entry[24 + i] = (uint8_t)(sizes[k] >> 8 * i);
      entry[42 + i] = (uint8_t)((size_t)(p - out) >> 8 * i);
    }
    local[26] = entry[28] = (uint8_t)n[k];
    memcpy(p, local, 30), p += 30;
    memcpy(p, names[k], n[k]), p += n[k];
    memcpy(p, data[k], sizes[k]), p += sizes[k];
    memcpy(c, entry, 46), c += 46;
    memcpy(c, names[k], n[k]), c += n[k];
  }
  for (int i = 0; i < 4; i++) end[16 + i] = (uint8_t)((size_t)(p - out) >> 8 * i);
  end[8] = end[10] = 2;
  end[12] = sizeof central;
  memcpy(p, central, sizeof central), p += sizeof central;
  memcpy(p, end, sizeof end), p += sizeof end;
  return (size_t)(p - out);
}

static void assert_archive(sumi_context *ctx, const char *pickle, size_t bytes, sumi_status status, const char *says) {
  uint8_t archive[4096];
  sumi__torch_file f;
  const size_t total = make_archive(archive, pickle, bytes);
  assert_int_equal(sumi__torch_open(ctx, "hostile.ckpt", archive, total, false, &f), status);
  if (status == SUMI_OK) sumi__torch_free(&f);
  if (says && !strstr(sumi_context_error(ctx), says)) fail_msg("%s", sumi_context_error(ctx));
}

#define TENSOR(key, elements, offset, size, stride)                                                                    \
  "}S'x'\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'" key "'\nS'cpu'\n" elements        \
  "tQ" offset "(" size "t(" stride "tI00\n}tRs."

/* A key of 1000 letters above 225 million tensors: lists that are shared. */
static void names_take_little_memory(void **state) {
  (void)state;
  size_t n = 0;
  purse p = {.little = 40 << 20};
  sumi_context *ctx = frugal_context(&p);
  sumi__torch_file f;
  char *pickle = malloc(1 << 20);
  uint8_t *archive = malloc(1 << 20);
  assert_non_null(pickle);
  assert_non_null(archive);
  PUT("ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQI0\n(I4\nt(I1\nt"
      "I00\n}tRq\x00"
      "0](",
      1);
  PUT("h\x00", REPEATED);
  PUT("eq\x01"
      "0}S'",
      1);
  PUT("k", 1000);
  PUT("'\n](", 1);
  PUT("h\x01", REPEATED);
  PUT("es.", 1);
  assert_int_equal(sumi__torch_open(ctx, "z", archive, make_archive(archive, pickle, n), false, &f), SUMI_FORMAT);
  assert_non_null(strstr(sumi_context_error(ctx), "refer to each other too often"));
  free(archive);
  free(pickle);
  sumi_context_free(ctx);
  assert_int_equal(p.live, 0);
}

static void hostile_tensors_are_errors(void **state) {
  assert_archive(*state, BYTES("}."), SUMI_OK, NULL);
  assert_archive(*state, BYTES(TENSOR("0", "I4\n", "I0\n", "I4\n", "I1\n")), SUMI_OK, NULL);
  assert_archive(*state, BYTES(TENSOR("0", "I4\n", "I1\n", "I4\n", "I1\n")), SUMI_FORMAT, "beyond its storage");
  assert_archive(*state, BYTES(TENSOR("0", "I4\n", "I0\n", "I2\n", "I4\n")), SUMI_FORMAT, "beyond its storage");
  assert_archive(*state, BYTES(TENSOR("0", "I4\n", "I0\n", "I4294967296\nI4294967296\n", "I4294967296\nI1\n")),
                 SUMI_FORMAT, "size is beyond any memory");
  assert_archive(*state, BYTES(TENSOR("0", "I4\n", "I0\n", "I4\n", "I4611686018427387905\n")), SUMI_FORMAT,
                 "size is beyond any memory");
  assert_archive(*state, BYTES(TENSOR("0", "I4\n", "I0\n", "I1000000000\n", "I0\n")), SUMI_FORMAT,
                 "repeats more values than the file has");
  assert_archive(*state, BYTES(TENSOR("1", "I4\n", "I0\n", "I4\n", "I1\n")), SUMI_FORMAT, "its storage is missing");
  assert_archive(*state, BYTES(TENSOR("../pkl", "I4\n", "I0\n", "I4\n", "I1\n")), SUMI_FORMAT,
                 "its storage is missing");
  assert_archive(*state, BYTES(TENSOR("0", "I4\n", "I-4\n", "I4\n", "I1\n")), SUMI_FORMAT, "description is wrong");
  assert_archive(*state, BYTES(TENSOR("0", "I4\n", "I0\n", "I-4\n", "I1\n")), SUMI_FORMAT, "size or stride is wrong");
  assert_archive(*state,
                 BYTES("]q\x00(h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00"
                       "e."),
                 SUMI_FORMAT, "refer to each other too often");
  assert_archive(*state, BYTES("cos\nsystem\n(S'touch made'\ntR."), SUMI_OK, NULL);
  assert_int_equal(access("made", F_OK), -1);
}

static void hostile_archives_are_errors(void **state) {
  uint8_t archive[4096], changed[4096];
  sumi__zip zip;
  const size_t total = make_archive(archive, BYTES("}."));
  static const struct {
    int from_end; /* or from the beginning, if negative */
    uint8_t value;
    const char *says;
  } cases[] = {
      {22 - 16, 0xff, "directory is cut short"},   {22 - 12, 0xff, "directory is cut short"},
      {22 - 10, 0xff, "directory is cut short"},   {22 + 54 - 10, 8, "compressed or encrypted"},
      {22 + 54 - 42, 9, "header is not where"},    {22 + 54 - 20, 0xff, "compressed or encrypted"},
      {22 + 54 - 8, 1, "compressed or encrypted"}, {22 + 54 - 42, 0, "files overlap"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    memcpy(changed, archive, total);
    changed[total - (size_t)cases[k].from_end] = cases[k].value;
    if (sumi__zip_open(*state, "z", changed, total, &zip) == SUMI_OK) fail_msg("case %zu was taken", k);
    if (!strstr(sumi_context_error(*state), cases[k].says)) fail_msg("%zu: %s", k, sumi_context_error(*state));
  }
}

/* ---- Shards ---- */

static void shards_are_one(void **state) {
  const float a[2] = {1, 2}, b[3] = {3, 4, 5};
  const sumi__safetensors_entry one = {"a", SUMI_F32, SUMI_SHAPE(2), a}, two = {"b", SUMI_F32, SUMI_SHAPE(3), b};
  sumi__checkpoint *c;
  sumi__tensor_view v;
  assert_int_equal(sumi__safetensors_write(*state, "m-1.safetensors", &one, 1, NULL, 0, NULL, NULL), SUMI_OK);
  assert_int_equal(sumi__safetensors_write(*state, "m-2.safetensors", &two, 1, NULL, 0, NULL, NULL), SUMI_OK);
  const char good[] = "{\"weight_map\": {\"a\": \"m-1.safetensors\", \"b\": \"m-2.safetensors\"}}";
  write_plain("m.safetensors.index.json", good, sizeof good - 1);
  assert_int_equal(sumi__checkpoint_open(*state, "m.safetensors.index.json", &c), SUMI_OK);
  assert_string_equal(sumi__checkpoint_kind(c), "sharded");
  assert_int_equal(sumi__checkpoint_count(c), 2);
  const sumi__tensor_source *source = sumi__checkpoint_source(c);
  assert_true(source->find(source, "b", &v));
  assert_memory_equal(v.data, b, sizeof b);
  assert_false(source->find(source, "c", &v));
  sumi__checkpoint_close(c);

  static const char *const bad[] = {"{\"weight_map\": {\"a\": \"../m-1.safetensors\"}}",
                                    "{\"weight_map\": {\"a\": \"/etc/passwd\"}}",
                                    "{\"weight_map\": {\"a\": \"m.safetensors.index.json\"}}",
                                    "{\"weight_map\": {\"b\": \"m-1.safetensors\"}}",
                                    "{\"weight_map\": {\"a\": 1}}",
                                    "{}"};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    write_plain("m.safetensors.index.json", bad[k], strlen(bad[k]));
    if (sumi__checkpoint_open(*state, "m.safetensors.index.json", &c) == SUMI_OK) fail_msg("case %zu was taken", k);
    assert_non_null(strstr(sumi_context_error(*state), "m.safetensors.index.json"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_are_those_of_torch),
      cmocka_unit_test(truncation_at_every_byte_is_an_error),
      cmocka_unit_test(calls_are_not_made),
      cmocka_unit_test(damaged_pickles_are_errors),
      cmocka_unit_test(cycles_end),
      cmocka_unit_test(repeats_take_little_memory),
      cmocka_unit_test(many_values_take_bounded_memory),
      cmocka_unit_test(memos_follow_each_other),
      cmocka_unit_test(endless_pickles_end),
      cmocka_unit_test(names_take_little_memory),
      cmocka_unit_test(hostile_tensors_are_errors),
      cmocka_unit_test(hostile_archives_are_errors),
      cmocka_unit_test(shards_are_one),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
