/* The same malice for every reader that can meet it: names given twice, names without an end, nests without a bottom,
 * calls of functions, and files that end anywhere. */
#include "support.h"

#include "io/checkpoint.h"
#include "io/json.h"
#include "io/pickle.h"
#include "io/safetensors.h"
#include "io/torch_file.h"
#include "io/zip.h"

#define BYTES(text) text, sizeof(text) - 1

/* ---- Archives of any files ---- */

typedef struct part {
  const char *name, *data;
  size_t bytes;
} part;

static void put_number(uint8_t *at, size_t number, int bytes) {
  for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(number >> 8 * i);
}

/* name_bytes: how long the last file's name is said to be in the directory; 0: as long as it is. */
static size_t make_archive(uint8_t *out, const part *parts, size_t count, size_t name_bytes) {
  static uint8_t central[1 << 12];
  uint8_t *p = out, *c = central, end[22] = {'P', 'K', 5, 6};
  for (size_t k = 0; k < count; k++) {
    uint8_t local[30] = {'P', 'K', 3, 4}, entry[46] = {'P', 'K', 1, 2};
    const size_t n = strlen(parts[k].name);
    put_number(local + 18, parts[k].bytes, 4);
    put_number(local + 22, parts[k].bytes, 4);
    put_number(local + 26, n, 2);
    put_number(entry + 20, parts[k].bytes, 4);
    put_number(entry + 24, parts[k].bytes, 4);
    put_number(entry + 28, name_bytes && k + 1 == count ? name_bytes : n, 2);
    put_number(entry + 42, (size_t)(p - out), 4);
    memcpy(p, local, 30), p += 30;
    memcpy(p, parts[k].name, n), p += n;
    memcpy(p, parts[k].data, parts[k].bytes), p += parts[k].bytes;
    memcpy(c, entry, 46), c += 46;
    memcpy(c, parts[k].name, n), c += n;
  }
  const size_t directory = (size_t)(c - central);
  put_number(end + 8, count, 2);
  put_number(end + 10, count, 2);
  put_number(end + 12, directory, 4);
  put_number(end + 16, (size_t)(p - out), 4);
  memcpy(p, central, directory), p += directory;
  memcpy(p, end, sizeof end);
  return (size_t)(p - out) + sizeof end;
}

static sumi_status open_pickle(sumi_context *ctx, const char *pickle, size_t bytes, sumi__torch_file *f) {
  static uint8_t archive[1 << 20];
  const part parts[] = {{"a/data.pkl", pickle, bytes}, {"a/data/0", "sixteen bytes...", 16}};
  assert_true(bytes < sizeof archive - 1000);
  return sumi__torch_open(ctx, "hostile.ckpt", archive, make_archive(archive, parts, 2, 0), false, f);
}

#define STORAGE "S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\nt"
#define TENSOR "ctorch._utils\n_rebuild_tensor_v2\n((" STORAGE "QI0\n(I4\nt(I1\ntI00\n}tR"

/* ---- Names given twice ---- */

static void names_given_twice_are_refused(void **state) {
  sumi_context *ctx = *state;
  static uint8_t archive[4096];
  sumi__torch_file f;
  sumi__zip zip;
  sumi__json *json;
  sumi__checkpoint *c;
  const part twice[] = {{"a/data.pkl", "}.", 2}, {"a/data/0", "x", 1}, {"a/data/0", "y", 1}};
  assert_int_equal(sumi__zip_open(ctx, "hostile.zip", archive, make_archive(archive, twice, 3, 0), &zip), SUMI_FORMAT);
  assert_error(ctx, "hostile.zip", "two files have one name");
  assert_int_equal(open_pickle(ctx, BYTES("}(S'x'\n" TENSOR "S'x'\n" TENSOR "u."), &f), SUMI_FORMAT);
  assert_error(ctx, "hostile.ckpt: tensor `x`: the name comes twice");
  /* "a.b" may be one key or two. */
  assert_int_equal(open_pickle(ctx, BYTES("}(S'a.b'\n" TENSOR "S'a'\n}S'b'\n" TENSOR "su."), &f), SUMI_FORMAT);
  assert_error(ctx, "hostile.ckpt: tensor `a.b`: the name comes twice");
  assert_int_equal(
      sumi__json_parse(ctx, "hostile.json", BYTES("{\"a\": 1, \"a\": 2}"), &sumi__json_config_limits, &json),
      SUMI_FORMAT);
  assert_error(ctx, "hostile.json", "duplicate");
  static const char index[] = "{\"weight_map\": {\"a\": \"m.safetensors\", \"a\": \"m.safetensors\"}}";
  write_plain("twice.safetensors.index.json", index, sizeof index - 1);
  assert_int_equal(sumi__checkpoint_open(ctx, "twice.safetensors.index.json", &c), SUMI_FORMAT);
  assert_error(ctx, "twice.safetensors.index.json", "duplicate");
}

/* ---- Names without an end ---- */

static void long_names_are_refused(void **state) {
  sumi_context *ctx = *state;
  static uint8_t archive[4096];
  sumi__torch_file f;
  sumi__zip zip;
  const part parts[] = {{"a/data.pkl", "}.", 2}, {"a/data/0", "x", 1}};
  assert_int_equal(sumi__zip_open(ctx, "hostile.zip", archive, make_archive(archive, parts, 2, 65535), &zip),
                   SUMI_FORMAT);
  assert_error(ctx, "hostile.zip", "cut short");
  /* Keys of a gigabyte that are not there, and one of half a megabyte that is. */
  assert_int_equal(open_pickle(ctx,
                               BYTES("}X\0\0\0\x40"
                                     "abc" TENSOR "s."),
                               &f),
                   SUMI_FORMAT);
  assert_error(ctx, "hostile.ckpt", "ends in the middle");
  assert_int_equal(open_pickle(ctx,
                               BYTES("}\x8d\0\0\0\x40\0\0\0\0"
                                     "abc" TENSOR "s."),
                               &f),
                   SUMI_FORMAT);
  assert_error(ctx, "hostile.ckpt", "ends in the middle");
  enum { LONG = 500000 };
  char *pickle = malloc(LONG + 1000);
  assert_non_null(pickle);
  int n = snprintf(pickle, 1000, "}S'");
  memset(pickle + n, 'k', LONG);
  n += LONG + snprintf(pickle + n + LONG, 500, "'\n%s", TENSOR "s.");
  const sumi_status status = open_pickle(ctx, pickle, (size_t)n, &f);
  if (status == SUMI_OK) {
    assert_int_equal(f.count, 0); /* such a name is nobody's */
    sumi__torch_free(&f);
  }
  free(pickle);
}

/* ---- Nests without a bottom ---- */

static void deep_nests_end(void **state) {
  sumi_context *ctx = *state;
  enum { DEEP = 200000 };
  static const char *const levels[] = {"]", "}K\x01", "("};
  static const char *const ends[] = {"a", "s", "t"};
  sumi__torch_file f;
  char *text = malloc(8 * DEEP);
  assert_non_null(text);
  for (int k = 0; k < 3; k++) {
    char *p = text;
    for (int i = 0; i < DEEP; i++) p = memcpy(p, levels[k], strlen(levels[k])), p += strlen(levels[k]);
    *p++ = 'N';
    for (int i = 0; i < DEEP; i++) *p++ = ends[k][0];
    *p++ = '.';
    const sumi_status status = open_pickle(ctx, text, (size_t)(p - text), &f);
    if (status == SUMI_OK) sumi__torch_free(&f);
    if (status != SUMI_OK) assert_error(ctx, "hostile.ckpt: ");
  }
  static const char *const brackets[] = {"[", "{\"a\":"};
  for (int k = 0; k < 2; k++) {
    sumi__json *json;
    sumi_safetensors *file;
    char *p = text + 8;
    for (int i = 0; i < DEEP; i++) p = memcpy(p, brackets[k], strlen(brackets[k])), p += strlen(brackets[k]);
    const size_t bytes = (size_t)(p - text) - 8;
    assert_int_equal(sumi__json_parse(ctx, "deep.json", text + 8, bytes, &sumi__json_config_limits, &json),
                     SUMI_FORMAT);
    assert_error(ctx, "deep.json");
    put_number((uint8_t *)text, bytes, 8);
    assert_int_equal(sumi__safetensors_parse(ctx, "deep.safetensors", text, bytes + 8, &file), SUMI_FORMAT);
    assert_error(ctx, "deep.safetensors");
  }
  free(text);
}

/* ---- Calls ---- */

/* Each way in which a pickle can ask for a function to be called or an object to be made. */
static void functions_are_not_called(void **state) {
  sumi_context *ctx = *state;
#define TOUCH "S'touch made'\n"
  static const struct {
    const char *text;
    size_t bytes;
  } calls[] = {{BYTES("cos\nsystem\n(" TOUCH "tR.")},                               /* GLOBAL, REDUCE */
               {BYTES("S'os'\nS'system'\n\x93(" TOUCH "tR.")},                      /* STACK_GLOBAL */
               {BYTES("(" TOUCH "ios\nsystem\n.")},                                 /* INST */
               {BYTES("(cos\nsystem\n" TOUCH "o.")},                                /* OBJ */
               {BYTES("cos\nsystem\n(" TOUCH "t\x81.")},                            /* NEWOBJ */
               {BYTES("cos\nsystem\n(" TOUCH "t}\x92.")},                           /* NEWOBJ_EX */
               {BYTES("}cos\nsystem\n(" TOUCH "tR0.")},                             /* and thrown away */
               {BYTES("cbuiltins\nobject\n)\x81}S'__reduce__'\ncos\nsystem\nsb.")}, /* BUILD */
               {BYTES("cposix\nsystem\n" TOUCH "\x85R.")},
               {BYTES("cbuiltins\nexec\nS'open(\"made\",\"w\")'\n\x85R.")},
               {BYTES("ctorch.hub\nload\nS'x'\n\x85R.")},
               {BYTES("}S'x'\ncos\nsystem\n(" TOUCH "tRs.")}};
  remove("made");
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    sumi__torch_file f;
    const sumi_status status = open_pickle(ctx, calls[i].text, calls[i].bytes, &f);
    if (status != SUMI_OK) fail_msg("case %zu: %s", i, sumi_context_error(ctx));
    assert_int_equal(f.count, 0);
    sumi__torch_free(&f);
    assert_int_equal(access("made", F_OK), -1);
  }
  /* A persistent id as a line, an extension's code: no checkpoint has them. */
  sumi__torch_file f;
  assert_int_equal(open_pickle(ctx, BYTES("Pid\n."), &f), SUMI_FORMAT);
  assert_int_equal(open_pickle(ctx, BYTES("\x82\x01."), &f), SUMI_FORMAT);
  assert_int_equal(open_pickle(ctx, BYTES("\x83\x01\x00."), &f), SUMI_FORMAT);
  assert_int_equal(open_pickle(ctx, BYTES("\x84\x01\x00\x00\x00."), &f), SUMI_FORMAT);
}

/* ---- Files that end anywhere ---- */

static uint8_t *copy_of(const char *data, size_t n) {
  uint8_t *copy = malloc(n ? n : 1); /* exactly as long, so that a sanitizer sees what is read beyond */
  assert_non_null(copy);
  memcpy(copy, data, n);
  return copy;
}

static void beginnings_are_refused(void **state) {
  sumi_context *ctx = *state;
  static const char pickle[] = "\x80\x02}(X\x01\0\0\0xq\0" TENSOR "q\1K\2K\3\x86u.";
  static const char index[] = "{\"weight_map\": {\"a\": \"m.safetensors\"}}";
  static uint8_t archive[4096];
  const part parts[] = {{"a/data.pkl", "}.", 2}, {"a/data/0", "x", 1}};
  const size_t whole = make_archive(archive, parts, 2, 0);
  for (size_t n = 0; n + 1 < sizeof pickle; n++) {
    const sumi__pickle_value *v;
    sumi__arena arena;
    sumi__arena_init(&arena, ctx);
    uint8_t *cut = copy_of(pickle, n);
    assert_int_equal(sumi__pickle_parse(ctx, "cut.pkl", cut, n, &arena, NULL, NULL, &v), SUMI_FORMAT);
    assert_error(ctx, "cut.pkl");
    sumi__arena_free(&arena);
    free(cut);
  }
  for (size_t n = 0; n < whole; n++) {
    sumi__zip zip;
    uint8_t *cut = copy_of((const char *)archive, n);
    assert_int_equal(sumi__zip_open(ctx, "cut.zip", cut, n, &zip), SUMI_FORMAT);
    assert_error(ctx, "cut.zip");
    free(cut);
  }
  for (size_t n = 0; n + 1 < sizeof index; n++) {
    sumi__checkpoint *c;
    write_plain("cut.safetensors.index.json", index, n);
    assert_int_equal(sumi__checkpoint_open(ctx, "cut.safetensors.index.json", &c), SUMI_FORMAT);
    assert_error(ctx, "cut.safetensors.index.json");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_given_twice_are_refused),
      cmocka_unit_test(long_names_are_refused),
      cmocka_unit_test(deep_nests_end),
      cmocka_unit_test(functions_are_not_called),
      cmocka_unit_test(beginnings_are_refused),
  };
  return cmocka_run_group_tests_name("hostile files", tests, support_setup, support_teardown);
}
