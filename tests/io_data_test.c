/* IDX data and CSV logs. */
#include "support.h"

#include "io/csv.h"
#include "io/idx.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <zlib.h>

/* ---- IDX ---- */

static const uint8_t small_idx[] = {0, 0, 0x08, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};

static void idx_refused(sumi_context *ctx, const void *bytes, size_t count, const char *reason) {
  sumi__idx idx;
  assert_int_equal(sumi__idx_parse(ctx, "d.idx", bytes, count, 1 << 20, &idx), SUMI_FORMAT);
  assert_null(idx.data);
  assert_error(ctx, "d.idx", reason);
}

static void idx_is_read_plain_and_gzipped(void **state) {
  sumi_context *ctx = *state;
  sumi__idx idx;
  write_plain("plain.idx", small_idx, sizeof small_idx);
  gzFile gz = gzopen("packed.idx.gz", "wb");
  assert_int_equal(gzwrite(gz, small_idx, sizeof small_idx), sizeof small_idx);
  gzclose(gz);
  const char *const paths[] = {"plain.idx", "packed.idx.gz"};
  for (int i = 0; i < 2; i++) {
    assert_ok(ctx, sumi__idx_read(ctx, paths[i], 1000, &idx));
    assert_int_equal(idx.dtype, SUMI_U8);
    assert_int_equal(idx.rank, 2);
    assert_int_equal(idx.dims[0], 2);
    assert_int_equal(idx.dims[1], 3);
    assert_int_equal(idx.count, 6);
    assert_int_equal(idx.bytes, 6);
    assert_memory_equal(idx.data, "\1\2\3\4\5\6", 6);
    sumi__idx_free(ctx, &idx);
    assert_null(idx.data);
  }
  assert_int_equal(sumi__idx_read(ctx, "packed.idx.gz", 17, &idx), SUMI_FORMAT);
  assert_error(ctx, "packed.idx.gz", "at most 17");
  assert_int_equal(sumi__idx_read(ctx, "absent.idx", 1000, &idx), SUMI_NOT_FOUND);
}

static size_t live_bytes, most_bytes;

static void *counting_allocate(void *user, size_t bytes) {
  (void)user;
  uint8_t *p = aligned_alloc(64, sumi__align_up(bytes, 64) + 64);
  if (!p) return NULL;
  memcpy(p, &bytes, sizeof bytes);
  live_bytes += bytes;
  if (live_bytes > most_bytes) most_bytes = live_bytes;
  return p + 64;
}

static void counting_release(void *user, void *memory) {
  (void)user;
  size_t bytes;
  memcpy(&bytes, (uint8_t *)memory - 64, sizeof bytes);
  live_bytes -= bytes;
  free((uint8_t *)memory - 64);
}

/* A small header in front of 64 MB of zeros, which are 64 KB when they are packed. */
static void idx_does_not_expand_what_its_header_does_not_ask_for(void **state) {
  (void)state;
  const sumi_context_options options = {.allocate = counting_allocate, .release = counting_release};
  static const uint8_t zeros[1 << 20];
  sumi_context *ctx = NULL;
  sumi__idx idx;
  assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
  gzFile gz = gzopen("bomb.idx.gz", "wb9");
  assert_int_equal(gzwrite(gz, small_idx, sizeof small_idx), sizeof small_idx);
  for (int i = 0; i < 64; i++) assert_int_equal(gzwrite(gz, zeros, sizeof zeros), sizeof zeros);
  gzclose(gz);
  most_bytes = 0;
  assert_int_equal(sumi__idx_read(ctx, "bomb.idx.gz", (size_t)1 << 30, &idx), SUMI_FORMAT);
  assert_error(ctx, "bomb.idx.gz", "more than the 18 bytes");
  assert_true(most_bytes < 1 << 20);
  sumi_context_free(ctx);
  assert_int_equal(live_bytes, 0);
}

static void idx_types_are_big_endian(void **state) {
  sumi_context *ctx = *state;
  sumi__idx idx;
  assert_ok(ctx, sumi__idx_parse(ctx, "i16", "\0\0\x0b\1\0\0\0\2\xff\xfe\1\2", 12, 100, &idx));
  assert_int_equal(idx.dtype, SUMI_I16);
  assert_memory_equal(idx.data, ((int16_t[]){-2, 0x102}), 4);
  sumi__idx_free(ctx, &idx);
  assert_ok(ctx, sumi__idx_parse(ctx, "i32", "\0\0\x0c\1\0\0\0\1\xff\xff\xff\xfe", 12, 100, &idx));
  assert_int_equal(*(int32_t *)idx.data, -2);
  sumi__idx_free(ctx, &idx);
  assert_ok(ctx, sumi__idx_parse(ctx, "f32", "\0\0\x0d\1\0\0\0\1\x3f\xc0\0\0", 12, 100, &idx));
  assert_true(*(float *)idx.data == 1.5f);
  sumi__idx_free(ctx, &idx);
  assert_ok(ctx, sumi__idx_parse(ctx, "f64", "\0\0\x0e\1\0\0\0\1\xbf\xf8\0\0\0\0\0\0", 16, 100, &idx));
  assert_true(*(double *)idx.data == -1.5);
  sumi__idx_free(ctx, &idx);
  assert_ok(ctx, sumi__idx_parse(ctx, "i8", "\0\0\x09\1\0\0\0\1\xff", 9, 100, &idx));
  assert_int_equal(*(int8_t *)idx.data, -1);
  sumi__idx_free(ctx, &idx);
  assert_ok(ctx, sumi__idx_parse(ctx, "none", "\0\0\x0e\2\0\0\0\0\0\0\0\7", 12, 100, &idx));
  assert_int_equal(idx.count, 0);
  sumi__idx_free(ctx, &idx);
}

static void idx_is_strict(void **state) {
  sumi_context *ctx = *state;
  for (size_t cut = 0; cut < sizeof small_idx; cut++) {
    uint8_t *part = malloc(cut ? cut : 1); /* of its own size, for the sanitizers */
    memcpy(part, small_idx, cut);
    idx_refused(ctx, part, cut, cut < 4 ? "at least 4" : "truncated");
    free(part);
  }
  uint8_t longer[sizeof small_idx + 1] = {0};
  memcpy(longer, small_idx, sizeof small_idx);
  idx_refused(ctx, longer, sizeof longer, "too long: its dimensions need 6 bytes, 7 are there");
  idx_refused(ctx, "\1\0\x08\1\0\0\0\0", 8, "begins with the bytes 01 00");
  idx_refused(ctx, "\x89PNG....", 8, "begins with the bytes 89 50");
  idx_refused(ctx, "\0\0\x0a\1\0\0\0\0", 8, "unknown IDX type 0x0a");
  idx_refused(ctx, "\0\0\x08\0", 4, "0 dimensions");
  idx_refused(ctx, "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32, "7 dimensions");
  idx_refused(ctx, "\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xff", 12, "multiply past 2^63");
  idx_refused(ctx, "\0\0\x0e\2\x7f\xff\xff\xff\x7f\xff\xff\xff", 12, "multiply past 2^64");
  idx_refused(ctx, "\0\0\x08\1\x7f\xff\xff\xff", 8, "truncated: its dimensions need 2147483647");
  idx_refused(ctx, "\x1f\x8b\x08garbage", 10, "compressed data is");
}

/* ---- CSV ---- */

static const char *const columns[] = {"step", "loss", "lr"};

static sumi__csv *csv_open(sumi_context *ctx, const char *path, int64_t last_step) {
  sumi__csv *csv = NULL;
  assert_ok(ctx, sumi__csv_open(ctx, path, columns, 3, last_step, &csv));
  return csv;
}

static void expect_text(const char *path, const char *text) {
  char *found = read_plain(path, NULL);
  assert_string_equal(found, text);
  free(found);
}

static void csv_rows_are_there_at_once(void **state) {
  sumi_context *ctx = *state;
  sumi__csv *csv = csv_open(ctx, "log.csv", -1);
  expect_text("log.csv", "step,loss,lr\n");
  assert_ok(ctx, sumi__csv_append(csv, (double[]){1, 0.5, 1e-4}));
  assert_ok(ctx, sumi__csv_append(csv, (double[]){100000, NAN, INFINITY}));
  expect_text("log.csv", "step,loss,lr\n1,0.5,0.0001\n100000,,inf\n");
  assert_int_equal(sumi__csv_append(csv, (double[]){NAN, 1, 1}), SUMI_INVALID);
  assert_ok(ctx, sumi__csv_sync(csv));
  sumi__csv_close(csv);
  sumi__csv_close(NULL);
}

static void csv_goes_on_after_a_step(void **state) {
  sumi_context *ctx = *state;
  static const char rows[] = "step,loss,lr\n10,1,2\n20,3,\n30,nan,6\n40,7,8\n5";
  write_plain("go.csv", rows, sizeof rows - 1);
  sumi__csv *csv = csv_open(ctx, "go.csv", 40); /* the half line goes */
  expect_text("go.csv", "step,loss,lr\n10,1,2\n20,3,\n30,nan,6\n40,7,8\n");
  sumi__csv_close(csv);
  csv = csv_open(ctx, "go.csv", 25); /* and so do the rows that come again */
  assert_ok(ctx, sumi__csv_append(csv, (double[]){30, 9, 9}));
  sumi__csv_close(csv);
  expect_text("go.csv", "step,loss,lr\n10,1,2\n20,3,\n30,9,9\n");
  csv = csv_open(ctx, "go.csv", 0);
  sumi__csv_close(csv);
  expect_text("go.csv", "step,loss,lr\n");
  csv = csv_open(ctx, "new.csv", 7); /* a missing one is begun */
  sumi__csv_close(csv);
  expect_text("new.csv", "step,loss,lr\n");
  write_plain("half.csv", "step,lo", 7);
  csv = csv_open(ctx, "half.csv", 7);
  sumi__csv_close(csv);
  expect_text("half.csv", "step,loss,lr\n");
}

static void csv_repairs_a_cut_anywhere(void **state) {
  sumi_context *ctx = *state;
  static const char rows[] = "step,loss,lr\n1,0.5,2\n2,0.25,2\n";
  static const char *const whole[] = {"step,loss,lr\n", "step,loss,lr\n1,0.5,2\n", rows};
  for (size_t cut = 0; cut < sizeof rows; cut++) {
    write_plain("cut.csv", rows, cut);
    sumi__csv_close(csv_open(ctx, "cut.csv", 2));
    expect_text("cut.csv", whole[cut >= strlen(whole[2]) ? 2 : cut >= strlen(whole[1]) ? 1 : 0]);
  }
}

static void csv_refuses_what_is_not_its_own(void **state) {
  sumi_context *ctx = *state;
  sumi__csv *csv = NULL;
  static const char other[] = "step,accuracy\n1,2\n", damaged[] = "step,loss,lr\n1,2,3\n2,two,3\n3,3,3\n";
  write_plain("other.csv", other, sizeof other - 1);
  assert_int_equal(sumi__csv_open(ctx, "other.csv", columns, 3, 5, &csv), SUMI_MISMATCH);
  assert_error(ctx, "other.csv", "step,loss,lr");
  expect_text("other.csv", other);
  write_plain("damaged.csv", damaged, sizeof damaged - 1);
  assert_int_equal(sumi__csv_open(ctx, "damaged.csv", columns, 3, 5, &csv), SUMI_FORMAT);
  assert_error(ctx, "damaged.csv:3", "3 numbers");
  expect_text("damaged.csv", damaged);
  assert_int_equal(sumi__csv_open(ctx, "x.csv", (const char *[]){"a,b"}, 1, -1, &csv), SUMI_INVALID);
  assert_int_equal(sumi__csv_open(ctx, "x.csv", columns, 0, -1, &csv), SUMI_INVALID);
  assert_int_equal(sumi__csv_open(ctx, "no/x.csv", columns, 3, -1, &csv), SUMI_IO);
  assert_error(ctx, "no/x.csv", "No such file");
}

static void a_full_disk_leaves_whole_rows(void **state) {
  (void)state;
  const pid_t child = fork();
  if (child == 0) {
    sumi_context *ctx = NULL;
    sumi__csv *csv = NULL;
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {100, 100};
    if (sumi_context_create(NULL, &ctx) != SUMI_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(20);
    if (sumi__csv_open(ctx, "full.csv", columns, 3, -1, &csv) != SUMI_OK) _exit(21);
    sumi_status status = SUMI_OK;
    for (int i = 0; i < 100 && status == SUMI_OK; i++) status = sumi__csv_append(csv, (double[]){i, 0.125, 0.5});
    sumi__csv_close(csv);
    _exit(status == SUMI_IO && strstr(sumi_context_error(ctx), "full.csv") ? 0 : 22);
  }
  int result = 0;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  assert_int_equal(WEXITSTATUS(result), 0);
  size_t bytes = 0;
  char *text = read_plain("full.csv", &bytes);
  assert_true(bytes > 80 && bytes <= 100 && text[bytes - 1] == '\n');
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(idx_is_read_plain_and_gzipped),
      cmocka_unit_test(idx_does_not_expand_what_its_header_does_not_ask_for),
      cmocka_unit_test(idx_types_are_big_endian),
      cmocka_unit_test(idx_is_strict),
      cmocka_unit_test(csv_rows_are_there_at_once),
      cmocka_unit_test(csv_goes_on_after_a_step),
      cmocka_unit_test(csv_repairs_a_cut_anywhere),
      cmocka_unit_test(csv_refuses_what_is_not_its_own),
      cmocka_unit_test(a_full_disk_leaves_whole_rows),
  };
  return cmocka_run_group_tests_name("io: data and logs", tests, support_setup, support_teardown);
}
