/* The parameters of a picture as text: AUTOMATIC1111's own examples, what they leave open, and hostile ones. */
#include "support.h"

static const char example[] =
    "a brass owl, (rim light:1.2) <lora:owls:0.7>\n"
    "Negative prompt: blurry, text\n"
    "Steps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 77123, "
    "Size: 512x768, Model hash: 0a1b2c3d4e, Lora hashes: \"owls: 12ab, b: 3\", Version: v1.10.1";

static sumi_infotext *parse(sumi_context *ctx, const char *text) {
  sumi_infotext *info = NULL;
  assert_ok(ctx, sumi_infotext_parse(ctx, text, &info));
  return info;
}

static void expect(sumi_context *ctx, const char *text, const char *prompt, const char *negative, size_t count) {
  sumi_infotext *info = parse(ctx, text);
  assert_string_equal(info->prompt, prompt);
  assert_string_equal(info->negative, negative);
  assert_int_equal(info->count, count);
  sumi_infotext_free(ctx, info);
}

static void an_example_comes_apart_and_together(void **state) {
  sumi_context *ctx = *state;
  sumi_infotext *info = parse(ctx, example);
  char *text = NULL;
  assert_string_equal(info->prompt, "a brass owl, (rim light:1.2) <lora:owls:0.7>");
  assert_string_equal(info->negative, "blurry, text");
  assert_int_equal(info->count, 9);
  assert_string_equal(sumi_infotext_find(info, "Sampler"), "DPM++ 2M");
  assert_string_equal(sumi_infotext_find(info, "CFG scale"), "6.5");
  assert_string_equal(sumi_infotext_find(info, "Lora hashes"), "owls: 12ab, b: 3");
  assert_null(sumi_infotext_find(info, "steps"));
  assert_string_equal(info->fields[8].key, "Version");
  assert_ok(ctx, sumi_infotext_format(ctx, info, &text));
  assert_string_equal(text, example);
  sumi_text_free(ctx, text);
  sumi_infotext_free(ctx, info);
}

static void the_last_line_is_fields_from_three_on(void **state) {
  sumi_context *ctx = *state;
  expect(ctx, "", "", "", 0);
  expect(ctx, " \n \n", "", "", 0);
  expect(ctx, "an owl", "an owl", "", 0);
  expect(ctx, "an owl\nSteps: 3, Seed: 4", "an owl\nSteps: 3, Seed: 4", "", 0);
  expect(ctx, "an owl\nSteps: 3, Seed: 4, Size: 8x8", "an owl", "", 3);
  expect(ctx, "Steps: 3, Seed: 4, Size: 8x8", "", "", 3);
  expect(ctx, "Steps: 3, Seed: 4, Size: 8x8\nan owl", "Steps: 3, Seed: 4, Size: 8x8\nan owl", "", 0);
  expect(ctx, "an owl\r\n  at night\r\nNegative prompt: day \n  noon\nSteps: 3, Seed: 4, Size: 8x8\n",
         "an owl\nat night", "day\nnoon", 3);
  expect(ctx, "Negative prompt:", "", "", 0);
  expect(ctx, "Negative prompt:x\nNegative prompt: y", "", "x\ny", 0);
  expect(ctx, "a: b, c: d, e: f", "a: b, c: d, e: f", "", 0); /* names have two characters at least */
}

static void odd_values(void **state) {
  sumi_context *ctx = *state;
  sumi_infotext *info =
      parse(ctx, "Open: \"half, Mark: \"a\" b, Empty: , Tail: \"x\\\"y\\n\\u00e9\", Gr\xc3\xb6\xc3\x9f"
                 "e: 1, Bad: \"\\q\", Last:");
  static const char *const values[] = {"\"half", "\"a\" b", "", "x\"y\n\xc3\xa9", "1", "\"\\q\"", ""};
  assert_int_equal(info->count, 7);
  for (size_t i = 0; i < 7; i++) assert_string_equal(info->fields[i].value, values[i]);
  sumi_infotext_free(ctx, info);
}

static void any_value_comes_back(void **state) {
  sumi_context *ctx = *state;
  static const char *const values[] = {"plain",   "a, b",   "a: b", "two\nlines", " spaces ", "\"quoted\"",     "\"",
                                       "back\\s", "\\, \"", "",     "t\tab",      "\r",       "\xe5\xa2\xa8, x"};
  enum { COUNT = sizeof values / sizeof *values };
  sumi_infotext_field fields[COUNT];
  for (size_t i = 0; i < COUNT; i++) fields[i] = (sumi_infotext_field){"Some key-1/x", values[i]};
  const sumi_infotext info = {"\xe5\xa2\xa8", NULL, fields, COUNT};
  char *text = NULL;
  assert_ok(ctx, sumi_infotext_format(ctx, &info, &text));
  assert_non_null(strstr(text, "\"\xe5\xa2\xa8, x\"")); /* not escaped */
  sumi_infotext *found = parse(ctx, text);
  assert_string_equal(found->prompt, "\xe5\xa2\xa8");
  assert_int_equal(found->count, COUNT);
  for (size_t i = 0; i < COUNT; i++) assert_string_equal(found->fields[i].value, values[i]);
  sumi_infotext_free(ctx, found);
  sumi_text_free(ctx, text);
}

static void nonsense_is_refused(void **state) {
  sumi_context *ctx = *state;
  static const sumi_infotext_field bad[] = {{"a", "x"}, {"", "x"}, {" ab", "x"}, {"a:b", "x"}, {"ab", "\xff"}};
  sumi_infotext *info = NULL;
  char *text = NULL;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const sumi_infotext given = {"", "", &bad[i], 1};
    assert_int_equal(sumi_infotext_format(ctx, &given, &text), SUMI_INVALID);
    assert_error(ctx, "parameters: ");
  }
  const sumi_infotext broken = {.prompt = "\xc3"};
  assert_int_equal(sumi_infotext_format(ctx, &broken, &text), SUMI_INVALID);
  assert_int_equal(sumi_infotext_parse(ctx, "\xc3", &info), SUMI_INVALID);
  const sumi_infotext_field none = {"ab", NULL};
  const sumi_infotext empty = {NULL, NULL, &none, 1};
  assert_ok(ctx, sumi_infotext_format(ctx, &empty, &text));
  assert_string_equal(text, "");
  sumi_text_free(ctx, text);
}

/* Megabytes of almost-fields take time that grows with their length, not with its square. */
static void long_lines_are_quick(void **state) {
  sumi_context *ctx = *state;
  static const char *const pieces[] = {"a", "ab ", "-", "ab: \"", "a:", "\\\"", "ab: \"\\", "\n"};
  enum { LENGTH = 1 << 20 };
  char *text = malloc(LENGTH + 1);
  for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
    const size_t n = strlen(pieces[k]);
    for (size_t i = 0; i < LENGTH; i++) text[i] = pieces[k][i % n];
    text[LENGTH] = 0;
    sumi_infotext_free(ctx, parse(ctx, text));
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_example_comes_apart_and_together),
      cmocka_unit_test(the_last_line_is_fields_from_three_on),
      cmocka_unit_test(odd_values),
      cmocka_unit_test(any_value_comes_back),
      cmocka_unit_test(nonsense_is_refused),
      cmocka_unit_test(long_lines_are_quick),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
