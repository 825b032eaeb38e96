/* Gradients beyond the first of one operator: the second derivatives of the operators that are one another's gradients,
 * and how precise gradients are when products are computed in bf16. */
#include "support.h"

#include "tensor/graph.h"

#include <math.h>

static float noise(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)(*state >> 8) * 0x1p-23f - 1.0f;
}

static sumi_backend *backend_of(sumi_context *ctx) {
  sumi_backend *backend = NULL;
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  return backend;
}

/* ---- Second derivatives ---- */

enum { MAX_OPERANDS = 3 };

typedef struct second_case {
  const char *name;
  sumi_tensor *(*build)(sumi_graph *g, sumi_tensor *const *x);
  int n;
  struct {
    int rank;
    int64_t dims[4];
  } shapes[MAX_OPERANDS];
} second_case;

static sumi_tensor *conv(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_conv2d(g, x[0], x[1], x[2],
                     &(sumi_conv_options){.stride_h = 2, .pad_top = 1, .pad_right = 1, .dilation_w = 2});
}
static sumi_tensor *conv_groups(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_conv2d(g, x[0], x[1], x[2],
                     &(sumi_conv_options){.groups = 2, .pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1});
}
static sumi_tensor *conv_transpose(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_conv_transpose2d(g, x[0], x[1], x[2], &(sumi_conv_options){.stride_h = 2, .stride_w = 2, .pad_top = 1}, 1,
                               0);
}
static sumi_tensor *matmul(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_matmul(g, x[0], x[1], false, false, x[2]);
}
static sumi_tensor *matmul_transposed(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_matmul(g, x[0], x[1], true, true, x[2]);
}
static sumi_tensor *linear(sumi_graph *g, sumi_tensor *const *x) { return sumi_linear(g, x[0], x[1], x[2]); }
static sumi_tensor *upsample(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_square(g, sumi_upsample_nearest(g, sumi_mul(g, x[0], x[1]), 2, 3));
}
static sumi_tensor *resize(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_square(g, sumi_resize_bilinear(g, sumi_mul(g, x[0], x[1]), 5, 2, false));
}
static sumi_tensor *avg_pool(sumi_graph *g, sumi_tensor *const *x) {
  return sumi_square(g, sumi_avg_pool2d(g, sumi_mul(g, x[0], x[1]), 2, 1));
}

static const second_case second_cases[] = {
    {"conv2d", conv, 3, {{4, {1, 5, 6, 2}}, {4, {3, 3, 2, 2}}, {1, {3}}}},
    {"conv2d with groups", conv_groups, 3, {{4, {2, 3, 4, 4}}, {4, {2, 3, 3, 2}}, {1, {2}}}},
    {"conv_transpose2d", conv_transpose, 3, {{4, {1, 3, 2, 3}}, {4, {3, 3, 2, 2}}, {1, {2}}}},
    {"matmul, broadcast", matmul, 3, {{4, {2, 1, 3, 2}}, {3, {3, 2, 4}}, {1, {4}}}},
    {"matmul, transposed", matmul_transposed, 3, {{3, {2, 3, 2}}, {2, {4, 3}}, {1, {4}}}},
    {"linear", linear, 3, {{3, {2, 3, 4}}, {2, {2, 4}}, {1, {2}}}},
    {"upsample_nearest", upsample, 2, {{4, {1, 2, 2, 2}}, {4, {1, 2, 2, 2}}}},
    {"resize_bilinear", resize, 2, {{4, {1, 3, 4, 2}}, {4, {1, 3, 4, 2}}}},
    {"avg_pool2d", avg_pool, 2, {{4, {1, 3, 4, 2}}, {4, {1, 3, 4, 2}}}},
};

typedef struct second {
  sumi_graph *g;
  sumi_program *program;
  sumi_tensor *x[MAX_OPERANDS], *slope, *dx[MAX_OPERANDS];
} second;

static sumi_tensor *weighted_sum(sumi_graph *g, sumi_tensor *t, uint32_t *r) {
  float values[1024];
  assert_non_null(t);
  assert_true(sumi__count(t) <= 1024);
  for (int64_t i = 0; i < sumi__count(t); i++) values[i] = noise(r);
  return sumi_sum_all(g, sumi_mul(g, t, sumi_constant(g, SUMI_F32, t->shape, values)));
}

/* slope: the derivative of a weighted sum of y in a fixed direction; dx: the gradients of that. */
static void second_make(second *s, sumi_context *ctx, sumi_backend *backend, const second_case *c, bool reference) {
  uint32_t r = 5;
  sumi_tensor *first[MAX_OPERANDS] = {0}, *outputs[MAX_OPERANDS + 1], *x[MAX_OPERANDS] = {0};
  *s = (second){0};
  assert_ok(ctx, sumi_graph_create(ctx, &s->g));
  for (int i = 0; i < c->n; i++)
    x[i] = s->x[i] = sumi_input(s->g, NULL, SUMI_F32, sumi_shape_make(c->shapes[i].rank, c->shapes[i].dims));
  assert_ok(ctx, sumi_grad(s->g, weighted_sum(s->g, c->build(s->g, x), &r), c->n, x, first));
  for (int i = 0; i < c->n; i++) {
    sumi_tensor *part = weighted_sum(s->g, first[i], &r);
    s->slope = i ? sumi_add(s->g, s->slope, part) : part;
  }
  assert_ok(ctx, sumi_grad(s->g, s->slope, c->n, x, s->dx));
  outputs[0] = s->slope;
  for (int i = 0; i < c->n; i++) outputs[i + 1] = s->dx[i];
  assert_ok(ctx, sumi_compile(backend, s->g, c->n + 1, outputs, &(sumi_compile_options){.reference = reference},
                              &s->program));
  for (int i = 0; i < c->n; i++) {
    float *values = sumi_data(s->program, s->x[i]);
    for (int64_t k = 0; values && k < sumi__count(s->x[i]); k++) values[k] = noise(&r);
  }
}

static double slope_at(sumi_context *ctx, second *s, float *element, float value) {
  float slope;
  *element = value;
  assert_ok(ctx, sumi_run(s->program));
  assert_ok(ctx, sumi_get(s->program, s->slope, &slope));
  return (double)slope;
}

static void check_operand(sumi_context *ctx, second *s, const second_case *c, int i) {
  const int64_t count = sumi__count(s->x[i]);
  const float step = 0.125f; /* slopes are polynomials of second degree at most along one element: no error from it */
  float *x = sumi_data(s->program, s->x[i]), dx[256];
  double squares = 0.0;
  assert_ok(ctx, sumi_run(s->program));
  assert_ok(ctx, sumi_get(s->program, s->dx[i], dx));
  for (int64_t k = 0; k < count; k++) squares += (double)dx[k] * (double)dx[k];
  const double typical = sqrt(squares / (double)count);
  if (!x) { /* the bias: nothing of second order depends on it */
    assert_true(typical == 0.0);
    return;
  }
  assert_true(typical > 0.0);
  for (int64_t k = 0; k < count; k++) {
    const float kept = x[k];
    const double up = slope_at(ctx, s, &x[k], kept + step), down = slope_at(ctx, s, &x[k], kept - step);
    const double expected = (up - down) / (2.0 * (double)step);
    x[k] = kept;
    if (fabs((double)dx[k] - expected) > 1e-3 * typical) {
      print_error("%s: operand %d, element %d: %g, by differences %g\n", c->name, i, (int)k, (double)dx[k], expected);
      fail();
    }
  }
}

static void test_second_derivatives(void **state) {
  sumi_context *ctx = *state;
  sumi_backend *backend = backend_of(ctx);
  for (size_t k = 0; k < sizeof second_cases / sizeof *second_cases; k++)
    for (int reference = 0; reference < 2; reference++) {
      second s;
      second_make(&s, ctx, backend, &second_cases[k], reference);
      for (int i = 0; i < second_cases[k].n; i++) check_operand(ctx, &s, &second_cases[k], i);
      sumi_program_free(s.program);
      sumi_graph_free(s.g);
    }
  sumi_backend_free(backend);
}

/* ---- Products in bf16 ---- */

enum { N = 2, SIDE = 8, WIDTH = 32, PARAMETERS = 7 };

typedef struct network {
  sumi_graph *g;
  sumi_program *program;
  sumi_tensor *inputs[PARAMETERS + 2], *grads[PARAMETERS];
  int n_inputs;
  uint32_t r;
} network;

static sumi_tensor *operand(network *n, sumi_shape shape) {
  return n->inputs[n->n_inputs++] = sumi_input(n->g, NULL, SUMI_F32, shape);
}

/* A residual block, self-attention over its pixels, and a loss: what every network here is made of. */
static sumi_tensor *network_loss(network *n, sumi_tensor *p[PARAMETERS]) {
  sumi_graph *g = n->g;
  const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  p[0] = operand(n, SUMI_SHAPE(WIDTH, 3, 3, WIDTH));
  p[1] = operand(n, SUMI_SHAPE(WIDTH));
  p[2] = operand(n, SUMI_SHAPE(WIDTH));
  p[3] = operand(n, SUMI_SHAPE(WIDTH));
  p[4] = operand(n, SUMI_SHAPE(3 * WIDTH, WIDTH));
  p[5] = operand(n, SUMI_SHAPE(WIDTH, WIDTH));
  p[6] = operand(n, SUMI_SHAPE(WIDTH));
  sumi_tensor *x = operand(n, SUMI_SHAPE(N, SIDE, SIDE, WIDTH)), *target = operand(n, SUMI_SHAPE(N, 64, WIDTH));
  sumi_tensor *h = sumi_conv2d(g, sumi_group_norm_silu(g, x, NULL, p[2], p[3], 8, 1e-5f), p[0], p[1], &same);
  h = sumi_reshape(g, sumi_add(g, h, x), SUMI_SHAPE(N, 64, WIDTH));
  sumi_tensor *qkv = sumi_linear(g, h, p[4], NULL), *parts[3];
  for (int i = 0; i < 3; i++)
    parts[i] = sumi_reshape(g, sumi_slice(g, qkv, 2, i * WIDTH, (i + 1) * WIDTH), SUMI_SHAPE(N, 64, 2, WIDTH / 2));
  sumi_tensor *y = sumi_attention(g, parts[0], parts[1], parts[2], NULL, 0.0f, false);
  y = sumi_add(g, h, sumi_linear(g, sumi_reshape(g, y, SUMI_SHAPE(N, 64, WIDTH)), p[5], p[6]));
  return sumi_mse_loss(g, y, target);
}

static void network_make(network *n, sumi_context *ctx, sumi_backend *backend, sumi_dtype compute) {
  sumi_tensor *p[PARAMETERS];
  *n = (network){.r = 11};
  assert_ok(ctx, sumi_graph_create(ctx, &n->g));
  sumi_graph_set_compute(n->g, compute);
  sumi_tensor *loss = network_loss(n, p);
  assert_ok(ctx, sumi_grad(n->g, loss, PARAMETERS, p, n->grads));
  assert_ok(ctx, sumi_compile(backend, n->g, PARAMETERS, n->grads, NULL, &n->program));
  for (int i = 0; i < n->n_inputs; i++) {
    float *values = sumi_data(n->program, n->inputs[i]);
    const int64_t count = sumi__count(n->inputs[i]);
    const float scale = i < PARAMETERS && n->inputs[i]->shape.rank > 1 ? sqrtf(3.0f * WIDTH / (float)count) : 1.0f;
    for (int64_t k = 0; values && k < count; k++) values[k] = scale * noise(&n->r);
  }
  assert_ok(ctx, sumi_run(n->program));
}

static void network_free(network *n) {
  sumi_program_free(n->program);
  sumi_graph_free(n->g);
}

/* ||a - b|| / ||b|| */
static double distance(sumi_program *pa, const sumi_tensor *a, sumi_program *pb, const sumi_tensor *b) {
  const float *x = sumi_data(pa, a), *y = sumi_data(pb, b);
  double error = 0.0, size = 0.0;
  assert_int_equal(a->dtype, SUMI_F32);
  for (int64_t k = 0; k < sumi__count(a); k++) {
    error += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
    size += (double)y[k] * (double)y[k];
  }
  return sqrt(error / size);
}

/* A rounding to bf16 changes a value by up to 2^-9 of itself, 2^-10 or so in the mean square; a gradient here has some
 * ten of them behind it, most of them averaged over many products. */
static void test_bf16_network(void **state) {
  sumi_context *ctx = *state;
  sumi_backend *backend = backend_of(ctx);
  network exact, rough;
  network_make(&exact, ctx, backend, SUMI_F32);
  network_make(&rough, ctx, backend, SUMI_BF16);
  for (int i = 0; i < PARAMETERS; i++) {
    const double error = distance(rough.program, rough.grads[i], exact.program, exact.grads[i]);
    if (!(error < 0.008)) print_error("gradient of parameter %d: relative error %g in bf16\n", i, error);
    assert_true(error < 0.008);
    assert_true(error > 1e-6); /* it was computed in bf16 */
  }
  network_free(&exact);
  network_free(&rough);
  sumi_backend_free(backend);
}

/* Gradients of weights are sums over many pixels or tokens, and must come out of them in f32: from operands that bf16
 * holds exactly, they are as exact as in f32. */
static void weight_gradients(sumi_context *ctx, sumi_backend *backend, sumi_dtype compute, bool reference,
                             float dw[2][9 * 64]) {
  sumi_graph *g = NULL;
  sumi_program *program = NULL;
  sumi_tensor *dx[2] = {0};
  uint32_t r = 3;
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  sumi_graph_set_compute(g, compute);
  sumi_tensor *x = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(4, 16, 16, 8)),
              *dy = sumi_input(g, NULL, SUMI_F32, x->shape);
  sumi_tensor *w[2] = {sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(8, 3, 3, 8)),
                       sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(8, 8))};
  const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  sumi_tensor *y = sumi_add(g, sumi_conv2d(g, x, w[0], NULL, &same), sumi_linear(g, x, w[1], NULL));
  assert_ok(ctx, sumi_grad(g, sumi_sum_all(g, sumi_mul(g, y, dy)), 2, w, dx));
  assert_ok(ctx, sumi_compile(backend, g, 2, dx, &(sumi_compile_options){.reference = reference}, &program));
  float *values[2] = {sumi_data(program, x), sumi_data(program, dy)};
  for (int64_t k = 0; k < sumi__count(x); k++)
    for (int i = 0; i < 2; i++) values[i][k] = roundf(noise(&r) * 64.0f) / 64.0f;
  assert_ok(ctx, sumi_run(program));
  for (int i = 0; i < 2; i++) assert_ok(ctx, sumi_get(program, dx[i], dw[i]));
  sumi_program_free(program);
  sumi_graph_free(g);
}

static void test_bf16_weight_gradients(void **state) {
  sumi_context *ctx = *state;
  sumi_backend *backend = backend_of(ctx);
  static float exact[2][9 * 64], rough[2][9 * 64];
  weight_gradients(ctx, backend, SUMI_F32, true, exact);
  for (int reference = 0; reference < 2; reference++) {
    weight_gradients(ctx, backend, SUMI_BF16, reference, rough);
    for (int i = 0; i < 2; i++)
      for (int k = 0; k < (i ? 64 : 9 * 64); k++) assert_true(fabsf(rough[i][k] - exact[i][k]) < 1e-4f);
  }
  sumi_backend_free(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_second_derivatives),
      cmocka_unit_test(test_bf16_network),
      cmocka_unit_test(test_bf16_weight_gradients),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
