/* Data sets from IDX files, the order of epochs, and the loader. */
#include "support.h"

#include "data/dataset.h"
#include "data/loader.h"
#include "data/order.h"
#include "idx_files.h"

#include <zlib.h>

enum { COUNT = 23, SIDE = 4, PIXELS = SIDE * SIDE };

/* Picture i has i in its first pixel, and a mark of its own in every other. */
static void make_folder(const char *folder, int count, bool gz) {
  uint8_t pixels[COUNT * PIXELS], labels[COUNT];
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < PIXELS; k++) pixels[i * PIXELS + k] = (uint8_t)(k == 0 ? i : 100 + (i * 7 + k) % 100);
    labels[i] = (uint8_t)(i % 10);
  }
  write_idx_folder(folder, "train", count, SIDE, pixels, labels, gz);
}

static void reads_folders(void **state) {
  sumi_context *ctx = *state;
  sumi__dataset set;
  make_folder("plain", COUNT, false);
  make_folder("gz", COUNT, true);
  const char *const folders[] = {"plain", "gz"};
  for (int i = 0; i < 2; i++) {
    assert_ok(ctx, sumi__dataset_open_idx(ctx, folders[i], SUMI__SPLIT_TRAIN, 10, &set));
    assert_int_equal(set.count, COUNT);
    assert_int_equal(set.height, SIDE);
    assert_int_equal(set.width, SIDE);
    assert_int_equal(set.pixels[5 * PIXELS], 5);
    assert_int_equal(set.labels[17], 7);
    sumi__dataset_limit(&set, 100);
    assert_int_equal(set.count, COUNT);
    sumi__dataset_limit(&set, 8);
    assert_int_equal(set.count, 8);
    sumi__dataset_free(ctx, &set);
  }
}

static void refuses_folders(void **state) {
  sumi_context *ctx = *state;
  sumi__dataset set;
  assert_int_equal(sumi__dataset_open_idx(ctx, "nowhere", SUMI__SPLIT_TRAIN, 10, &set), SUMI_NOT_FOUND);
  assert_error(ctx, "nowhere", "train-images-idx3-ubyte", "data.dir", "dataset-fashion-mnist");
  make_folder("half", COUNT, false);
  assert_int_equal(sumi__dataset_open_idx(ctx, "half", SUMI__SPLIT_TEST, 10, &set), SUMI_NOT_FOUND);
  assert_error(ctx, "half", "t10k-images-idx3-ubyte");
  assert_int_equal(sumi__dataset_open_idx(ctx, "half", SUMI__SPLIT_TRAIN, 9, &set), SUMI_FORMAT);
  assert_error(ctx, "half/train-labels-idx1-ubyte", "label 9 is 9", "below 9");
  /* labels of another set; pictures where labels should be; cut short */
  assert_int_equal(truncate("half/train-labels-idx1-ubyte", 20), 0);
  assert_int_equal(sumi__dataset_open_idx(ctx, "half", SUMI__SPLIT_TRAIN, 10, &set), SUMI_FORMAT);
  assert_error(ctx, "half/train-labels-idx1-ubyte");
  make_folder("fewer", COUNT - 1, false);
  assert_int_equal(rename("fewer/train-labels-idx1-ubyte", "half/train-labels-idx1-ubyte"), 0);
  assert_int_equal(sumi__dataset_open_idx(ctx, "half", SUMI__SPLIT_TRAIN, 10, &set), SUMI_FORMAT);
  assert_error(ctx, "22 labels", "23 pictures");
  assert_int_equal(rename("fewer/train-images-idx3-ubyte", "half/train-labels-idx1-ubyte"), 0);
  assert_int_equal(sumi__dataset_open_idx(ctx, "half", SUMI__SPLIT_TRAIN, 10, &set), SUMI_FORMAT);
  assert_error(ctx, "half/train-labels-idx1-ubyte", "1 dimension");
  assert_null(set.pixels);
}

static void orders_are_permutations(void **state) {
  (void)state;
  enum { N = 1000 };
  static uint32_t a[N], b[N];
  bool seen[N] = {false};
  int fixed = 0;
  sumi__epoch_order(5, 3, a, N);
  sumi__epoch_order(5, 3, b, N);
  assert_memory_equal(a, b, sizeof a);
  for (int i = 0; i < N; i++) {
    assert_true(a[i] < N && !seen[a[i]]);
    seen[a[i]] = true;
    fixed += a[i] == (uint32_t)i;
  }
  assert_true(fixed < 10); /* one is expected */
  sumi__epoch_order(5, 4, b, N);
  assert_memory_not_equal(a, b, sizeof a);
  sumi__epoch_order(6, 3, b, N);
  assert_memory_not_equal(a, b, sizeof a);
  /* every picture comes first about as often as any other */
  int first[4] = {0};
  for (int epoch = 0; epoch < 4000; epoch++) {
    sumi__epoch_order(1, epoch, a, 4);
    first[a[0]]++;
  }
  for (int i = 0; i < 4; i++) assert_in_range(first[i], 880, 1120);
}

/* ---- The loader ---- */

static sumi__dataset open_set(sumi_context *ctx) {
  sumi__dataset set;
  make_folder("set", COUNT, false);
  assert_ok(ctx, sumi__dataset_open_idx(ctx, "set", SUMI__SPLIT_TRAIN, 10, &set));
  return set;
}

static void epochs_hold_every_picture_once(void **state) {
  sumi_context *ctx = *state;
  sumi__dataset set = open_set(ctx);
  const sumi__loader_options options = {.batch = 5, .seed = 1, .shuffle = true};
  sumi__loader *loader = NULL;
  sumi__batch batch;
  assert_ok(ctx, sumi__loader_create(ctx, &set, &options, &loader));
  assert_int_equal(sumi__loader_batches_per_epoch(loader), 5);
  int first_epoch[COUNT], moved = 0;
  for (int epoch = 0; epoch < 3; epoch++) {
    bool seen[COUNT] = {false};
    for (int b = 0, at = 0; b < 5; b++) {
      sumi__loader_next(loader, &batch);
      assert_int_equal(batch.epoch, epoch);
      assert_int_equal(batch.index, b);
      assert_int_equal(batch.rows, b < 4 ? 5 : 3);
      for (int64_t i = 0; i < batch.rows; i++, at++) {
        const float *x = batch.pixels + i * PIXELS;
        const int picture = (int)(x[0] * 255.0f + 0.5f);
        assert_true(picture < COUNT && !seen[picture]);
        seen[picture] = true;
        assert_int_equal(batch.labels[i], picture % 10);
        for (int k = 0; k < PIXELS; k++) assert_true(x[k] == (float)set.pixels[picture * PIXELS + k] / 255.0f);
        if (epoch == 0) first_epoch[at] = picture;
        moved += epoch > 0 && first_epoch[at] != picture;
      }
    }
  }
  assert_true(moved > COUNT);
  sumi__loader_free(loader);
  sumi__dataset_free(ctx, &set);
}

static void last_batches_are_dropped_on_request(void **state) {
  sumi_context *ctx = *state;
  (void)ctx;
  assert_int_equal(sumi__batches_per_epoch(23, 5, true), 4);
  assert_int_equal(sumi__batches_per_epoch(23, 5, false), 5);
  assert_int_equal(sumi__batches_per_epoch(20, 5, false), 4);
  assert_int_equal(sumi__batches_per_epoch(3, 5, true), 1); /* rather a small batch than none */
  sumi__dataset set = open_set(ctx);
  const sumi__loader_options options = {.batch = 5, .drop_last = true};
  sumi__loader *loader = NULL;
  sumi__batch batch;
  assert_ok(ctx, sumi__loader_create(ctx, &set, &options, &loader));
  for (int i = 0; i < 9; i++) {
    sumi__loader_next(loader, &batch);
    assert_int_equal(batch.epoch, i / 4);
    assert_int_equal(batch.rows, 5);
    assert_true(batch.pixels[0] == (float)(i % 4 * 5) / 255.0f); /* in the set's order */
  }
  sumi__loader_free(loader);
  sumi__dataset_free(ctx, &set);
}

/* Wherever a loader starts it gives what one from the beginning gives there. */
static void any_start_gives_the_same_batches(void **state) {
  sumi_context *ctx = *state;
  sumi__dataset set = open_set(ctx);
  enum { BATCHES = 15, BATCH_VALUES = 5 * PIXELS };
  static float all[BATCHES][BATCH_VALUES];
  sumi__loader_options options = {.batch = 5, .seed = 77, .shuffle = true, .shift = 1};
  sumi__loader *loader = NULL;
  sumi__batch batch;
  assert_ok(ctx, sumi__loader_create(ctx, &set, &options, &loader));
  for (int i = 0; i < BATCHES; i++) {
    sumi__loader_next(loader, &batch);
    memcpy(all[i], batch.pixels, (size_t)batch.rows * PIXELS * sizeof(float));
  }
  sumi__loader_free(loader);
  for (int start = 0; start < BATCHES; start++) {
    options.first_epoch = start / 5;
    options.first_batch = start % 5;
    assert_ok(ctx, sumi__loader_create(ctx, &set, &options, &loader));
    for (int i = start; i < BATCHES && i < start + 3; i++) {
      sumi__loader_next(loader, &batch);
      assert_int_equal(batch.epoch * 5 + batch.index, i);
      assert_memory_equal(all[i], batch.pixels, (size_t)batch.rows * PIXELS * sizeof(float));
    }
    sumi__loader_free(loader);
  }
  sumi__dataset_free(ctx, &set);
}

static void shifts_move_whole_pictures(void **state) {
  sumi_context *ctx = *state;
  sumi__dataset set = open_set(ctx);
  const sumi__loader_options options = {.batch = COUNT, .seed = 3, .shift = 1};
  sumi__loader *loader = NULL;
  sumi__batch batch;
  bool used[3][3] = {{false}};
  assert_ok(ctx, sumi__loader_create(ctx, &set, &options, &loader));
  for (int epoch = 0; epoch < 4; epoch++) {
    sumi__loader_next(loader, &batch);
    for (int i = 0; i < COUNT; i++) {
      const float *x = batch.pixels + i * PIXELS;
      const uint8_t *from = set.pixels + i * PIXELS;
      int matches = 0;
      for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
          bool same = true;
          for (int y = 0; y < SIDE; y++)
            for (int c = 0; c < SIDE; c++) {
              const int sy = y - dy, sx = c - dx;
              const bool inside = sy >= 0 && sy < SIDE && sx >= 0 && sx < SIDE;
              const float expected = inside ? (float)from[sy * SIDE + sx] / 255.0f : 0.0f;
              same = same && x[y * SIDE + c] == expected;
            }
          matches += same;
          used[dy + 1][dx + 1] = used[dy + 1][dx + 1] || same;
        }
      assert_int_equal(matches, 1);
    }
  }
  for (int i = 0; i < 9; i++) assert_true(used[i / 3][i % 3]);
  sumi__loader_free(loader);
  sumi__dataset_free(ctx, &set);
}

static void refuses_options(void **state) {
  sumi_context *ctx = *state;
  sumi__dataset set = open_set(ctx);
  sumi__loader *loader = NULL;
  const sumi__loader_options bad[] = {{.batch = 0}, {.batch = 5, .shift = 65}, {.batch = 5, .first_batch = 6}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(sumi__loader_create(ctx, &set, &bad[i], &loader), SUMI_INVALID);
    assert_null(loader);
  }
  sumi__dataset_free(ctx, &set);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_folders),
      cmocka_unit_test(refuses_folders),
      cmocka_unit_test(orders_are_permutations),
      cmocka_unit_test(epochs_hold_every_picture_once),
      cmocka_unit_test(last_batches_are_dropped_on_request),
      cmocka_unit_test(any_start_gives_the_same_batches),
      cmocka_unit_test(shifts_move_whole_pictures),
      cmocka_unit_test(refuses_options),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
