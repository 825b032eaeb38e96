/* Drawing and judging through the public interface, with a small network of random weights. */
#include "support.h"

#include "models/model_folder.h"

#include <math.h>

enum { PIXELS = 28 * 28, MOST = 7 };

/* Folders: "model" with an attention network, "plain" with one without labels, "guided" with a null class, and a
 * classifier in "model/classifier". */
static int make_folders(void **state) {
  if (support_setup(state) != 0) return -1;
  sumi_context *ctx = *state;
  for (int i = 0; i < 4; i++) {
    sumi_graph *g = NULL;
    sumi_weights *weights = NULL;
    sumi__rng rng;
    sumi__rng_seed(&rng, 1);
    if (sumi_graph_create(ctx, &g) != SUMI_OK || sumi_weights_create(ctx, &weights) != SUMI_OK) return -1;
    sumi__nn nn = sumi__nn_root(g, weights);
    nn.init = &rng;
    sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(1, 28, 28, 1)),
                *t = sumi_input(g, "t", SUMI_F32, SUMI_SHAPE(1));
    sumi_status status;
    if (i < 3) {
      static const char *const folders[] = {"model", "plain", "guided"};
      sumi__score_unet_config c =
          sumi__score_unet_defaults(i == 1 ? SUMI__SCORE_UNET_CONCAT : SUMI__SCORE_UNET_ATTENTION);
      c.null_class = i == 2;
      c.guidance = i == 2 ? 2.0 : 1.0;
      memcpy(c.channels, (int64_t[4]){4, 8, 8, 8}, sizeof c.channels);
      sumi__score_unet(&nn, &c, x, t, sumi_input(g, "labels", SUMI_I64, SUMI_SHAPE(1)));
      status = sumi__score_unet_save(ctx, folders[i], &c, weights);
    } else {
      const sumi__digit_classifier_config c = sumi__digit_classifier_defaults();
      sumi__digit_classifier(&nn, &c, x, NULL);
      status = sumi__digit_classifier_save(ctx, "model/classifier", &c, weights);
    }
    if (status != SUMI_OK || sumi_graph_status(g) != SUMI_OK) return -1;
    sumi_graph_free(g);
    sumi_weights_free(weights);
  }
  return 0;
}

static double difference(const float *a, const float *b, size_t count) {
  double most = 0.0;
  for (size_t i = 0; i < count; i++) most = fmax(most, fabs((double)a[i] - (double)b[i]));
  return most;
}

static void models_describe_themselves(void **state) {
  sumi_context *ctx = *state;
  sumi_digits *m = NULL;
  sumi_judge *j = NULL;
  assert_ok(ctx, sumi_digits_open(ctx, "model", &m));
  const sumi_digits_info info = sumi_digits_describe(m);
  assert_string_equal(info.variant, "attention");
  assert_int_equal(info.classes, 10);
  assert_int_equal(info.width * info.height, PIXELS);
  assert_true(info.parameters > 1000 && info.sigma == 25.0);
  sumi_digits_close(m);
  assert_ok(ctx, sumi_judge_open(ctx, "model", &j)); /* finds model/classifier */
  assert_int_equal(sumi_judge_describe(j).classes, 10);
  assert_int_equal(sumi_judge_describe(j).features, 128);
  sumi_judge_close(j);
  assert_int_equal(sumi_judge_open(ctx, "plain", &j), SUMI_NOT_FOUND);
  assert_null(j);
}

/* A picture is its seed's and its label's, not its neighbours': seeds 40 to 46 in one batch, in three, and alone. */
static void pictures_do_not_depend_on_the_batch(void **state) {
  sumi_context *ctx = *state;
  static const int64_t labels[MOST] = {3, 1, 4, 1, 5, 9, 2};
  static float all[MOST * PIXELS], split[MOST * PIXELS], one[PIXELS];
  sumi_digits *m = NULL;
  assert_ok(ctx, sumi_digits_open(ctx, "model", &m));
  for (size_t i = 0; i < sumi_sampler_count(); i++) {
    if (!sumi_sampler_at(i)->digits) continue;
    sumi_sample_options o = {
        .count = MOST, .labels = labels, .sampler = sumi_sampler_at(i)->name, .steps = 5, .seed = 40};
    o.tolerance = 1e-2;
    assert_ok(ctx, sumi_digits_sample(m, &o, all));
    const double scale = difference(all, all + PIXELS, PIXELS);
    assert_true(scale > 1e-3 && isfinite(scale)); /* they differ */
    o.batch = 3;
    assert_ok(ctx, sumi_digits_sample(m, &o, split));
    assert_true(difference(all, split, MOST * PIXELS) < 1e-3 * scale);
    o.count = 1;
    o.labels = labels + 4;
    o.seed = 44;
    assert_ok(ctx, sumi_digits_sample(m, &o, one));
    assert_true(difference(all + 4 * PIXELS, one, PIXELS) < 1e-3 * scale);
    o.labels = labels + 5; /* another digit */
    assert_ok(ctx, sumi_digits_sample(m, &o, one));
    assert_true(difference(all + 4 * PIXELS, one, PIXELS) > 1e-6 * scale);
  }
  sumi_digits_close(m);
}

static void same_seed_same_picture(void **state) {
  sumi_context *ctx = *state;
  static float a[2 * PIXELS], b[2 * PIXELS];
  sumi_digits *m = NULL;
  assert_ok(ctx, sumi_digits_open(ctx, "plain", &m));
  sumi_sample_options o = {.count = 2, .steps = 6, .seed = 9};
  assert_ok(ctx, sumi_digits_sample(m, &o, a));
  assert_ok(ctx, sumi_digits_sample(m, &o, b));
  assert_memory_equal(a, b, sizeof a);
  assert_true(sumi_digits_evaluations(m) == 6.0);
  o.seed = 10; /* the second picture becomes the first */
  o.count = 1;
  assert_ok(ctx, sumi_digits_sample(m, &o, b));
  assert_true(difference(a + PIXELS, b, PIXELS) < 1e-3);
  o.compute = SUMI_BF16; /* close, but not the same */
  assert_ok(ctx, sumi_digits_sample(m, &o, a));
  assert_true(difference(a, b, PIXELS) > 0.0);
  sumi_digits_close(m);
}

typedef struct watch {
  int calls, stop_at;
  double fraction;
  const int64_t *sizes; /* of the batches */
} watch;

static bool look(void *user, const sumi_sample_progress *p) {
  watch *w = user;
  assert_int_equal(p->total, 4);
  assert_int_equal(p->step, w->calls % 5);
  assert_int_equal(p->first, w->calls / 5 * 3);
  assert_int_equal(p->count, w->sizes[w->calls / 5]);
  assert_non_null(p->x);
  assert_int_equal(p->x0 != NULL, p->step > 0);
  assert_true(p->fraction >= w->fraction && p->fraction <= 1.0);
  w->fraction = p->fraction;
  return ++w->calls != w->stop_at;
}

static void callbacks_see_all_batches(void **state) {
  sumi_context *ctx = *state;
  static float pictures[5 * PIXELS];
  sumi_digits *m = NULL;
  watch w = {.sizes = (int64_t[]){3, 2}};
  assert_ok(ctx, sumi_digits_open(ctx, "plain", &m));
  sumi_sample_options o = {.count = 5, .steps = 4, .batch = 4, .callback = look, .user = &w};
  assert_ok(ctx, sumi_digits_sample(m, &o, pictures));
  assert_int_equal(w.calls, 10);
  assert_true(w.fraction == 1.0);
  w = (watch){.sizes = (int64_t[]){3, 2}, .stop_at = 7};
  assert_int_equal(sumi_digits_sample(m, &o, pictures), SUMI_CANCELLED);
  assert_int_equal(w.calls, 7);
  sumi_digits_close(m);
}

static void refuse(sumi_context *ctx, sumi_digits *m, sumi_sample_options o, sumi_status code, const char *words) {
  static float pictures[2 * PIXELS];
  assert_int_equal(sumi_digits_sample(m, &o, pictures), code);
  assert_error(ctx, words);
}

static void options_are_checked(void **state) {
  sumi_context *ctx = *state;
  const int64_t good[2] = {0, 9}, bad[2] = {0, 10};
  sumi_digits *m = NULL, *plain = NULL;
  assert_ok(ctx, sumi_digits_open(ctx, "model", &m));
  assert_ok(ctx, sumi_digits_open(ctx, "plain", &plain));
  refuse(ctx, m, (sumi_sample_options){.count = 2}, SUMI_INVALID, "needs a label");
  refuse(ctx, m, (sumi_sample_options){.count = 2, .labels = bad}, SUMI_INVALID, "label 10 is not in 0..9");
  refuse(ctx, plain, (sumi_sample_options){.count = 2, .labels = good}, SUMI_INVALID, "without labels");
  refuse(ctx, plain, (sumi_sample_options){.count = 0}, SUMI_INVALID, "0 pictures");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .sampler = "magic"}, SUMI_NOT_FOUND, "magic");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .sampler = "lcm"}, SUMI_INVALID, "'lcm'");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .steps = -1}, SUMI_INVALID, "-1 steps");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .steps = 1 << 30}, SUMI_INVALID, "steps");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .tolerance = NAN}, SUMI_INVALID, "tolerance");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .t_end = 1.0}, SUMI_INVALID, "t_end");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .snr = -1.0}, SUMI_INVALID, "snr");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .batch = -1}, SUMI_INVALID, "batch");
  refuse(ctx, plain, (sumi_sample_options){.count = 1, .compute = SUMI_I8}, SUMI_INVALID, "i8");
  sumi_digits_close(m);
  sumi_digits_close(plain);
}

/* One picture or many: the same verdicts; probabilities sum to 1 and agree with the labels; values are clamped. */
static void judge_is_consistent(void **state) {
  sumi_context *ctx = *state;
  enum { COUNT = 103 };
  static float pictures[COUNT * PIXELS], p[COUNT * 10], features[COUNT * 128], one[10], wild[10];
  static int64_t labels[COUNT];
  sumi_judge *j = NULL;
  sumi__rng rng;
  sumi__rng_seed(&rng, 2);
  sumi__rng_uniform(&rng, 0.0f, 1.0f, pictures, COUNT * PIXELS);
  assert_ok(ctx, sumi_judge_open(ctx, "model/classifier", &j));
  assert_ok(ctx, sumi_judge_classify(j, COUNT, pictures, labels, p, features));
  for (int i = 0; i < COUNT; i++) {
    double sum = 0.0;
    for (int k = 0; k < 10; k++) {
      sum += (double)p[i * 10 + k];
      assert_true(p[i * 10 + k] <= p[i * 10 + labels[i]]);
    }
    assert_true(fabs(sum - 1.0) < 1e-5);
  }
  assert_ok(ctx, sumi_judge_classify(j, 1, pictures + 102 * PIXELS, NULL, one, NULL));
  assert_true(difference(one, p + 102 * 10, 10) < 1e-5);
  for (int i = 0; i < PIXELS; i++) pictures[i] = i % 2 ? 1.0f : 0.0f;
  assert_ok(ctx, sumi_judge_classify(j, 1, pictures, NULL, one, NULL));
  for (int i = 0; i < PIXELS; i++) pictures[i] = i % 2 ? 7.0f : -3.0f;
  assert_ok(ctx, sumi_judge_classify(j, 1, pictures, NULL, wild, NULL));
  assert_memory_equal(one, wild, sizeof one);
  assert_int_equal(sumi_judge_classify(j, 0, pictures, NULL, wild, NULL), SUMI_INVALID);
  sumi_judge_close(j);
}

/* One step's result is the noise plus a multiple of the guided score, so it is affine in the guidance. */
static void guidance_goes_from_without_a_label_through_the_label(void **state) {
  sumi_context *ctx = *state;
  static const double guidances[4] = {1.0, 2.0, 3.0, 0.0};
  static const int64_t labels[3] = {3, 0, 9};
  static float x[4][3 * PIXELS];
  sumi_digits *m = NULL;
  assert_ok(ctx, sumi_digits_open(ctx, "guided", &m));
  assert_true(sumi_digits_describe(m).guidance == 2.0);
  for (int k = 0; k < 4; k++) {
    const sumi_sample_options o = {
        .count = 3, .labels = labels, .steps = 1, .seed = 5, .batch = 2, .guidance = guidances[k]};
    assert_ok(ctx, sumi_digits_sample(m, &o, x[k]));
  }
  assert_true(difference(x[0], x[1], 3 * PIXELS) > 1e-3);
  assert_true(difference(x[1], x[3], 3 * PIXELS) == 0.0); /* 0: the model's own, which is 2 */
  for (int i = 0; i < 3 * PIXELS; i++) assert_float_equal(x[2][i], 2.0f * x[1][i] - x[0][i], 2e-3f);
  sumi_digits_close(m);
  assert_ok(ctx, sumi_digits_open(ctx, "model", &m));
  refuse(ctx, m, (sumi_sample_options){.count = 1, .labels = labels, .guidance = 2.0}, SUMI_INVALID,
         "cannot be guided");
  sumi_digits_close(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(guidance_goes_from_without_a_label_through_the_label),
      cmocka_unit_test(models_describe_themselves),
      cmocka_unit_test(pictures_do_not_depend_on_the_batch),
      cmocka_unit_test(same_seed_same_picture),
      cmocka_unit_test(callbacks_see_all_batches),
      cmocka_unit_test(options_are_checked),
      cmocka_unit_test(judge_is_consistent),
  };
  return cmocka_run_group_tests(tests, make_folders, support_teardown);
}
