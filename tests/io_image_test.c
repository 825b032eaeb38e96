/* JPEG, WebP, EXIF and resizing: against Pillow, written and read back, and refused when damaged. */
#include "support.h"

#include "io/exif.h"
#include "io/file.h"
#include "io/image.h"
#include "io/jpeg.h"

enum { W = 40, H = 24 };
#define GOLDEN SUMI_TESTS "/golden/pictures/"
static const char parameters[] = "a brass owl, \xe6\xbc\xa2\xf0\x9f\xa6\x89\nNegative prompt: blurry\nSteps: 24, "
                                 "Sampler: Euler a, Seed: 7";

static void expect_same(const sumi_image *a, const sumi_image *b, int tolerance) {
  assert_int_equal(a->width, b->width);
  assert_int_equal(a->height, b->height);
  assert_int_equal(a->channels, b->channels);
  for (int64_t i = 0; i < a->width * a->height * a->channels; i++)
    assert_in_range(a->pixels[i] - b->pixels[i] + tolerance, 0, 2 * tolerance);
}

/* A smooth picture with some alpha. */
static sumi_image make(uint8_t *pixels, int channels) {
  for (int i = 0; i < W * H; i++)
    for (int c = 0; c < channels; c++) pixels[i * channels + c] = (uint8_t)((i % W) * 3 + (i / W) * 2 + 20 * c);
  return (sumi_image){W, H, channels, pixels};
}

static void resizing_is_pillows(void **state) {
  sumi_context *ctx = *state;
  static const char *const names[] = {"rgba", "grey"};
  static const int sizes[][2] = {{40, 31}, {7, 5}, {23, 9}, {60, 17}, {1, 1}};
  for (int n = 0; n < 2; n++)
    for (int s = 0; s < 5; s++) {
      char path[4096];
      sumi_image from, expected, found;
      snprintf(path, sizeof path, GOLDEN "%s.png", names[n]);
      assert_ok(ctx, sumi_image_read(ctx, path, &from));
      snprintf(path, sizeof path, GOLDEN "%s-%dx%d.png", names[n], sizes[s][0], sizes[s][1]);
      assert_ok(ctx, sumi_image_read(ctx, path, &expected));
      assert_ok(ctx, sumi_image_resize(ctx, &from, sizes[s][0], sizes[s][1], &found));
      expect_same(&found, &expected, 0);
      sumi_image_free(ctx, &from);
      sumi_image_free(ctx, &expected);
      sumi_image_free(ctx, &found);
    }
  uint8_t pixels[W * H] = {0};
  const sumi_image image = make(pixels, 1);
  sumi_image found;
  assert_int_equal(sumi_image_resize(ctx, &image, 0, 5, &found), SUMI_INVALID);
  assert_int_equal(sumi_image_resize(ctx, &image, 65535, 65535, &found), SUMI_INVALID);
  assert_error(ctx, "65535 x 65535");
}

/* Decoders of JPEG may differ by one. */
static void pillows_photos_are_read_upright(void **state) {
  sumi_context *ctx = *state;
  static const char *const endings[] = {"jpg", "webp"};
  static const sumi_image_kind kinds[] = {SUMI_IMAGE_JPEG, SUMI_IMAGE_WEBP};
  for (int i = 0; i < 2; i++) {
    char path[4096], *text;
    sumi_image found, expected;
    sumi_image_kind kind;
    snprintf(path, sizeof path, GOLDEN "photo.%s", endings[i]);
    assert_ok(ctx, sumi_image_detect(ctx, path, &kind));
    assert_int_equal(kind, kinds[i]);
    assert_ok(ctx, sumi_image_read(ctx, path, &found));
    assert_ok(ctx, sumi_image_read_text(ctx, path, "parameters", &text));
    assert_string_equal(text, parameters);
    sumi_text_free(ctx, text);
    snprintf(path, sizeof path, GOLDEN "upright.%s.png", endings[i]);
    assert_ok(ctx, sumi_image_read(ctx, path, &expected));
    expect_same(&found, &expected, i == 0);
    sumi_image_free(ctx, &found);
    sumi_image_free(ctx, &expected);
  }
}

static void pictures_read_back(void **state) {
  sumi_context *ctx = *state;
  static const struct {
    const char *path;
    int channels, back, quality, tolerance;
    bool lossless;
  } cases[] = {{"a.jpg", 1, 1, 100, 3, false},  {"b.JPEG", 3, 3, 95, 12, false}, {"c.webp", 1, 3, 0, 12, false},
               {"d.webp", 3, 3, 90, 12, false}, {"e.webp", 4, 4, 0, 0, true},    {"f.webp", 3, 3, 0, 0, true},
               {"g.Png", 4, 4, 0, 0, false},    {"h.webp", 4, 4, 80, 24, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t pixels[W * H * 4];
    const sumi_image image = make(pixels, cases[i].channels);
    const sumi_png_text note = {"parameters", parameters};
    const sumi_image_write_options options = {cases[i].quality, cases[i].lossless, &note, 1};
    sumi_image found;
    char *text = NULL;
    assert_ok(ctx, sumi_image_write(ctx, cases[i].path, &image, &options));
    assert_ok(ctx, sumi_image_read_text(ctx, cases[i].path, "parameters", &text));
    assert_string_equal(text, parameters);
    sumi_text_free(ctx, text);
    assert_int_equal(sumi_image_read_text(ctx, cases[i].path, "prompt", &text), SUMI_NOT_FOUND);
    assert_ok(ctx, sumi_image_read(ctx, cases[i].path, &found));
    assert_int_equal(found.channels, cases[i].back);
    for (int64_t p = 0; p < W * H; p++)
      for (int c = 0; c < found.channels; c++)
        assert_in_range(found.pixels[p * found.channels + c] + cases[i].tolerance -
                            pixels[p * cases[i].channels + (cases[i].channels == 1 ? 0 : c)],
                        0, 2 * cases[i].tolerance);
    sumi_image_free(ctx, &found);
    assert_ok(ctx, sumi_image_write(ctx, cases[i].path, &image, NULL)); /* without a text */
    assert_int_equal(sumi_image_read_text(ctx, cases[i].path, "parameters", &text), SUMI_NOT_FOUND);
  }
}

static void nonsense_is_not_written(void **state) {
  sumi_context *ctx = *state;
  static char lengthy[40000];
  uint8_t pixels[16] = {0};
  const sumi_image small = {2, 2, 4, pixels}, wide = {16384, 1, 3, pixels};
  const sumi_image_write_options lossless = {.lossless = true}, quality = {.quality = 101};
  const sumi_png_text other = {"prompt", "x"}, broken = {"parameters", "\xff"}, longest = {"parameters", lengthy};
  const sumi_image_write_options texts[] = {{.texts = &other, .text_count = 1}, {.texts = &broken, .text_count = 1}};
  const sumi_image_write_options book = {.texts = &longest, .text_count = 1};
  const sumi_image rgb = {2, 2, 3, pixels};
  memset(lengthy, 'a', sizeof lengthy - 1);
  assert_int_equal(sumi_image_write(ctx, "bad.bmp", &small, NULL), SUMI_INVALID);
  assert_error(ctx, "bad.bmp", ".webp");
  assert_int_equal(sumi_image_write(ctx, "folder.png/bad", &small, NULL), SUMI_INVALID);
  assert_int_equal(sumi_image_write(ctx, "bad.jpg", &small, NULL), SUMI_INVALID);
  assert_error(ctx, "bad.jpg", "transparency");
  assert_int_equal(sumi_image_write(ctx, "bad.webp", &wide, NULL), SUMI_INVALID);
  assert_int_equal(sumi_image_write(ctx, "bad.jpg", &rgb, &lossless), SUMI_INVALID);
  assert_int_equal(sumi_image_write(ctx, "bad.jpg", &rgb, &quality), SUMI_INVALID);
  for (int i = 0; i < 2; i++) assert_int_equal(sumi_image_write(ctx, "bad.webp", &rgb, &texts[i]), SUMI_INVALID);
  assert_int_equal(sumi_image_write(ctx, "bad.jpg", &rgb, &book), SUMI_INVALID);
  assert_error(ctx, "bad.jpg", "WebP hold longer");
  assert_false(sumi__file_exists("bad.jpg"));
  assert_false(sumi__file_exists("bad.webp"));
  assert_ok(ctx, sumi_image_write(ctx, "book.webp", &rgb, &book));
  assert_int_equal(sumi_image_write(ctx, "no/folder.jpg", &rgb, NULL), SUMI_IO);
}

/* Every beginning of a file is refused with a sentence. */
static void truncated_pictures_are_refused(void **state) {
  sumi_context *ctx = *state;
  static const char *const paths[] = {GOLDEN "photo.jpg", GOLDEN "photo.webp"};
  for (int i = 0; i < 2; i++) {
    size_t bytes = 0;
    char *data = read_plain(paths[i], &bytes), *text = NULL;
    for (size_t n = 0; n < bytes; n++) {
      sumi_image found;
      uint8_t *part = malloc(n + 1);
      memcpy(part, data, n);
      const sumi_status status = sumi__image_decode(ctx, "part", part, n, 1 << 20, &found);
      if (n < bytes / 4) assert_int_equal(status, SUMI_FORMAT);
      if (status != SUMI_OK) assert_error(ctx, "part");
      if (i == 0 && n < bytes - 2) assert_int_equal(status, SUMI_FORMAT);
      sumi_image_free(ctx, &found);
      if (sumi__image_decode_comment(ctx, "part", part, n, &text) == SUMI_OK) sumi_text_free(ctx, text);
      free(part);
    }
    free(data);
  }
}

static void bombs_are_refused(void **state) {
  sumi_context *ctx = *state;
  size_t bytes = 0;
  sumi_image found;
  uint8_t pixels[W * H * 3], *data = NULL;
  const sumi_image image = make(pixels, 3);
  assert_ok(ctx, sumi__jpeg_encode(ctx, "m", &image, 90, NULL, &data, &bytes));
  size_t frame = 2;
  while (data[frame + 1] != 0xc0) frame += 2 + ((size_t)data[frame + 2] << 8 | data[frame + 3]);
  memset(data + frame + 5, 0xfd, 4); /* 65021 x 65021 */
  assert_int_equal(sumi__image_decode(ctx, "m.jpg", data, bytes, 1 << 26, &found), SUMI_FORMAT);
  assert_error(ctx, "m.jpg", "65021 x 65021");
  memset(data + frame + 5, 0x1f, 4); /* 7967 x 7967: not too many, but not in a kilobyte */
  assert_int_equal(sumi__image_decode(ctx, "m.jpg", data, bytes, 1 << 26, &found), SUMI_FORMAT);
  assert_error(ctx, "m.jpg", "can hold");
  sumi__free(ctx, data);
  /* A lossless WebP of one colour that claims 16384 x 16384. */
  static const uint8_t webp[] = "RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\x0f\x00\x00\x00\x00\x00\x00\x00\x00";
  assert_int_equal(sumi__image_decode(ctx, "m.webp", webp, sizeof webp, 1 << 26, &found), SUMI_FORMAT);
  assert_error(ctx, "m.webp", "16384 x 16384");
  assert_int_equal(sumi__image_decode(ctx, "m.txt", "hello", 5, 1 << 26, &found), SUMI_FORMAT);
  assert_error(ctx, "m.txt", "PNG, JPEG or WebP");
}

static void comments_of_any_order_are_read(void **state) {
  sumi_context *ctx = *state;
  uint8_t *block = NULL;
  size_t bytes = 0;
  char *text = NULL;
  assert_ok(ctx, sumi__exif_encode(ctx, "e", parameters, &block, &bytes));
  /* The first bytes as piexif has them. */
  assert_memory_equal(block, "MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0\0\x01\x92\x86\0\x07", 32);
  assert_memory_equal(block + 44, "UNICODE\0\0a\0 \0b", 14);
  for (size_t i = 52; i + 1 < bytes; i += 2) { /* others write the comment little-endian */
    const uint8_t high = block[i];
    block[i] = block[i + 1];
    block[i + 1] = high;
  }
  assert_ok(ctx, sumi__exif_comment(ctx, "e", block, bytes, &text));
  assert_string_equal(text, parameters);
  sumi_text_free(ctx, text);
  memcpy(block + 44, "ASCII\0\0\0plain\xe9\0", 15);
  assert_ok(ctx, sumi__exif_comment(ctx, "e", block, bytes, &text));
  assert_string_equal(text, "plain\xc3\xa9");
  sumi_text_free(ctx, text);
  assert_int_equal(sumi__exif_orientation(block, bytes), 1);
  for (size_t n = 0; n < bytes; n++) assert_int_not_equal(sumi__exif_comment(ctx, "e", block, n, &text), SUMI_OK);
  static const int places[] = {4, 8, 18, 26, 32, 36}; /* offsets and counts */
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    uint8_t kept[4];
    memcpy(kept, block + places[i], 4);
    memset(block + places[i], 0xff, 4);
    assert_int_not_equal(sumi__exif_comment(ctx, "e", block, bytes, &text), SUMI_OK);
    assert_error(ctx, "e: ");
    memcpy(block + places[i], kept, 4);
  }
  sumi__free(ctx, block);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resizing_is_pillows),
      cmocka_unit_test(pillows_photos_are_read_upright),
      cmocka_unit_test(pictures_read_back),
      cmocka_unit_test(nonsense_is_not_written),
      cmocka_unit_test(truncated_pictures_are_refused),
      cmocka_unit_test(bombs_are_refused),
      cmocka_unit_test(comments_of_any_order_are_read),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
