/* PNG and animated PNG: what is written reads back, and what is malformed is refused without harm. */
#include "support.h"

#include "io/file.h"
#include "io/gzip.h"
#include "io/png.h"

static void fill(uint8_t *pixels, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) pixels[i] = (uint8_t)(i * 37 + (i >> 5) * 11);
}

static void reads_back_every_kind(void **state) {
  sumi_context *ctx = *state;
  static const int kinds[] = {1, 3, 4};
  for (int k = 0; k < 3; k++) {
    uint8_t pixels[13 * 7 * 4], *data = NULL;
    const sumi_image image = {13, 7, kinds[k], pixels};
    const size_t bytes = (size_t)(13 * 7 * kinds[k]);
    size_t n = 0;
    sumi_image back;
    fill(pixels, sizeof pixels);
    assert_int_equal(sumi__png_encode(ctx, &image, NULL, 0, &data, &n), SUMI_OK);
    assert_int_equal(sumi__png_decode(ctx, "a.png", data, n, 1000, &back), SUMI_OK);
    assert_int_equal(back.width, 13);
    assert_int_equal(back.height, 7);
    assert_int_equal(back.channels, kinds[k]);
    assert_memory_equal(back.pixels, pixels, bytes);
    sumi_image_free(ctx, &back);
    assert_int_equal(sumi__png_decode(ctx, "a.png", data, n, 90, &back), SUMI_FORMAT); /* 91 pixels */
    sumi__free(ctx, data);
  }
}

static void texts_keep_their_characters(void **state) {
  sumi_context *ctx = *state;
  uint8_t pixel = 9, *data = NULL;
  const sumi_image image = {1, 1, 1, &pixel};
  const sumi_png_text texts[] = {{"parameters", "an otter, caf\xc3\xa9\nSteps: 20"},
                                 {"Title", "\xe5\xa2\xa8\xe6\xb5\x81\xe3\x81\x97"},
                                 {"Empty", ""}};
  sumi_png_text *back = NULL;
  size_t n = 0, count = 0;
  assert_int_equal(sumi__png_encode(ctx, &image, texts, 3, &data, &n), SUMI_OK);
  assert_ok(ctx, sumi__png_decode_texts(ctx, "a.png", data, n, &back, &count));
  assert_int_equal(count, 3);
  for (size_t i = 0; i < 3; i++) {
    assert_string_equal(back[i].key, texts[i].key);
    assert_string_equal(back[i].text, texts[i].text);
  }
  sumi__free(ctx, back);
  sumi__free(ctx, data);
  const sumi_png_text bad_key = {" x", "y"}, bad_text = {"x", "\xff"};
  assert_int_equal(sumi__png_encode(ctx, &image, &bad_key, 1, &data, &n), SUMI_INVALID);
  assert_int_equal(sumi__png_encode(ctx, &image, &bad_text, 1, &data, &n), SUMI_INVALID);
}

static void every_truncation_is_refused(void **state) {
  sumi_context *ctx = *state;
  uint8_t pixels[8 * 8 * 3], *data = NULL;
  const sumi_image image = {8, 8, 3, pixels};
  size_t n = 0;
  fill(pixels, sizeof pixels);
  assert_int_equal(sumi__png_encode(ctx, &image, NULL, 0, &data, &n), SUMI_OK);
  for (size_t cut = 0; cut < n; cut++) {
    sumi_image back;
    assert_int_equal(sumi__png_decode(ctx, "cut.png", data, cut, 1000, &back), SUMI_FORMAT);
    assert_null(back.pixels);
    sumi_png_text *texts = NULL;
    size_t count = 0;
    assert_int_equal(sumi__png_decode_texts(ctx, "cut.png", data, cut, &texts, &count), SUMI_FORMAT);
    assert_error(ctx, "cut.png");
  }
  sumi__free(ctx, data);
}

static void put_u32(uint8_t *out, uint32_t x) {
  for (int i = 0; i < 4; i++) out[i] = (uint8_t)(x >> (24 - 8 * i));
}

/* A small file whose header speaks of a huge picture gets no memory for it. */
static void a_header_alone_makes_nothing_huge(void **state) {
  sumi_context *ctx = *state;
  uint8_t pixel = 0, *data = NULL;
  const sumi_image image = {1, 1, 1, &pixel};
  sumi_image back;
  size_t n = 0;
  assert_int_equal(sumi__png_encode(ctx, &image, NULL, 0, &data, &n), SUMI_OK);
  put_u32(data + 16, 16384);
  put_u32(data + 20, 16384);
  put_u32(data + 29, sumi__crc32(0, data + 12, 17));
  assert_int_equal(sumi__png_decode(ctx, "huge.png", data, n, INT64_C(1) << 28, &back), SUMI_FORMAT);
  assert_error(ctx, "huge.png", "cannot hold", "16384x16384");
  put_u32(data + 16, 0x7fffffff);
  put_u32(data + 29, sumi__crc32(0, data + 12, 17));
  assert_int_equal(sumi__png_decode(ctx, "huge.png", data, n, INT64_C(1) << 28, &back), SUMI_FORMAT);
  sumi__free(ctx, data);
}

static uint32_t get_u32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/* Walks the chunks as a viewer would: order, numbers and checksums. */
static void animation_is_well_formed(void **state) {
  sumi_context *ctx = *state;
  enum { FRAMES = 5 };
  uint8_t pixels[16 * 9], *data = NULL;
  size_t n = 0;
  sumi_animation *a = NULL;
  const sumi_animation_options options = {.width = 16, .height = 9, .channels = 1, .delay_ms = 40};
  assert_int_equal(sumi_animation_create(ctx, "a_test.png", &options, &a), SUMI_OK);
  assert_int_equal(sumi_animation_finish(a), SUMI_INVALID); /* no frames yet */
  sumi_animation_free(a);
  assert_int_equal(sumi_animation_create(ctx, "a_test.png", &options, &a), SUMI_OK);
  for (int f = 0; f < FRAMES; f++) {
    memset(pixels, f * 50, sizeof pixels);
    assert_int_equal(sumi_animation_add(a, pixels, f == 4 ? 1000 : 0), SUMI_OK);
  }
  assert_int_equal(sumi_animation_finish(a), SUMI_OK);
  sumi_animation_free(a);
  assert_int_equal(sumi__file_read(ctx, "a_test.png", 1 << 20, &data, &n), SUMI_OK);
  uint32_t sequence = 0, controls = 0, frames = 0;
  size_t at = 8;
  for (; at < n; at += 12 + get_u32(data + at)) {
    const uint8_t *chunk = data + at;
    const uint32_t length = get_u32(chunk);
    assert_true(at + 12 + length <= n);
    assert_int_equal(get_u32(chunk + 8 + length), sumi__crc32(0, chunk + 4, length + 4));
    if (memcmp(chunk + 4, "acTL", 4) == 0) frames = get_u32(chunk + 8);
    const bool control = memcmp(chunk + 4, "fcTL", 4) == 0;
    if (control || memcmp(chunk + 4, "fdAT", 4) == 0) assert_int_equal(get_u32(chunk + 8), sequence++);
    if (control) assert_int_equal(chunk[28] << 8 | chunk[29], ++controls == FRAMES ? 1000 : 40);
  }
  assert_int_equal(at, n);
  assert_int_equal(frames, FRAMES);
  assert_int_equal(controls, FRAMES);
  sumi_image first;
  assert_int_equal(sumi_png_read(ctx, "a_test.png", &first), SUMI_OK); /* other viewers show the first frame */
  assert_int_equal(first.pixels[0], 0);
  sumi_image_free(ctx, &first);
  sumi__free(ctx, data);
  remove("a_test.png");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_back_every_kind),       cmocka_unit_test(texts_keep_their_characters),
      cmocka_unit_test(every_truncation_is_refused), cmocka_unit_test(a_header_alone_makes_nothing_huge),
      cmocka_unit_test(animation_is_well_formed),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
