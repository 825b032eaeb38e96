/* Files, gzip and numbers as text. */
#define _GNU_SOURCE /* unshare */
#include "support.h"

#include "io/file.h"
#include "io/gzip.h"
#include "io/text.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <zlib.h>

static void expect_file(const char *path, const char *text) {
  char *found = read_plain(path, NULL);
  assert_string_equal(found, text);
  free(found);
}

static void replaces_a_file_as_a_whole(void **state) {
  sumi_context *ctx = *state;
  assert_ok(ctx, sumi__file_write(ctx, "whole.txt", "first", 5));
  expect_file("whole.txt", "first");
  sumi__file_writer *w = NULL;
  assert_ok(ctx, sumi__file_writer_open(ctx, "whole.txt", &w));
  assert_ok(ctx, sumi__file_writer_write(w, "sec", 3));
  assert_ok(ctx, sumi__file_writer_write(w, "ond", 3));
  assert_int_equal(sumi__file_writer_position(w), 6);
  expect_file("whole.txt", "first"); /* until the commit */
  assert_ok(ctx, sumi__file_writer_commit(w));
  sumi__file_writer_free(w);
  expect_file("whole.txt", "second");
  assert_int_equal(temporaries_of("whole.txt"), 0);
}

static void abandoning_leaves_the_old_file(void **state) {
  sumi_context *ctx = *state;
  write_plain("kept.txt", "old", 3);
  sumi__file_writer *w = NULL;
  assert_ok(ctx, sumi__file_writer_open(ctx, "kept.txt", &w));
  char *large = calloc(1, 1 << 20); /* beyond the buffer, so that something reached the disk */
  assert_ok(ctx, sumi__file_writer_write(w, large, 1 << 20));
  free(large);
  assert_int_equal(temporaries_of("kept.txt"), 1);
  sumi__file_writer_free(w);
  expect_file("kept.txt", "old");
  assert_int_equal(temporaries_of("kept.txt"), 0);
  sumi__file_writer_free(NULL);
}

static void patches_what_is_written(void **state) {
  sumi_context *ctx = *state;
  sumi__file_writer *w = NULL;
  assert_ok(ctx, sumi__file_writer_open(ctx, "patched.txt", &w));
  assert_ok(ctx, sumi__file_writer_write(w, "count ?? end", 12));
  assert_ok(ctx, sumi__file_writer_patch(w, 6, "42", 2));
  assert_ok(ctx, sumi__file_writer_write(w, ".", 1));
  assert_ok(ctx, sumi__file_writer_commit(w));
  sumi__file_writer_free(w);
  expect_file("patched.txt", "count 42 end.");
  assert_ok(ctx, sumi__file_writer_open(ctx, "patched.txt", &w));
  assert_int_equal(sumi__file_writer_patch(w, 0, "x", 1), SUMI_INVALID);
  assert_int_equal(sumi__file_writer_commit(w), SUMI_INVALID);
  sumi__file_writer_free(w);
  expect_file("patched.txt", "count 42 end.");
}

static void of_two_writers_the_later_file_stays_whole(void **state) {
  sumi_context *ctx = *state;
  sumi__file_writer *first = NULL, *second = NULL;
  assert_ok(ctx, sumi__file_writer_open(ctx, "shared.txt", &first));
  assert_ok(ctx, sumi__file_writer_open(ctx, "shared.txt", &second));
  assert_ok(ctx, sumi__file_writer_write(first, "the first's", 11));
  assert_ok(ctx, sumi__file_writer_write(second, "the other's", 11));
  assert_ok(ctx, sumi__file_writer_commit(second));
  expect_file("shared.txt", "the other's");
  assert_ok(ctx, sumi__file_writer_commit(first));
  expect_file("shared.txt", "the first's");
  sumi__file_writer_free(first);
  sumi__file_writer_free(second);
  assert_int_equal(temporaries_of("shared.txt"), 0);
}

/* Whatever lies beside the target, and however it is called, is somebody else's. */
static void files_beside_the_target_are_not_touched(void **state) {
  sumi_context *ctx = *state;
  struct stat info;
  write_plain("beside.txt.tmp", "a text of mine", 14);
  assert_int_equal(mkfifo("pipe.txt.tmp", 0600), 0);
  write_plain(".beside.txt.abcdef", "mine too", 8);
  assert_ok(ctx, sumi__file_write(ctx, "beside.txt", "new", 3));
  assert_ok(ctx, sumi__file_write(ctx, "pipe.txt", "new", 3));
  expect_file("beside.txt", "new");
  expect_file("beside.txt.tmp", "a text of mine");
  expect_file(".beside.txt.abcdef", "mine too");
  assert_int_equal(lstat("pipe.txt.tmp", &info), 0);
  assert_true(S_ISFIFO(info.st_mode));
}

static void names_as_long_as_the_system_allows(void **state) {
  sumi_context *ctx = *state;
  char name[256] = "";
  memset(name, 'n', sizeof name - 1);
  assert_ok(ctx, sumi__file_write(ctx, name, "x", 1));
  expect_file(name, "x");
  assert_int_equal(sumi__file_write(ctx, "", "x", 1), SUMI_INVALID);
  assert_error(ctx, "empty");
}

static void links_to_files_that_do_not_exist_yet(void **state) {
  sumi_context *ctx = *state;
  struct stat info;
  assert_int_equal(mkdir("elsewhere", 0777), 0);
  assert_int_equal(symlink("elsewhere/second", "first-link"), 0);
  assert_int_equal(symlink("third", "elsewhere/second"), 0);
  assert_ok(ctx, sumi__file_write(ctx, "first-link", "new", 3));
  expect_file("elsewhere/third", "new");
  assert_int_equal(lstat("first-link", &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_int_equal(symlink("loop-b", "loop-a"), 0);
  assert_int_equal(symlink("loop-a", "loop-b"), 0);
  assert_int_equal(sumi__file_write(ctx, "loop-a", "x", 1), SUMI_IO);
  assert_error(ctx, "loop-a");
}

static void links_and_permissions_stay(void **state) {
  sumi_context *ctx = *state;
  write_plain("behind.txt", "old", 3);
  assert_int_equal(chmod("behind.txt", 0640), 0);
  assert_int_equal(symlink("behind.txt", "link.txt"), 0);
  assert_ok(ctx, sumi__file_write(ctx, "link.txt", "new", 3));
  expect_file("behind.txt", "new");
  struct stat info;
  assert_int_equal(lstat("link.txt", &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_int_equal(stat("behind.txt", &info), 0);
  assert_int_equal(info.st_mode & 0777, 0640);
}

static void bad_targets_give_the_path_and_the_reason(void **state) {
  sumi_context *ctx = *state;
  assert_int_equal(sumi__file_write(ctx, "no/such/folder.txt", "x", 1), SUMI_IO);
  assert_error(ctx, "no/such/folder.txt", "No such file or directory");
  assert_int_equal(mkdir("folder", 0777), 0);
  assert_int_equal(sumi__file_write(ctx, "folder", "x", 1), SUMI_IO);
  assert_error(ctx, "folder", "is a folder");
  assert_int_equal(sumi__file_write(ctx, "/dev/full", "x", 1), SUMI_IO);
  assert_error(ctx, "/dev/full", "No space left on device");
  assert_ok(ctx, sumi__file_write(ctx, "/dev/null", "x", 1));
  if (geteuid() != 0) {
    assert_int_equal(mkdir("locked", 0555), 0);
    assert_int_equal(sumi__file_write(ctx, "locked/a.txt", "x", 1), SUMI_IO);
    assert_error(ctx, "locked/a.txt", "Permission denied");
  }
}

/* In a child, whose limits or mounts do not reach the other tests. Returns 0 if the old file stayed and the error
 * names the path and the reason; `folder` is where the disk is short. */
static int write_too_much(const char *folder, const char *reason) {
  sumi_context *ctx = NULL;
  if (sumi_context_create(NULL, &ctx) != SUMI_OK) return 10;
  char path[256];
  snprintf(path, sizeof path, "%s/short.bin", folder);
  if (sumi__file_write(ctx, path, "precious", 8) != SUMI_OK) return 11;
  sumi__file_writer *w = NULL;
  if (sumi__file_writer_open(ctx, path, &w) != SUMI_OK) return 12;
  static char block[64 * 1024];
  sumi_status status = SUMI_OK;
  for (int i = 0; i < 64 && status == SUMI_OK; i++) status = sumi__file_writer_write(w, block, sizeof block);
  if (status == SUMI_OK) return 13;
  if (sumi__file_writer_commit(w) != SUMI_IO) return 14;
  if (!strstr(sumi_context_error(ctx), path) || !strstr(sumi_context_error(ctx), reason)) return 15;
  sumi__file_writer_free(w);
  if (temporaries_of(path) != 0) return 16;
  size_t bytes = 0;
  uint8_t *data = NULL;
  if (sumi__file_read(ctx, path, 100, &data, &bytes) != SUMI_OK || bytes != 8 || memcmp(data, "precious", 8)) return 17;
  sumi__free(ctx, data);
  sumi_context_free(ctx);
  return 0;
}

static int exit_of(pid_t child) {
  int result = 0;
  assert_int_equal(waitpid(child, &result, 0), child);
  assert_true(WIFEXITED(result));
  return WEXITSTATUS(result);
}

static void a_size_limit_leaves_the_old_file(void **state) {
  (void)state;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(20);
    _exit(write_too_much(".", "File too large"));
  }
  assert_int_equal(exit_of(child), 0);
}

static void a_full_disk_leaves_the_old_file(void **state) {
  (void)state;
  assert_int_equal(mkdir("tiny", 0777), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "tiny", "tmpfs", 0, "size=512k") != 0)
      _exit(77);
    _exit(write_too_much("tiny", "No space left on device"));
  }
  const int result = exit_of(child);
  if (result == 77) skip(); /* only root may mount; the size limit above tests the same path */
  assert_int_equal(result, 0);
}

static void reading_has_limits(void **state) {
  sumi_context *ctx = *state;
  uint8_t *data = NULL;
  size_t bytes = 0;
  write_plain("ten.txt", "0123456789", 10);
  assert_ok(ctx, sumi__file_read(ctx, "ten.txt", 10, &data, &bytes));
  assert_int_equal(bytes, 10);
  assert_string_equal((char *)data, "0123456789");
  sumi__free(ctx, data);
  assert_int_equal(sumi__file_read(ctx, "ten.txt", 9, &data, &bytes), SUMI_FORMAT);
  assert_null(data);
  assert_error(ctx, "ten.txt", "at most 9");
  assert_int_equal(sumi__file_read(ctx, "absent.txt", 9, &data, &bytes), SUMI_NOT_FOUND);
  assert_error(ctx, "absent.txt", "No such file");
  assert_int_equal(sumi__file_read(ctx, ".", 9, &data, &bytes), SUMI_IO);
  assert_error(ctx, "is a folder");
  assert_int_equal(sumi__file_read(ctx, "/dev/zero", 1 << 20, &data, &bytes), SUMI_FORMAT);
  assert_error(ctx, "/dev/zero", "larger than");
}

static void maps_files(void **state) {
  sumi_context *ctx = *state;
  sumi__mapping map;
  write_plain("mapped.txt", "abc", 3);
  write_plain("empty.txt", "", 0);
  assert_ok(ctx, sumi__file_map(ctx, "mapped.txt", &map));
  assert_int_equal(map.bytes, 3);
  assert_memory_equal(map.data, "abc", 3);
  sumi__file_unmap(&map);
  assert_null(map.data);
  assert_ok(ctx, sumi__file_map(ctx, "empty.txt", &map));
  assert_non_null(map.data);
  assert_int_equal(map.bytes, 0);
  sumi__file_unmap(&map);
  sumi__file_unmap(&map);
  assert_int_equal(sumi__file_map(ctx, "absent.txt", &map), SUMI_NOT_FOUND);
  assert_int_equal(sumi__file_map(ctx, "/dev/zero", &map), SUMI_IO);
}

static void makes_and_lists_folders(void **state) {
  sumi_context *ctx = *state;
  assert_ok(ctx, sumi__make_directories(ctx, "deep/er/est/"));
  assert_ok(ctx, sumi__make_directories(ctx, "deep/er"));
  assert_true(sumi__is_directory("deep/er/est"));
  write_plain("deep/file", "x", 1);
  assert_int_equal(sumi__make_directories(ctx, "deep/file/below"), SUMI_IO);
  assert_error(ctx, "deep/file", "cannot be made");
  char **names = NULL;
  size_t count = 0;
  assert_ok(ctx, sumi__list_directory(ctx, "deep", &names, &count));
  assert_int_equal(count, 2);
  assert_string_equal(names[0], "er");
  assert_string_equal(names[1], "file");
  sumi__free(ctx, names);
  assert_int_equal(sumi__list_directory(ctx, "deep/none", &names, &count), SUMI_NOT_FOUND);
}

/* gzip data made by zlib itself. */
static size_t gzip(const void *data, size_t bytes, uint8_t *out, size_t room) {
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = (Bytef *)(uintptr_t)data;
  z.avail_in = (uInt)bytes;
  z.next_out = out;
  z.avail_out = (uInt)room;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  const size_t made = z.total_out;
  deflateEnd(&z);
  return made;
}

static void expands_gzip(void **state) {
  sumi_context *ctx = *state;
  uint8_t packed[4096], *data = NULL;
  size_t bytes = 0;
  size_t n = gzip("hello ", 6, packed, sizeof packed);
  n += gzip("world", 5, packed + n, sizeof packed - n); /* two members are one text */
  write_plain("hello.gz", packed, n);
  assert_ok(ctx, sumi__file_read_gzip(ctx, "hello.gz", 100, &data, &bytes));
  assert_string_equal((char *)data, "hello world");
  assert_int_equal(bytes, 11);
  sumi__free(ctx, data);
  write_plain("plain.txt", "hello", 5);
  assert_ok(ctx, sumi__file_read_gzip(ctx, "plain.txt", 100, &data, &bytes));
  assert_string_equal((char *)data, "hello");
  sumi__free(ctx, data);

  assert_ok(ctx, sumi__gunzip(ctx, "exact", packed, n, 11, &data, &bytes));
  sumi__free(ctx, data);
  assert_int_equal(sumi__gunzip(ctx, "exact", packed, n, 10, &data, &bytes), SUMI_FORMAT);
  assert_error(ctx, "exact", "more than the 10 bytes");
  for (size_t cut = 0; cut < n; cut++) {
    const sumi_status status = sumi__gunzip(ctx, "cut", packed, cut, 100, &data, &bytes);
    if (status == SUMI_OK) { /* between the members */
      assert_string_equal((char *)data, "hello ");
      sumi__free(ctx, data);
      continue;
    }
    assert_int_equal(status, SUMI_FORMAT);
    assert_error(ctx, "cut: ");
  }
  packed[n] = 'x';
  assert_int_equal(sumi__gunzip(ctx, "tail", packed, n + 1, 100, &data, &bytes), SUMI_FORMAT);
  assert_error(ctx, "tail", "1 bytes follow");
  packed[12] ^= 0xff;
  assert_int_equal(sumi__gunzip(ctx, "broken", packed, n, 100, &data, &bytes), SUMI_FORMAT);
  assert_error(ctx, "broken", "damaged");
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

static void a_gzip_bomb_meets_its_limit(void **state) {
  (void)state;
  const sumi_context_options options = {.allocate = counting_allocate, .release = counting_release};
  sumi_context *ctx = NULL;
  assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
  const size_t large = 64 << 20;
  uint8_t *zeros = calloc(1, large), *packed = malloc(1 << 20), *data = NULL;
  size_t bytes = 0;
  const size_t n = gzip(zeros, large, packed, 1 << 20);
  most_bytes = 0;
  assert_int_equal(sumi__gunzip(ctx, "bomb.gz", packed, n, 1 << 20, &data, &bytes), SUMI_FORMAT);
  assert_error(ctx, "bomb.gz", "more than the 1048576 bytes");
  assert_true(most_bytes < 4 << 20);
  free(zeros);
  free(packed);
  sumi_context_free(ctx);
  assert_int_equal(live_bytes, 0);
}

static void numbers_read_back_the_same(void **state) {
  (void)state;
  char text[SUMI__NUMBER_MAX];
  assert_string_equal(sumi__format_f64(text, 0.1), "0.1");
  assert_string_equal(sumi__format_f64(text, 1e-5), "1e-05");
  assert_string_equal(sumi__format_f64(text, 100000), "100000");
  assert_string_equal(sumi__format_f64(text, -9007199254740991.0), "-9007199254740991");
  assert_string_equal(sumi__format_f64(text, -0.0), "-0");
  assert_string_equal(sumi__format_f64(text, 1.7976931348623157e308), "1.7976931348623157e+308");
  assert_string_equal(sumi__format_f32(text, 0.1f), "0.1");
  assert_string_equal(sumi__format_f32(text, 16777217.0f), "16777216");
  assert_string_equal(sumi__format_f64(text, -INFINITY), "-inf");
  uint64_t bits = 88172645463325252u;
  for (int i = 0; i < 20000; i++) {
    bits ^= bits << 13;
    bits ^= bits >> 7;
    bits ^= bits << 17;
    double value, back;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    assert_true(sumi__parse_f64(sumi__format_f64(text, value), &back));
    assert_memory_equal(&back, &value, sizeof value);
    float single, single_back;
    memcpy(&single, &bits, sizeof single);
    if (!isfinite(single)) continue;
    assert_true(sumi__parse_f64(sumi__format_f32(text, single), &back));
    single_back = (float)back;
    assert_memory_equal(&single_back, &single, sizeof single);
  }
}

static void numbers_are_read_strictly(void **state) {
  (void)state;
  double f = 0;
  int64_t i = 0;
  const char *const good[] = {"0", "-1", "+2.5", ".5", "5.", "1e3", "1E-3", ".inf", "-inf", ".NaN", "1e-400"};
  for (size_t k = 0; k < sizeof good / sizeof *good; k++) assert_true(sumi__parse_f64(good[k], &f));
  const char *const bad[] = {"", "-", ".", "e5", "1e", "1e+", "1 ", " 1", "0x10", "1,5", "infinity", "1e400", "--1"};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) assert_false(sumi__parse_f64(bad[k], &f));
  assert_true(sumi__parse_i64("-9223372036854775808", &i) && i == INT64_MIN);
  assert_true(sumi__parse_i64("0x7F", &i) && i == 127);
  assert_true(sumi__parse_i64("010", &i) && i == 10);
  assert_false(sumi__parse_i64("9223372036854775808", &i));
  assert_false(sumi__parse_i64("1.0", &i) || sumi__parse_i64("", &i) || sumi__parse_i64("0x", &i) ||
               sumi__parse_i64(" 1", &i) || sumi__parse_i64("+-1", &i) || sumi__parse_i64("0x-1", &i));
}

static void quotes_stay_on_one_line(void **state) {
  (void)state;
  char out[SUMI__QUOTE_MAX];
  assert_string_equal(sumi__quote(out, "unet.conv"), "`unet.conv`");
  assert_string_equal(sumi__quote(out, "a\nb\x1b[2J\x7f"), "`a?b?[2J?`");
  assert_string_equal(sumi__quote(out, "gr\xc3\xbc\xc3\x9f \xff\xc2\x9b"), "`gr\xc3\xbc\xc3\x9f ??`");
  char longer[400];
  memset(longer, 'x', sizeof longer);
  longer[sizeof longer - 1] = 0;
  assert_int_equal(strlen(sumi__quote(out, longer)), 80 + 2 + 3);
  memset(longer, '\xc3', 200); /* never half a character */
  for (int i = 1; i < 200; i += 2) longer[i] = '\xa9';
  assert_true(sumi__is_utf8(sumi__quote(out, longer + 0), strlen(out)));
  assert_false(sumi__is_utf8("\xc0\x80", 2) || sumi__is_utf8("\xed\xa0\x80", 3) ||
               sumi__is_utf8("\xf4\x90\x80\x80", 4) || sumi__is_utf8("\xe2\x82", 2));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(replaces_a_file_as_a_whole),
      cmocka_unit_test(abandoning_leaves_the_old_file),
      cmocka_unit_test(patches_what_is_written),
      cmocka_unit_test(of_two_writers_the_later_file_stays_whole),
      cmocka_unit_test(files_beside_the_target_are_not_touched),
      cmocka_unit_test(names_as_long_as_the_system_allows),
      cmocka_unit_test(links_to_files_that_do_not_exist_yet),
      cmocka_unit_test(links_and_permissions_stay),
      cmocka_unit_test(bad_targets_give_the_path_and_the_reason),
      cmocka_unit_test(a_size_limit_leaves_the_old_file),
      cmocka_unit_test(a_full_disk_leaves_the_old_file),
      cmocka_unit_test(reading_has_limits),
      cmocka_unit_test(maps_files),
      cmocka_unit_test(makes_and_lists_folders),
      cmocka_unit_test(expands_gzip),
      cmocka_unit_test(a_gzip_bomb_meets_its_limit),
      cmocka_unit_test(numbers_read_back_the_same),
      cmocka_unit_test(numbers_are_read_strictly),
      cmocka_unit_test(quotes_stay_on_one_line),
  };
  return cmocka_run_group_tests_name("io: files", tests, support_setup, support_teardown);
}
