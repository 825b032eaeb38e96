/* Every reader and writer with memory that runs out: at the first allocation, at the second, and so on until the call
 * succeeds. Each failure is NO_MEMORY, gives everything back, and leaves files as they were. */
#include "support.h"

#include "io/checkpoint.h"
#include "io/csv.h"
#include "io/exif.h"
#include "io/idx.h"
#include "io/json.h"
#include "io/png.h"
#include "io/safetensors.h"
#include "io/yaml.h"
#include "io/zip.h"

typedef struct budget {
  int left; /* allocations until one fails */
  int live;
} budget;

static void *budget_allocate(void *user, size_t bytes) {
  budget *b = user;
  if (b->left-- <= 0) return NULL;
  b->live++;
  return aligned_alloc(64, sumi__align_up(bytes, 64));
}

static void budget_release(void *user, void *memory) {
  ((budget *)user)->live--;
  free(memory);
}

static void starve(sumi_status (*job)(sumi_context *ctx)) {
  for (int allowed = 0;; allowed++) {
    budget b = {.left = 1};
    const sumi_context_options options = {
        .threads = 1, .allocate = budget_allocate, .release = budget_release, .memory_user = &b};
    sumi_context *ctx = NULL;
    assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
    b.left = allowed;
    const sumi_status status = job(ctx);
    if (status != SUMI_OK && status != SUMI_NO_MEMORY) print_error("%s\n", sumi_context_error(ctx));
    if (status != SUMI_OK) {
      assert_int_equal(status, SUMI_NO_MEMORY);
      assert_error(ctx, "out of memory");
    }
    sumi_context_free(ctx);
    assert_int_equal(b.live, 0);
    if (status == SUMI_OK) {
      assert_true(allowed > 0);
      return;
    }
    assert_true(allowed < 10000);
  }
}

static sumi_status write_safetensors(sumi_context *ctx) {
  static const float values[4] = {1, 2, 3, 4};
  static const sumi__safetensors_entry entries[] = {{"a", SUMI_F32, {1, {4}}, values},
                                                    {"b", SUMI_F32, {0, {0}}, values}};
  static const sumi__safetensors_pair pair = {"key", "value"};
  return sumi__safetensors_write(ctx, "m.safetensors", entries, 2, &pair, 1, NULL, NULL);
}

static sumi_status read_safetensors(sumi_context *ctx) {
  sumi_safetensors *file = NULL;
  const sumi_status status = sumi_safetensors_open(ctx, "m.safetensors", &file);
  sumi_safetensors_close(file);
  return status;
}

static void safetensors(void **state) {
  (void)state;
  starve(write_safetensors);
  assert_int_equal(temporaries_of("m.safetensors"), 0);
  starve(read_safetensors);
}

static sumi_status read_idx(sumi_context *ctx) {
  sumi__idx idx;
  const sumi_status status = sumi__idx_parse(ctx, "d.idx", "\0\0\x0b\1\0\0\0\2\xff\xfe\1\2", 12, 100, &idx);
  sumi__idx_free(ctx, &idx);
  return status;
}

static void idx(void **state) {
  (void)state;
  starve(read_idx);
}

static sumi_status read_yaml(sumi_context *ctx) {
  static const char text[] = "a: {b: 1, c: [1, 2, 3]}\nd: x\n";
  sumi__yaml *yaml = NULL;
  sumi_status status = sumi__yaml_parse(ctx, "c.yaml", text, sizeof text - 1, &yaml);
  if (status == SUMI_OK) status = sumi__yaml_override(yaml, "a.b=[4, 5]");
  sumi__yaml_free(yaml);
  return status;
}

static sumi_status write_and_read_json(sumi_context *ctx) {
  sumi__json_writer w;
  char *text = NULL;
  size_t bytes = 0;
  sumi__json *json = NULL;
  sumi__json_writer_init(&w, ctx, 2);
  sumi__json_begin_object(&w, NULL);
  sumi__json_put_string(&w, "key", "a text that is long enough to make the writer's buffer grow");
  sumi__json_end_object(&w);
  sumi_status status = sumi__json_writer_finish(&w, &text, &bytes);
  if (status == SUMI_OK) status = sumi__json_parse(ctx, "c.json", text, bytes, &sumi__json_config_limits, &json);
  sumi__json_free(json);
  sumi__free(ctx, text);
  return status;
}

static void configurations(void **state) {
  (void)state;
  starve(read_yaml);
  starve(write_and_read_json);
}

static sumi_status write_png(sumi_context *ctx) {
  uint8_t pixels[12] = {0};
  const sumi_image image = {2, 2, 3, pixels};
  const sumi_png_text texts[] = {{"a", "text"}, {"b", "\xe5\xa2\xa8"}};
  return sumi_png_write(ctx, "p.png", &image, texts, 2);
}

static sumi_status read_png(sumi_context *ctx) {
  sumi_image image;
  const sumi_status status = sumi_png_read(ctx, "p.png", &image);
  sumi_image_free(ctx, &image);
  return status;
}

static sumi_status read_png_text(sumi_context *ctx) {
  char *text = NULL;
  const sumi_status status = sumi_png_read_text(ctx, "p.png", "b", &text);
  sumi_text_free(ctx, text);
  return status;
}

static sumi_status write_animation(sumi_context *ctx) {
  const uint8_t pixels[4] = {0};
  const sumi_animation_options options = {.width = 2, .height = 2, .channels = 1, .delay_ms = 10};
  sumi_animation *a = NULL;
  sumi_status status = sumi_animation_create(ctx, "a.png", &options, &a);
  for (int i = 0; i < 2 && status == SUMI_OK; i++) status = sumi_animation_add(a, pixels, 0);
  if (status == SUMI_OK) status = sumi_animation_finish(a);
  sumi_animation_free(a);
  return status;
}

static void pictures(void **state) {
  (void)state;
  starve(write_png);
  starve(read_png);
  starve(read_png_text);
  starve(write_animation);
  assert_int_equal(temporaries_of("a.png"), 0);
}

/* JPEG and WebP with a comment. */
static const char *photo;

static sumi_status write_photo(sumi_context *ctx) {
  uint8_t pixels[3 * 64 * 64] = {0};
  const sumi_image image = {64, 64, 3, pixels};
  const sumi_png_text note = {"parameters", "a photo"};
  return sumi_image_write(ctx, photo, &image, &(sumi_image_write_options){.texts = &note, .text_count = 1});
}

static sumi_status read_photo(sumi_context *ctx) {
  sumi_image image;
  const sumi_status status = sumi_image_read(ctx, photo, &image);
  sumi_image_free(ctx, &image);
  return status;
}

static sumi_status read_photo_text(sumi_context *ctx) {
  char *text = NULL;
  const sumi_status status = sumi_image_read_text(ctx, photo, "parameters", &text);
  sumi_text_free(ctx, text);
  return status;
}

static void photos(void **state) {
  (void)state;
  static const char *const own[] = {"p.jpg", "p.webp"};
  static const char *const turned[] = {SUMI_TESTS "/golden/pictures/photo.jpg",
                                       SUMI_TESTS "/golden/pictures/photo.webp"};
  for (int i = 0; i < 2; i++) {
    photo = own[i];
    starve(write_photo);
    assert_int_equal(temporaries_of(photo), 0);
    starve(read_photo);
    starve(read_photo_text);
    photo = turned[i];
    starve(read_photo);
  }
}

static sumi_status write_and_read_exif(sumi_context *ctx) {
  uint8_t *block = NULL;
  size_t bytes = 0;
  char *text = NULL;
  sumi_status status = sumi__exif_encode(ctx, "e", "a comment", &block, &bytes);
  if (status == SUMI_OK) status = sumi__exif_comment(ctx, "e", block, bytes, &text);
  sumi__free(ctx, text);
  sumi__free(ctx, block);
  return status;
}

static void exif(void **state) {
  (void)state;
  starve(write_and_read_exif);
}

/* Checkpoints of every kind, as checkpoints and as files of tensors. */
static const char *checkpoint;

static sumi_status read_checkpoint(sumi_context *ctx) {
  sumi__checkpoint *c = NULL;
  sumi_tensor_file *file = NULL;
  sumi_status status = sumi__checkpoint_open(ctx, checkpoint, &c);
  if (status == SUMI_OK) status = sumi_tensor_file_open(ctx, checkpoint, &file);
  sumi_tensor_file_close(file);
  sumi__checkpoint_close(c);
  return status;
}

static char *archive;
static size_t archive_bytes;

static sumi_status read_zip(sumi_context *ctx) {
  sumi__zip zip;
  const sumi_status status = sumi__zip_open(ctx, "z", (const uint8_t *)archive, archive_bytes, &zip);
  if (status == SUMI_OK) sumi__zip_free(&zip);
  return status;
}

static void checkpoints(void **state) {
  static const char *const files[] = {"zip2", "zip4", "legacy", "legacy5"};
  static const char index[] = "{\"weight_map\": {\"a\": \"m.safetensors\", \"b\": \"m.safetensors\"}}";
  static char path[4096];
  assert_ok(*state, write_safetensors(*state));
  write_plain("m.safetensors.index.json", index, sizeof index - 1);
  checkpoint = "m.safetensors.index.json";
  starve(read_checkpoint);
  checkpoint = path;
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/golden/torch/%s.ckpt", SUMI_TESTS, files[i]);
    starve(read_checkpoint);
    if (i > 1) continue;
    archive = read_plain(path, &archive_bytes);
    starve(read_zip);
    free(archive);
  }
}

static sumi_status inspect_model(sumi_context *ctx) {
  sumi_model_report *report = NULL;
  const sumi_model_options options = {.vae = SUMI_TESTS "/golden/sd/sd2/vae"};
  const sumi_status status = sumi_model_inspect(ctx, SUMI_TESTS "/golden/sd/sd1", &options, &report);
  sumi_model_report_free(report);
  return status;
}

static void models(void **state) {
  (void)state;
  starve(inspect_model);
}

static sumi_status write_csv(sumi_context *ctx) {
  const char *const columns[] = {"step", "loss"};
  sumi__csv *csv = NULL;
  sumi_status status = sumi__csv_open(ctx, "l.csv", columns, 2, 5, &csv);
  if (status == SUMI_OK) status = sumi__csv_append(csv, (double[]){6, 1});
  sumi__csv_close(csv);
  return status;
}

static void logs(void **state) {
  (void)state;
  starve(write_csv); /* begins the log */
  starve(write_csv); /* goes on with it */
  char *text = read_plain("l.csv", NULL);
  assert_string_equal(text, "step,loss\n6,1\n");
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(safetensors), cmocka_unit_test(idx),    cmocka_unit_test(configurations),
      cmocka_unit_test(pictures),    cmocka_unit_test(photos), cmocka_unit_test(exif),
      cmocka_unit_test(checkpoints), cmocka_unit_test(models), cmocka_unit_test(logs),
  };
  return cmocka_run_group_tests_name("io: memory that runs out", tests, support_setup, support_teardown);
}
