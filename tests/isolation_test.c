/* Contexts share nothing: two threads, each with a context of its own, build, differentiate, compile and train a small
 * convolutional network at the same time, again and again, and each gets to the last bit what it gets alone. Under
 * ThreadSanitizer (the preset "tsan") this also shows that no memory is shared without order. */
#include "support.h"

#include "tensor/weights.h"

#include <math.h>
#include <pthread.h>

enum { STEPS = 4, ROUNDS = 3, BATCH = 4, SIDE = 8, CLASSES = 5, PARAMETERS = 8 };

/* What one training does and what came of it. */
typedef struct training {
  int seed, threads;
  sumi_dtype compute;
  sumi_status status;
  char error[512]; /* of the step that failed, or of the fault that each training makes on purpose */
  float losses[STEPS];
  double weights_sum;
} training;

static float noise(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)(*state >> 8) * 0x1p-23f - 1.0f;
}

/* ---- The network ---- */

typedef struct model {
  sumi_context *ctx;
  sumi_backend *backend;
  sumi_weights *weights;
  sumi_graph *g;
  sumi_program *program;
  sumi_tensor *x, *labels, *state, *loss, *grads[PARAMETERS];
} model;

static sumi_tensor *parameter(model *m, const char *name, sumi_shape shape, float scale, float shift, uint32_t *r) {
  sumi__weight *w = NULL;
  if (sumi__weights_add(m->weights, name, SUMI_F32, shape, SUMI__LAYOUT_PLAIN, true, &w) != SUMI_OK) return NULL;
  for (int64_t i = 0; i < sumi_shape_count(&shape); i++) ((float *)w->data)[i] = scale * noise(r) + shift;
  return sumi_param(m->g, m->weights, name);
}

static sumi_status build(model *m, const training *t) {
  uint32_t r = (uint32_t)t->seed;
  sumi_graph *g = m->g;
  sumi_tensor *p[PARAMETERS];
  const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  const sumi_conv_options half = {.stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1};
  sumi_graph_set_compute(g, t->compute);
  p[0] = parameter(m, "in.weight", SUMI_SHAPE(8, 3, 3, 2), 0.3f, 0.0f, &r);
  p[1] = parameter(m, "in.bias", SUMI_SHAPE(8), 0.1f, 0.0f, &r);
  p[2] = parameter(m, "norm.weight", SUMI_SHAPE(8), 0.1f, 1.0f, &r);
  p[3] = parameter(m, "norm.bias", SUMI_SHAPE(8), 0.1f, 0.0f, &r);
  p[4] = parameter(m, "down.weight", SUMI_SHAPE(16, 3, 3, 8), 0.2f, 0.0f, &r);
  p[5] = parameter(m, "down.bias", SUMI_SHAPE(16), 0.1f, 0.0f, &r);
  p[6] = parameter(m, "out.weight", SUMI_SHAPE(CLASSES, 16), 0.3f, 0.0f, &r);
  p[7] = parameter(m, "out.bias", SUMI_SHAPE(CLASSES), 0.1f, 0.0f, &r);
  m->x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(BATCH, SIDE, SIDE, 2));
  m->labels = sumi_input(g, "labels", SUMI_I32, SUMI_SHAPE(BATCH));
  m->state = sumi_input(g, "state", SUMI_I64, SUMI_SHAPE(2));
  sumi_tensor *h = sumi_conv2d(g, m->x, p[0], p[1], &same);
  h = sumi_group_norm_silu(g, h, NULL, p[2], p[3], 2, 1e-5f);
  h = sumi_silu(g, sumi_conv2d(g, h, p[4], p[5], &half));
  sumi_tensor *q = sumi_reshape(g, h, SUMI_SHAPE(BATCH, SIDE * SIDE / 4, 2, 8));
  sumi_tensor *a = sumi_reshape(g, sumi_attention(g, q, q, q, NULL, 0.0f, false), SUMI_SHAPE(BATCH, -1, 16));
  sumi_tensor *pooled = sumi_mean(g, sumi_dropout(g, a, m->state, 0.1f), 1, (int[]){1}, false);
  m->loss = sumi_cross_entropy(g, sumi_cast(g, sumi_linear(g, pooled, p[6], p[7]), SUMI_F32), m->labels, 0.1f);
  return sumi_grad(g, m->loss, PARAMETERS, p, m->grads);
}

static void feed(model *m, const training *t, int step) {
  uint32_t r = (uint32_t)(t->seed * 100 + step);
  float *x = sumi_data(m->program, m->x);
  int32_t *labels = sumi_data(m->program, m->labels);
  int64_t *state = sumi_data(m->program, m->state);
  for (int i = 0; i < BATCH * SIDE * SIDE * 2; i++) x[i] = noise(&r);
  for (int i = 0; i < BATCH; i++) labels[i] = (i + t->seed) % CLASSES;
  state[0] = t->seed;
  state[1] = step;
}

/* weights -= 0.1 gradient */
static void descend(model *m) {
  for (size_t i = 0; i < PARAMETERS; i++) {
    const sumi_shape shape = sumi_weights_shape(m->weights, i);
    float *w = sumi_weights_data(m->weights, i);
    const float *d = sumi_data(m->program, m->grads[i]);
    for (int64_t k = 0; k < sumi_shape_count(&shape); k++) w[k] -= 0.1f * d[k];
  }
}

/* A mistake, so that each context has a sentence of its own to keep. */
static void blunder(sumi_context *ctx, training *t) {
  sumi_graph *g = NULL;
  if (sumi_graph_create(ctx, &g) != SUMI_OK) return;
  sumi_linear(g, sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(1, t->seed)),
              sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(2, t->seed + 1)), NULL);
  sumi_graph_status(g);
  snprintf(t->error, sizeof t->error, "%s", sumi_context_error(ctx));
  sumi_graph_free(g);
}

static sumi_status steps(model *m, training *t) {
  sumi_status status = SUMI_OK;
  sumi_tensor *outputs[PARAMETERS + 1] = {m->loss};
  for (int i = 0; i < PARAMETERS; i++) outputs[i + 1] = m->grads[i];
  SUMI_TRY(sumi_compile(m->backend, m->g, PARAMETERS + 1, outputs, NULL, &m->program));
  for (int step = 0; step < STEPS; step++) {
    feed(m, t, step);
    SUMI_TRY(sumi_run(m->program));
    SUMI_TRY(sumi_get(m->program, m->loss, &t->losses[step]));
    descend(m);
  }
done:
  return status;
}

static void *train(void *arg) {
  training *t = arg;
  model m = {0};
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi_context_create(&(sumi_context_options){.threads = t->threads}, &m.ctx));
  SUMI_TRY(sumi_backend_cpu(m.ctx, &m.backend));
  SUMI_TRY(sumi_weights_create(m.ctx, &m.weights));
  SUMI_TRY(sumi_graph_create(m.ctx, &m.g));
  SUMI_TRY(build(&m, t));
  SUMI_TRY(steps(&m, t));
  t->weights_sum = 0.0;
  for (size_t i = 0; i < PARAMETERS; i++) {
    const sumi_shape shape = sumi_weights_shape(m.weights, i);
    const float *w = sumi_weights_data(m.weights, i);
    for (int64_t k = 0; k < sumi_shape_count(&shape); k++) t->weights_sum += (double)w[k] * (double)(k % 7 + 1);
  }
  blunder(m.ctx, t);
done:
  t->status = status;
  if (status != SUMI_OK && m.ctx) snprintf(t->error, sizeof t->error, "%s", sumi_context_error(m.ctx));
  sumi_program_free(m.program);
  sumi_graph_free(m.g);
  sumi_weights_free(m.weights);
  sumi_backend_free(m.backend);
  if (m.ctx) sumi_context_free(m.ctx);
  return NULL;
}

/* ---- Alone and together ---- */

static void check_alone(const training *t) {
  char expected[64];
  if (t->status != SUMI_OK) print_error("%s\n", t->error);
  assert_int_equal(t->status, SUMI_OK);
  for (int i = 0; i < STEPS; i++) assert_true(isfinite(t->losses[i]) && t->losses[i] > 0.0f);
  assert_true(isfinite(t->weights_sum));
  snprintf(expected, sizeof expected, "[1, %d]", t->seed);
  assert_non_null(strstr(t->error, expected));
}

static void check_same(const training *alone, const training *together) {
  if (together->status != SUMI_OK) print_error("%s\n", together->error);
  assert_int_equal(together->status, SUMI_OK);
  assert_memory_equal(together->losses, alone->losses, sizeof alone->losses);
  assert_memory_equal(&together->weights_sum, &alone->weights_sum, sizeof alone->weights_sum);
  assert_string_equal(together->error, alone->error);
}

static void compare(training a, training b) {
  training alone[2] = {a, b};
  for (int i = 0; i < 2; i++) {
    train(&alone[i]);
    check_alone(&alone[i]);
  }
  assert_true(alone[0].losses[0] != alone[1].losses[0]);
  for (int round = 0; round < ROUNDS; round++) {
    training together[2] = {a, b};
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, train, &together[1]), 0);
    train(&together[0]);
    assert_int_equal(pthread_join(other, NULL), 0);
    for (int i = 0; i < 2; i++) check_same(&alone[i], &together[i]);
  }
}

static void test_one_thread_each(void **state) {
  (void)state;
  compare((training){.seed = 3, .threads = 1}, (training){.seed = 4, .threads = 1});
}

static void test_two_threads_each(void **state) {
  (void)state;
  compare((training){.seed = 5, .threads = 2}, (training){.seed = 6, .threads = 2});
}

static void test_unlike_contexts(void **state) {
  (void)state;
  compare((training){.seed = 7, .threads = 1, .compute = SUMI_BF16}, (training){.seed = 8, .threads = 2});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_thread_each),
      cmocka_unit_test(test_two_threads_each),
      cmocka_unit_test(test_unlike_contexts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
