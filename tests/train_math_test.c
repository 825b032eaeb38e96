/* Optimisers and clipping against PyTorch's numbers; schedules, averages and the accumulation of gradients. */
#include "support.h"

#include "golden/optim.h"
#include "train/ema.h"
#include "train/gradients.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#include <math.h>

/* A few units in the last place: the arithmetic is the same, its order within a step may differ. */
static void expect_near(const float *found, const float *expected, size_t count, double tolerance) {
  for (size_t i = 0; i < count; i++)
    if (!(fabs((double)found[i] - (double)expected[i]) <= tolerance * (1e-3 + fabs((double)expected[i])))) {
      print_error("[%zu]: %.9g, expected %.9g\n", i, (double)found[i], (double)expected[i]);
      fail();
    }
}

/* `copies` parameters with the golden start, and one that is not trained. */
static sumi_weights *make_weights(sumi_context *ctx, int64_t copies) {
  sumi_weights *weights = NULL;
  sumi__weight *w = NULL;
  assert_ok(ctx, sumi_weights_create(ctx, &weights));
  assert_ok(ctx, sumi__weights_add(weights, "buffer", SUMI_F32, SUMI_SHAPE(3), SUMI__LAYOUT_PLAIN, false, &w));
  for (int i = 0; i < 3; i++) ((float *)w->data)[i] = 7.0f;
  assert_ok(ctx,
            sumi__weights_add(weights, "w", SUMI_F32, SUMI_SHAPE(copies, OPTIM_COUNT), SUMI__LAYOUT_PLAIN, true, &w));
  for (int64_t i = 0; i < copies; i++) memcpy((float *)w->data + i * OPTIM_COUNT, optim_start, sizeof optim_start);
  return weights;
}

typedef struct golden_case {
  const char *rule;
  double lr;
  sumi__optimizer_options options;
  const float *expected;
} golden_case;

static void optimisers_agree_with_torch(void **state) {
  sumi_context *ctx = *state;
  const golden_case cases[] = {
      {"adam", 1e-2, {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}, optim_adam},
      {"adam", 3e-3, {.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1}, optim_adam_l2},
      {"adamw", 1e-2, {.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-6, .weight_decay = 0.2}, optim_adamw},
      {"sgd", 0.1, {.momentum = 0.0}, optim_sgd},
      {"sgd", 0.05, {.momentum = 0.9, .weight_decay = 0.01}, optim_sgd_momentum},
      {"sgd", 0.05, {.momentum = 0.9, .nesterov = true}, optim_sgd_nesterov},
  };
  enum { COPIES = 7000 }; /* several threads' worth */
  float *grads = calloc((size_t)COPIES * OPTIM_COUNT, sizeof *grads);
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    sumi_weights *weights = make_weights(ctx, COPIES);
    sumi__optimizer o;
    assert_ok(ctx, sumi__optimizer_create(ctx, sumi__optimizer_find(cases[c].rule), &cases[c].options, weights, &o));
    assert_int_equal(o.count, 1); /* the buffer is none of its business */
    for (int step = 0; step < OPTIM_STEPS; step++) {
      for (int i = 0; i < COPIES * OPTIM_COUNT; i++)
        grads[i] = 4.0f * optim_grads[step * OPTIM_COUNT + i % OPTIM_COUNT];
      sumi__optimizer_step(&o, (const float *const[]){grads}, cases[c].lr, 0.25f);
    }
    assert_int_equal(o.steps, OPTIM_STEPS);
    const float *w = sumi_weights_data(weights, 1), *buffer = sumi_weights_data(weights, 0);
    expect_near(w, cases[c].expected, OPTIM_COUNT, 2e-6);
    for (int i = 1; i < COPIES; i++) assert_memory_equal(w + i * OPTIM_COUNT, w, sizeof optim_start);
    assert_true(buffer[0] == 7.0f);
    sumi__optimizer_free(&o);
    sumi_weights_free(weights);
  }
  free(grads);
  assert_null(sumi__optimizer_find("adagrad"));
}

static void clipping_agrees_with_torch(void **state) {
  sumi_context *ctx = *state;
  sumi__gradients g;
  float clipped[OPTIM_COUNT];
  assert_ok(ctx, sumi__gradients_create(ctx, 2, (int64_t[]){4, 2}, &g));
  assert_ok(ctx, sumi__gradients_add(&g, (const float *const[]){optim_grads, optim_grads + 4}, 1.0f, true));
  const double norm = sumi__gradients_norm(&g);
  assert_true(fabs(norm - (double)optim_norm_0[0]) < 1e-5 * norm);
  const struct {
    double limit;
    const float *expected;
  } cases[] = {{0.5, optim_clipped_0}, {1e4, optim_clipped_1}, {0.0, optim_clipped_1}};
  for (int c = 0; c < 3; c++) {
    for (int i = 0; i < OPTIM_COUNT; i++) clipped[i] = optim_grads[i] * sumi__clip_scale(norm, cases[c].limit);
    expect_near(clipped, cases[c].expected, OPTIM_COUNT, 1e-6);
  }
  sumi__gradients_free(&g);
}

static void gradients_of_pieces_make_the_mean(void **state) {
  sumi_context *ctx = *state;
  sumi__gradients g;
  const float a[] = {1, 2, 3}, b[] = {5, 6, 7};
  assert_ok(ctx, sumi__gradients_create(ctx, 1, (int64_t[]){3}, &g));
  assert_ok(ctx, sumi__gradients_add(&g, (const float *const[]){a}, 1.0f, true));
  assert_ptr_equal(g.now[0], a);            /* a whole batch is not copied */
  for (int round = 0; round < 2; round++) { /* the second begins anew */
    assert_ok(ctx, sumi__gradients_add(&g, (const float *const[]){a}, 0.75f, true));
    assert_ok(ctx, sumi__gradients_add(&g, (const float *const[]){b}, 0.25f, false));
    expect_near(g.now[0], (const float[]){2, 3, 4}, 3, 1e-7);
  }
  sumi__gradients_free(&g);
}

static void expect_rate(const sumi__schedule *s, int64_t step, double expected) {
  const double found = sumi__schedule_rate(s, step);
  if (!(fabs(found - expected) <= 1e-12)) {
    print_error("step %lld: %.15g, expected %.15g\n", (long long)step, found, expected);
    fail();
  }
}

static void schedules(void **state) {
  (void)state;
  sumi__schedule s = {
      .kind = SUMI__SCHEDULE_CONSTANT, .lr = 0.5, .warmup_steps = 4, .total_steps = 100, .steps_per_epoch = 10};
  expect_rate(&s, 0, 0.125);
  expect_rate(&s, 2, 0.375);
  expect_rate(&s, 3, 0.5);
  expect_rate(&s, 99, 0.5);

  s.kind = SUMI__SCHEDULE_EXPONENTIAL; /* the tutorial's lr * max(0.2, 0.98^epoch) */
  s.warmup_steps = 0, s.gamma = 0.98, s.floor = 0.2, s.lr = 1e-3;
  expect_rate(&s, 9, 1e-3);
  expect_rate(&s, 10, 1e-3 * 0.98);
  expect_rate(&s, 509, 1e-3 * pow(0.98, 50));
  expect_rate(&s, 790, 1e-3 * pow(0.98, 79));
  expect_rate(&s, 820, 2e-4); /* 0.98^80 = 0.1986 */

  s.kind = SUMI__SCHEDULE_COSINE;
  s.warmup_steps = 10, s.total_steps = 111, s.floor = 0.1, s.lr = 1.0;
  expect_rate(&s, 4, 0.5);
  expect_rate(&s, 10, 1.0);
  expect_rate(&s, 60, 0.55);
  expect_rate(&s, 110, 0.1);
  expect_rate(&s, 500, 0.1);
  s.total_steps = 5; /* shorter than the warm-up */
  expect_rate(&s, 4, 0.5);
}

static void averages_are_stepped(void **state) {
  sumi_context *ctx = *state;
  sumi_weights *weights = make_weights(ctx, 1);
  sumi__ema slow, early, none;
  assert_ok(ctx, sumi__ema_create(ctx, weights, 0.9, false, &slow));
  assert_ok(ctx, sumi__ema_create(ctx, weights, 0.9, true, &early));
  assert_ok(ctx, sumi__ema_create(ctx, weights, 0.0, false, &none));
  float *w = sumi_weights_data(weights, 1);
  double slow_expected = (double)w[0], early_expected = (double)w[0];
  for (int step = 1; step <= 200; step++) {
    w[0] = (float)step;
    sumi__ema_step(&slow, step);
    sumi__ema_step(&early, step);
    sumi__ema_step(&none, step);
    const double d = fmin(0.9, (1.0 + step) / (10.0 + step));
    slow_expected = 0.9 * slow_expected + 0.1 * step;
    early_expected = d * early_expected + (1.0 - d) * step;
    assert_true(fabs((double)((float *)sumi_weights_data(slow.average, 1))[0] - slow_expected) < 1e-4);
    assert_true(fabs((double)((float *)sumi_weights_data(early.average, 1))[0] - early_expected) < 1e-4);
    assert_true(((float *)sumi_weights_data(none.average, 1))[0] == w[0]);
  }
  assert_true(((float *)sumi_weights_data(slow.average, 0))[0] == 7.0f); /* the buffer came along */
  assert_string_equal(sumi_weights_name(slow.average, 0), "buffer");
  sumi__ema_free(&slow);
  sumi__ema_free(&early);
  sumi__ema_free(&none);
  sumi_weights_free(weights);
}

/* Group fixture: two threads, so that parameters are split. */
static int setup(void **state) {
  const sumi_context_options options = {.threads = 2};
  return sumi_context_create(&options, (sumi_context **)state) == SUMI_OK ? 0 : -1;
}

static int teardown(void **state) {
  sumi_context_free(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(optimisers_agree_with_torch),
      cmocka_unit_test(clipping_agrees_with_torch),
      cmocka_unit_test(gradients_of_pieces_make_the_mean),
      cmocka_unit_test(schedules),
      cmocka_unit_test(averages_are_stepped),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
