/* PNG and animated PNG: written, read back, and refused when damaged. */
#include "support.h"

#include "io/file.h"
#include "io/gzip.h"
#include "io/png.h"
#include "io/png_chunk.h"

#include <zlib.h>

enum { W = 5, H = 3 };

static void fill(uint8_t *pixels, size_t n) {
  for (size_t i = 0; i < n; i++) pixels[i] = (uint8_t)(i * 37 + 11);
}

static void pictures_read_back(void **state) {
  sumi_context *ctx = *state;
  uint8_t pixels[W * H * 4];
  fill(pixels, sizeof pixels);
  const int kinds[] = {1, 3, 4};
  for (int k = 0; k < 3; k++) {
    const sumi_image image = {W, H, kinds[k], pixels};
    assert_ok(ctx, sumi_png_write(ctx, "back.png", &image, NULL, 0));
    sumi_image found;
    assert_ok(ctx, sumi_png_read(ctx, "back.png", &found));
    assert_int_equal(found.width, W);
    assert_int_equal(found.height, H);
    assert_int_equal(found.channels, kinds[k]);
    assert_memory_equal(found.pixels, pixels, (size_t)(W * H * kinds[k]));
    sumi_image_free(ctx, &found);
    assert_null(found.pixels);
  }
}

static void texts_read_back_as_utf8(void **state) {
  sumi_context *ctx = *state;
  uint8_t pixels[W * H] = {0};
  const sumi_image image = {W, H, 1, pixels};
  const sumi_png_text texts[] = {{"parameters", "a brass owl\nSteps: 24"},
                                 {"Author", "J\xc3\xbcrgen \xc2\xa9"},
                                 {"Title", "\xe5\xa2\xa8 \xe2\x80\x93 ink"},
                                 {"Empty", ""}};
  assert_ok(ctx, sumi_png_write(ctx, "text.png", &image, texts, 4));
  for (int i = 0; i < 4; i++) {
    char *text = NULL;
    assert_ok(ctx, sumi_png_read_text(ctx, "text.png", texts[i].key, &text));
    assert_string_equal(text, texts[i].text);
    sumi_text_free(ctx, text);
  }
  char *none = NULL;
  assert_int_equal(sumi_png_read_text(ctx, "text.png", "prompt", &none), SUMI_NOT_FOUND);
  assert_error(ctx, "text.png", "`prompt`");
  /* Latin-1 goes where every reader looks, the rest into iTXt. */
  size_t bytes = 0, offset = SUMI__PNG_SIGNATURE;
  char *file = read_plain("text.png", &bytes), kinds[64] = "";
  sumi__png_chunk chunk = {0};
  for (bool end = false; !end;) {
    assert_ok(ctx, sumi__png_next_chunk(ctx, "t", (uint8_t *)file, bytes, &offset, &chunk, &end));
    if (chunk.type[0] && strstr(chunk.type, "Xt")) strcat(strcat(kinds, chunk.type), " ");
  }
  assert_string_equal(kinds, "tEXt tEXt iTXt tEXt ");
  free(file);
  sumi_image found;
  assert_ok(ctx, sumi_png_read(ctx, "text.png", &found));
  sumi_image_free(ctx, &found);
}

static void nonsense_is_not_written(void **state) {
  sumi_context *ctx = *state;
  uint8_t pixels[16] = {0};
  const sumi_image bad[] = {{0, 1, 1, pixels}, {1, 65536, 1, pixels}, {1, 1, 2, pixels}, {-1, 1, 3, pixels}};
  for (int i = 0; i < 4; i++) assert_int_equal(sumi_png_write(ctx, "bad.png", &bad[i], NULL, 0), SUMI_INVALID);
  const sumi_image image = {1, 1, 1, pixels};
  const sumi_png_text texts[] = {{"", "x"}, {" a", "x"}, {"a  b", "x"}, {"a\n", "x"}, {"a", "\xff"}};
  for (int i = 0; i < 5; i++) assert_int_equal(sumi_png_write(ctx, "bad.png", &image, &texts[i], 1), SUMI_INVALID);
  assert_error(ctx, "bad.png", "`a`", "UTF-8");
  assert_false(sumi__file_exists("bad.png"));
  assert_int_equal(sumi_png_write(ctx, "no/folder.png", &image, NULL, 0), SUMI_IO);
  assert_error(ctx, "no/folder.png", "No such file");
}

/* A PNG put together by hand: IHDR, an optional chunk, the zlib stream of `raw`, IEND. */
typedef struct made {
  uint8_t bytes[2048];
  size_t count;
} made;

static void add_chunk(made *m, const char *type, const void *data, size_t bytes) {
  uint8_t *p = m->bytes + m->count;
  sumi__put_u32_be(p, (uint32_t)bytes);
  memcpy(p + 4, type, 4);
  if (bytes) memcpy(p + 8, data, bytes);
  sumi__put_u32_be(p + 8 + bytes, sumi__crc32(0, p + 4, bytes + 4));
  m->count += bytes + 12;
}

static made begin_png(uint32_t width, uint32_t height, uint8_t depth, uint8_t type, uint8_t interlace) {
  made m = {{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, 8};
  uint8_t header[13] = {0};
  sumi__put_u32_be(header, width);
  sumi__put_u32_be(header + 4, height);
  header[8] = depth;
  header[9] = type;
  header[12] = interlace;
  add_chunk(&m, "IHDR", header, sizeof header);
  return m;
}

static void end_png(made *m, const void *raw, size_t bytes) {
  uint8_t packed[1024];
  uLongf n = sizeof packed;
  assert_int_equal(compress(packed, &n, raw, (uLong)bytes), Z_OK);
  add_chunk(m, "IDAT", packed, n);
  add_chunk(m, "IEND", NULL, 0);
}

static void expect_pixels(sumi_context *ctx, const made *m, int channels, const char *pixels, size_t n) {
  sumi_image found;
  assert_ok(ctx, sumi__png_decode(ctx, "m.png", m->bytes, m->count, 1000, &found));
  assert_int_equal(found.channels, channels);
  assert_int_equal(found.width * found.height * found.channels, n);
  assert_memory_equal(found.pixels, pixels, n);
  sumi_image_free(ctx, &found);
}

static void every_kind_becomes_8_bits(void **state) {
  sumi_context *ctx = *state;
  made m = begin_png(2, 1, 1, 0, 0); /* one bit of grey */
  end_png(&m, "\0\x40", 2);
  expect_pixels(ctx, &m, 1, "\0\xff", 2);
  m = begin_png(2, 1, 16, 0, 0);
  end_png(&m, "\0\x80\x80\xff\xff", 5);
  expect_pixels(ctx, &m, 1, "\x80\xff", 2);
  m = begin_png(2, 1, 8, 3, 0); /* a palette */
  add_chunk(&m, "PLTE", "abcdef", 6);
  end_png(&m, "\0\1\0", 3);
  expect_pixels(ctx, &m, 3, "defabc", 6);
  m = begin_png(2, 1, 8, 3, 0); /* with transparency */
  add_chunk(&m, "PLTE", "abcdef", 6);
  add_chunk(&m, "tRNS", "\x10", 1);
  end_png(&m, "\0\1\0", 3);
  expect_pixels(ctx, &m, 4,
                "def\xff"
                "abc\x10",
                8);
  m = begin_png(1, 1, 8, 4, 0); /* grey with alpha */
  end_png(&m, "\0\x55\x20", 3);
  expect_pixels(ctx, &m, 4, "\x55\x55\x55\x20", 4);
  m = begin_png(1, 1, 8, 2, 1); /* interlaced, with a gamma that is not applied */
  add_chunk(&m, "gAMA", "\0\0\1\0", 4);
  end_png(&m, "\0\1\2\3", 4);
  expect_pixels(ctx, &m, 3, "\1\2\3", 3);
}

static void png_refused(sumi_context *ctx, const made *m, const char *reason) {
  sumi_image found;
  assert_int_equal(sumi__png_decode(ctx, "m.png", m->bytes, m->count, 1 << 20, &found), SUMI_FORMAT);
  assert_null(found.pixels);
  assert_error(ctx, "m.png", reason);
}

static void damaged_pictures_are_refused(void **state) {
  sumi_context *ctx = *state;
  made m = begin_png(1000, 1000, 8, 2, 0);
  end_png(&m, "\0\1\2\3", 4);
  png_refused(ctx, &m, "more than its");
  m = begin_png(4000, 4000, 8, 2, 0);
  end_png(&m, "\0\1\2\3", 4);
  png_refused(ctx, &m, "at most 1048576 pixels");
  m = begin_png(0x7fffffff, 0x7fffffff, 8, 2, 0);
  end_png(&m, "\0", 1);
  png_refused(ctx, &m, "damaged");
  m = begin_png(1, 1, 7, 0, 0);
  end_png(&m, "\0\1", 2);
  png_refused(ctx, &m, "damaged");
  m = begin_png(4, 4, 8, 2, 0); /* pixels missing */
  end_png(&m, "\0\1\2\3", 4);
  png_refused(ctx, &m, "damaged");
  m = begin_png(1, 1, 8, 2, 0);
  end_png(&m, "\0\1\2\3", 4);
  sumi_image found;
  for (size_t cut = 0; cut < m.count; cut++) {
    uint8_t *part = malloc(cut ? cut : 1); /* of its own size, for the sanitizers */
    memcpy(part, m.bytes, cut);
    assert_int_equal(sumi__png_decode(ctx, "cut", part, cut, 1000, &found), SUMI_FORMAT);
    assert_error(ctx, "cut: ");
    sumi_png_text *texts = NULL;
    size_t count = 0;
    assert_int_equal(sumi__png_decode_texts(ctx, "cut", part, cut, &texts, &count), SUMI_FORMAT);
    assert_error(ctx, "cut: ");
    free(part);
  }
  m.bytes[20] ^= 1; /* inside IHDR */
  png_refused(ctx, &m, "damaged");
}

static void texts_are_bounded(void **state) {
  sumi_context *ctx = *state;
  sumi_png_text *texts = NULL;
  size_t count = 0;
  uint8_t packed[1024] = "key\0";
  uLongf n = sizeof packed - 5;
  assert_int_equal(compress(packed + 5, &n, (const Bytef *)"J\xfcrgen", 6), Z_OK);
  made m = begin_png(1, 1, 8, 0, 0);
  add_chunk(&m, "zTXt", packed, 5 + n);
  add_chunk(&m, "iTXt", "k\0\0\0de\0wort\0\xc3\xbc", 14);
  end_png(&m, "\0\1", 2);
  assert_ok(ctx, sumi__png_decode_texts(ctx, "m.png", m.bytes, m.count, &texts, &count));
  assert_int_equal(count, 2);
  assert_string_equal(texts[0].key, "key");
  assert_string_equal(texts[0].text, "J\xc3\xbcrgen");
  assert_string_equal(texts[1].text, "\xc3\xbc");
  sumi__free(ctx, texts);

  const size_t large = 16 << 20;
  Bytef *zeros = calloc(1, large), *bomb = malloc(1 << 20);
  n = 1 << 20;
  assert_int_equal(compress(bomb, &n, zeros, (uLong)large), Z_OK);
  uint8_t *whole = malloc(n + 100);
  m = begin_png(1, 1, 8, 0, 0);
  memcpy(whole, m.bytes, m.count);
  sumi__put_u32_be(whole + m.count, (uint32_t)(n + 5));
  memcpy(whole + m.count + 4, "zTXtkey\0\0", 9);
  memcpy(whole + m.count + 13, bomb, n);
  sumi__put_u32_be(whole + m.count + 13 + n, sumi__crc32(0, whole + m.count + 4, n + 9));
  assert_int_equal(sumi__png_decode_texts(ctx, "bomb.png", whole, m.count + 17 + n, &texts, &count), SUMI_FORMAT);
  assert_error(ctx, "bomb.png", "8388608");
  free(zeros);
  free(bomb);
  free(whole);

  const struct {
    const char *type, *data;
    size_t bytes;
  } bad[] = {{"tEXt", "nokey", 5},          {"tEXt", "\0x", 2},       {"zTXt", "k\0\1xx", 5},
             {"zTXt", "k\0\0xx", 5},        {"iTXt", "k\0\0\0de", 6}, {"iTXt", "k\0\2\0\0\0x", 7},
             {"iTXt", "k\0\0\0\0\0\xff", 7}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    m = begin_png(1, 1, 8, 0, 0);
    add_chunk(&m, bad[i].type, bad[i].data, bad[i].bytes);
    end_png(&m, "\0\1", 2);
    assert_int_equal(sumi__png_decode_texts(ctx, "m.png", m.bytes, m.count, &texts, &count), SUMI_FORMAT);
    assert_error(ctx, "m.png");
  }
}

/* The chunks of an animation, checked against the specification: order, sequence numbers, sizes, delays. */
static void animations_follow_the_specification(void **state) {
  sumi_context *ctx = *state;
  uint8_t pixels[3][W * H * 3];
  sumi_animation *a = NULL;
  const sumi_animation_options options = {.width = W, .height = H, .channels = 3, .delay_ms = 40, .loops = 7};
  assert_ok(ctx, sumi_animation_create(ctx, "moving.png", &options, &a));
  for (int i = 0; i < 3; i++) {
    for (int k = 0; k < W * H * 3; k++) pixels[i][k] = (uint8_t)(k * 5 + i * 60);
    assert_ok(ctx, sumi_animation_add(a, pixels[i], i == 2 ? 1500 : 0));
  }
  assert_false(sumi__file_exists("moving.png"));
  assert_ok(ctx, sumi_animation_finish(a));
  sumi_animation_free(a);

  size_t bytes = 0, offset = SUMI__PNG_SIGNATURE;
  char *file = read_plain("moving.png", &bytes), order[128] = "";
  sumi__png_chunk chunk = {0};
  uint32_t sequence = 0;
  int frame = -1;
  for (bool end = false;;) {
    assert_ok(ctx, sumi__png_next_chunk(ctx, "a", (uint8_t *)file, bytes, &offset, &chunk, &end));
    if (end) break;
    strcat(strcat(order, chunk.type), " ");
    if (!strcmp(chunk.type, "acTL")) {
      assert_int_equal(sumi__get_u32_be(chunk.data), 3);
      assert_int_equal(sumi__get_u32_be(chunk.data + 4), 7);
    } else if (!strcmp(chunk.type, "fcTL")) {
      frame++;
      assert_int_equal(chunk.bytes, 26);
      assert_int_equal(sumi__get_u32_be(chunk.data), sequence++);
      assert_int_equal(sumi__get_u32_be(chunk.data + 4), W);
      assert_int_equal(sumi__get_u32_be(chunk.data + 8), H);
      assert_int_equal(chunk.data[20] << 8 | chunk.data[21], frame == 2 ? 1500 : 40);
      assert_int_equal(chunk.data[22] << 8 | chunk.data[23], 1000);
    } else if (!strcmp(chunk.type, "fdAT")) {
      assert_int_equal(sumi__get_u32_be(chunk.data), sequence++);
      made m = begin_png(W, H, 8, 2, 0); /* the frame as a picture of its own */
      add_chunk(&m, "IDAT", chunk.data + 4, chunk.bytes - 4);
      add_chunk(&m, "IEND", NULL, 0);
      expect_pixels(ctx, &m, 3, (const char *)pixels[frame], W * H * 3);
    }
  }
  assert_string_equal(order, "IHDR acTL fcTL IDAT fcTL fdAT fcTL fdAT IEND ");
  free(file);
  sumi_image first; /* what other viewers show */
  assert_ok(ctx, sumi_png_read(ctx, "moving.png", &first));
  assert_memory_equal(first.pixels, pixels[0], W * H * 3);
  sumi_image_free(ctx, &first);
}

static void unfinished_animations_leave_nothing(void **state) {
  sumi_context *ctx = *state;
  const uint8_t pixels[W * H] = {0};
  sumi_animation *a = NULL;
  sumi_animation_options options = {.width = W, .height = H, .channels = 1, .delay_ms = 40};
  write_plain("old.png", "old", 3);
  assert_ok(ctx, sumi_animation_create(ctx, "old.png", &options, &a));
  assert_ok(ctx, sumi_animation_add(a, pixels, 0));
  sumi_animation_free(a);
  char *text = read_plain("old.png", NULL);
  assert_string_equal(text, "old");
  free(text);
  assert_int_equal(temporaries_of("old.png"), 0);
  assert_ok(ctx, sumi_animation_create(ctx, "none.png", &options, &a));
  assert_int_equal(sumi_animation_finish(a), SUMI_INVALID);
  assert_error(ctx, "none.png", "at least one frame");
  sumi_animation_free(a);
  assert_ok(ctx, sumi_animation_create(ctx, "none.png", &options, &a));
  assert_int_equal(sumi_animation_add(a, pixels, -1), SUMI_INVALID);
  assert_int_equal(sumi_animation_finish(a), SUMI_INVALID);
  sumi_animation_free(a);
  assert_false(sumi__file_exists("none.png"));
  options.delay_ms = 0;
  assert_int_equal(sumi_animation_create(ctx, "none.png", &options, &a), SUMI_INVALID);
  assert_null(a);
  options.delay_ms = 10;
  assert_int_equal(sumi_animation_create(ctx, "/dev/null", &options, &a), SUMI_UNSUPPORTED);
  assert_error(ctx, "/dev/null", "regular file");
  sumi_animation_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_read_back),
      cmocka_unit_test(texts_read_back_as_utf8),
      cmocka_unit_test(nonsense_is_not_written),
      cmocka_unit_test(every_kind_becomes_8_bits),
      cmocka_unit_test(damaged_pictures_are_refused),
      cmocka_unit_test(texts_are_bounded),
      cmocka_unit_test(animations_follow_the_specification),
      cmocka_unit_test(unfinished_animations_leave_nothing),
  };
  return cmocka_run_group_tests_name("io: pictures", tests, support_setup, support_teardown);
}
