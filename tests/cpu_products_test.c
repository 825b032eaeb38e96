/* Convolutions, matrix products and norms: the CPU's kernels against the naive ones, over random geometries, on every
 * instruction set. */
#include "cpu_compare.h"

#include "ops/ops.h"

static sumi_dtype random_compute(uint32_t *r, const sumi_dtype *fixed) {
  return fixed ? *fixed : compare_below(r, 2) ? SUMI_BF16 : SUMI_F32;
}

/* The results of products in bf16 are rounded to it; sums of a few hundred products of normal numbers are below 100. */
static void compare_products(const char *name, compare_build build, int cases) {
  for (int k = 0; k < cases; k++) {
    static const sumi_dtype f32 = SUMI_F32, bf16 = SUMI_BF16;
    compare_all(name, (uint32_t)k, build, &f32, 1e-4, 1e-5);
    compare_all(name, (uint32_t)k, build, &bf16, 1e-3, 0x1p-7);
  }
}

static uint32_t seeded(const compare_graph *c) {
  uint32_t r = c->seed * 747796405u + 77u;
  for (int k = 0; k < 8; k++) compare_next(&r);
  return r;
}

/* ---- Convolutions ---- */

typedef struct conv_case {
  sumi_conv_options o;
  int64_t n, h, w, i, out, kernel;
  int output_pad;
} conv_case;

static conv_case random_conv(uint32_t *r) {
  static const int64_t widths[] = {1, 2, 3, 8, 16, 32, 33, 48};
  conv_case c = {.n = 1 + compare_below(r, 3), .kernel = 1 + compare_below(r, 4)};
  c.o.groups = compare_below(r, 4) == 0 ? 2 : 1;
  c.i = widths[compare_below(r, 8)] * c.o.groups;
  c.out = widths[compare_below(r, 8)] * c.o.groups;
  c.o.stride_h = 1 + compare_below(r, 2);
  c.o.stride_w = 1 + compare_below(r, 2);
  c.o.dilation_h = c.o.dilation_w = compare_below(r, 5) == 0 ? 2 : 1;
  if (c.kernel > 1) {
    c.o.pad_top = compare_below(r, 2), c.o.pad_left = compare_below(r, 2);
    c.o.pad_bottom = compare_below(r, 2), c.o.pad_right = compare_below(r, 2);
  }
  c.h = (c.kernel - 1) * c.o.dilation_h + 1 + compare_below(r, 12);
  c.w = (c.kernel - 1) * c.o.dilation_w + 1 + compare_below(r, 12);
  if (c.o.stride_h == 2 && c.o.stride_w == 2) c.output_pad = compare_below(r, 2);
  return c;
}

static void build_conv(compare_graph *c, const void *arg) {
  uint32_t r = seeded(c);
  const conv_case k = random_conv(&r);
  const bool bias = compare_below(&r, 2);
  sumi_graph_set_compute(c->g, random_compute(&r, arg));
  sumi_tensor *x = compare_input(c, SUMI_F32, SUMI_SHAPE(k.n, k.h, k.w, k.i), 1.0f, 0.0f);
  sumi_tensor *w = compare_input(c, SUMI_F32, SUMI_SHAPE(k.out, k.kernel, k.kernel, k.i / k.o.groups), 0.3f, 0.0f);
  sumi_tensor *b = bias ? compare_input(c, SUMI_F32, SUMI_SHAPE(k.out), 1.0f, 0.0f) : NULL;
  c->outputs[c->n_outputs++] = sumi_conv2d(c->g, x, w, b, &k.o);
}

static void build_conv_transpose(compare_graph *c, const void *arg) {
  uint32_t r = seeded(c);
  conv_case k = random_conv(&r);
  const bool bias = compare_below(&r, 2);
  k.h += 2, k.w += 2; /* so that the paddings leave something */
  sumi_graph_set_compute(c->g, random_compute(&r, arg));
  sumi_tensor *x = compare_input(c, SUMI_F32, SUMI_SHAPE(k.n, k.h, k.w, k.out), 1.0f, 0.0f);
  sumi_tensor *w = compare_input(c, SUMI_F32, SUMI_SHAPE(k.out, k.kernel, k.kernel, k.i / k.o.groups), 0.3f, 0.0f);
  sumi_tensor *b = bias ? compare_input(c, SUMI_F32, SUMI_SHAPE(k.i), 1.0f, 0.0f) : NULL;
  c->outputs[c->n_outputs++] = sumi_conv_transpose2d(c->g, x, w, b, &k.o, k.output_pad, k.output_pad);
}

static void build_conv_grads(compare_graph *c, const void *arg) {
  uint32_t r = seeded(c);
  const conv_case k = random_conv(&r);
  sumi_graph_set_compute(c->g, random_compute(&r, arg));
  sumi_tensor *x[3], *dx[3] = {0};
  x[0] = compare_input(c, SUMI_F32, SUMI_SHAPE(k.n, k.h, k.w, k.i), 1.0f, 0.0f);
  x[1] = compare_input(c, SUMI_F32, SUMI_SHAPE(k.out, k.kernel, k.kernel, k.i / k.o.groups), 0.3f, 0.0f);
  x[2] = compare_input(c, SUMI_F32, SUMI_SHAPE(k.out), 1.0f, 0.0f);
  sumi_tensor *y = sumi_conv2d(c->g, x[0], x[1], x[2], &k.o);
  sumi_tensor *dy = compare_input(c, SUMI_F32, y->shape, 0.3f, 0.0f);
  assert_int_equal(sumi_grad(c->g, sumi_sum_all(c->g, sumi_mul(c->g, y, dy)), 3, x, dx), SUMI_OK);
  for (int i = 0; i < 3; i++) c->outputs[c->n_outputs++] = dx[i];
}

static void test_conv2d(void **state) {
  (void)state;
  compare_products("conv2d", build_conv, 40);
}
static void test_conv_transpose2d(void **state) {
  (void)state;
  compare_products("conv_transpose2d", build_conv_transpose, 40);
}
static void test_conv2d_grads(void **state) {
  (void)state;
  compare_products("conv2d gradients", build_conv_grads, 40);
}

/* Where oneDNN 2.6.3 has wrong bf16 gradients of its own. */
static void build_odd_outputs(compare_graph *c, const void *arg) {
  (void)arg;
  sumi_graph_set_compute(c->g, SUMI_BF16);
  sumi_tensor *dy = compare_input(c, SUMI_F32, SUMI_SHAPE(2, 6, 5, 3), 1.0f, 0.0f);
  sumi_tensor *w = compare_input(c, SUMI_F32, SUMI_SHAPE(3, 1, 1, 16), 0.3f, 0.0f);
  c->outputs[c->n_outputs++] = sumi_conv_transpose2d(c->g, dy, w, NULL, NULL, 0, 0);
}

static void test_odd_outputs(void **state) {
  (void)state;
  compare_all("1 x 1 input gradient, odd outputs", 1, build_odd_outputs, NULL, 1e-3, 0x1p-7);
}

/* ---- Matrix products ---- */

static void build_matmul(compare_graph *c, const void *arg) {
  static const int64_t sizes[] = {1, 2, 3, 8, 16, 17, 31, 40, 64, 70};
  uint32_t r = seeded(c);
  const int64_t m = sizes[compare_below(&r, 10)], n = sizes[compare_below(&r, 10)], k = sizes[compare_below(&r, 10)];
  const bool ta = compare_below(&r, 2), tb = compare_below(&r, 2), bias = compare_below(&r, 2);
  const int kind = compare_below(&r, 4); /* of leading dimensions: none, of a, of both, broadcast */
  sumi_shape a = SUMI_SHAPE(ta ? k : m, ta ? m : k), b = SUMI_SHAPE(tb ? n : k, tb ? k : n);
  if (kind >= 1) a = SUMI_SHAPE(3, kind == 3 ? 1 : 2, a.dims[0], a.dims[1]);
  if (kind == 2) b = SUMI_SHAPE(3, 2, b.dims[0], b.dims[1]);
  if (kind == 3) b = SUMI_SHAPE(2, b.dims[0], b.dims[1]);
  sumi_graph_set_compute(c->g, random_compute(&r, arg));
  sumi_tensor *x = compare_input(c, SUMI_F32, a, 1.0f, 0.0f), *y = compare_input(c, SUMI_F32, b, 1.0f, 0.0f);
  sumi_tensor *w = bias ? compare_input(c, SUMI_F32, SUMI_SHAPE(n), 1.0f, 0.0f) : NULL;
  c->outputs[c->n_outputs++] = sumi_matmul(c->g, x, y, ta, tb, w);
}

static void test_matmul(void **state) {
  (void)state;
  compare_products("matmul", build_matmul, 80);
}

/* ---- Sums that products make themselves ---- */

/* What is to be added to a result of that shape: like it, one row for each picture, or one for all. */
static sumi_tensor *some_addend(compare_graph *c, uint32_t *r, sumi_shape shape) {
  const int kind = compare_below(r, 3), last = shape.rank - 1;
  if (kind == 1)
    for (int i = 1; i < last; i++) shape.dims[i] = 1;
  if (kind == 2) shape = SUMI_SHAPE(shape.dims[last]);
  sumi_tensor *more = compare_input(c, c->g->compute, shape, 1.0f, 0.0f);
  return compare_below(r, 2) ? sumi_softmax(c->g, more, -1) : more; /* the one that a result may take the place of */
}

static void build_conv_sum(compare_graph *c, const void *arg) {
  uint32_t r = seeded(c);
  const conv_case k = random_conv(&r);
  sumi_graph_set_compute(c->g, random_compute(&r, arg));
  sumi_tensor *x = compare_input(c, SUMI_F32, SUMI_SHAPE(k.n, k.h, k.w, k.i), 1.0f, 0.0f);
  sumi_tensor *w = compare_input(c, SUMI_F32, SUMI_SHAPE(k.out, k.kernel, k.kernel, k.i / k.o.groups), 0.1f, 0.0f);
  sumi_tensor *b = compare_below(&r, 2) ? compare_input(c, SUMI_F32, SUMI_SHAPE(k.out), 1.0f, 0.0f) : NULL;
  const sumi_tensor *alone = sumi_conv2d(c->g, x, w, b, &k.o); /* for its shape */
  sumi_tensor *more = alone ? some_addend(c, &r, alone->shape) : NULL;
  c->outputs[c->n_outputs++] = sumi_add(c->g, sumi_conv2d(c->g, x, w, b, &k.o), more);
}

static void build_linear_sum(compare_graph *c, const void *arg) {
  static const int64_t sizes[] = {1, 2, 3, 8, 16, 17, 31, 40, 64, 70};
  uint32_t r = seeded(c);
  const int64_t m = sizes[compare_below(&r, 10)], n = sizes[compare_below(&r, 10)], k = sizes[compare_below(&r, 10)];
  sumi_graph_set_compute(c->g, random_compute(&r, arg));
  sumi_tensor *x = compare_input(c, SUMI_F32, SUMI_SHAPE(2, m, k), 1.0f, 0.0f);
  sumi_tensor *w = compare_input(c, SUMI_F32, SUMI_SHAPE(n, k), 0.1f, 0.0f);
  sumi_tensor *b = compare_below(&r, 2) ? compare_input(c, SUMI_F32, SUMI_SHAPE(n), 1.0f, 0.0f) : NULL;
  sumi_tensor *more = some_addend(c, &r, SUMI_SHAPE(2, m, n));
  c->outputs[c->n_outputs++] = sumi_add(c->g, more, sumi_linear(c->g, x, w, b));
}

/* In bf16 a sum one by one is rounded twice, whose steps are 0.03 at 4. */
static void test_sums(void **state) {
  static const sumi_dtype f32 = SUMI_F32, bf16 = SUMI_BF16;
  (void)state;
  for (uint32_t k = 0; k < 40; k++) {
    compare_all("conv2d + c", k, build_conv_sum, &f32, 1e-4, 1e-5);
    compare_all("conv2d + c", k, build_conv_sum, &bf16, 0.03, 0x1p-7);
    compare_all("linear + c", k, build_linear_sum, &f32, 1e-4, 1e-5);
    compare_all("linear + c", k, build_linear_sum, &bf16, 0.03, 0x1p-7);
  }
}

/* The sum is rounded once: 1 + 2^-9 is 1 in bf16, and 1 less is 2^-9, not 0. */
static void check_rounded_once(const char *isa) {
  static const float pair[] = {1.0f, 0x1p-9f};
  sumi_context *ctx = NULL;
  sumi_backend *backend = NULL;
  sumi_graph *g = NULL;
  sumi_program *p = NULL;
  float sum = 0.0f;
  if (sumi_context_create(&(sumi_context_options){.threads = 1, .max_isa = isa}, &ctx) != SUMI_OK) return;
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  sumi_graph_set_compute(g, SUMI_BF16);
  sumi_tensor *x = sumi_broadcast(g, sumi_constant(g, SUMI_F32, SUMI_SHAPE(2), pair), SUMI_SHAPE(4, 8, 2));
  sumi_tensor *w = sumi__full(g, SUMI_F32, SUMI_SHAPE(48, 2), 1.0f);
  sumi_tensor *less = sumi_reshape(g, sumi__full(g, SUMI_BF16, SUMI_SHAPE(32, 48), -1.0f), SUMI_SHAPE(4, 8, 48));
  sumi_tensor *pictures = sumi_reshape(g, x, SUMI_SHAPE(2, 4, 4, 2)),
              *taps = sumi_reshape(g, w, SUMI_SHAPE(48, 1, 1, 2));
  sumi_tensor *y[] = {
      sumi_add(g, sumi_linear(g, x, w, NULL), less),
      sumi_add(g, sumi_reshape(g, less, SUMI_SHAPE(2, 4, 4, 48)), sumi_conv2d(g, pictures, taps, NULL, NULL))};
  assert_ok(ctx, sumi_compile(backend, g, 2, y, NULL, &p));
  for (int i = 0; i < 2; i++)
    for (int64_t e = 0; e < sumi__count(y[i]); e++) {
      sumi__to_f32(&sum, (const uint16_t *)sumi_data(p, y[i]) + e, SUMI_BF16, 1);
      assert_true(sum == 0x1p-9f);
    }
  sumi_program_free(p);
  sumi_backend_free(backend);
  sumi_graph_free(g);
  sumi_context_free(ctx);
}

static void test_sums_are_rounded_once(void **state) {
  static const char *const isas[] = {"generic", "avx2", "avx512", "avx512_bf16"};
  (void)state;
  for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) check_rounded_once(isas[i]);
}

/* ---- Group norm ---- */

static void build_group_norm(compare_graph *c, const void *arg) {
  static const int64_t widths[] = {1, 2, 4, 8, 10, 3};
  uint32_t r = seeded(c);
  const int groups = (int[]){1, 2, 4, 32}[compare_below(&r, 4)];
  const int64_t n = 1 + compare_below(&r, 4), h = 1 + compare_below(&r, 14), w = 2 + compare_below(&r, 14);
  const int64_t channels = groups * widths[compare_below(&r, 6)];
  const bool silu = compare_below(&r, 4) > 0, affine = silu || compare_below(&r, 2),
             shift = silu && compare_below(&r, 2);
  sumi_tensor *x[4], *dx[4] = {0};
  int k = 0;
  x[k++] = compare_input(c, *(const sumi_dtype *)arg, SUMI_SHAPE(n, h, w, channels), 1.0f, 2.0f);
  if (affine) {
    x[k++] = compare_input(c, SUMI_F32, SUMI_SHAPE(channels), 0.5f, 1.0f);
    x[k++] = compare_input(c, SUMI_F32, SUMI_SHAPE(channels), 0.5f, 0.0f);
  }
  if (shift) x[k++] = compare_input(c, SUMI_F32, SUMI_SHAPE(n, channels), 1.0f, 0.0f);
  sumi_tensor *gamma = affine ? x[1] : NULL, *beta = affine ? x[2] : NULL;
  sumi_tensor *y = silu ? sumi_group_norm_silu(c->g, x[0], shift ? x[3] : NULL, gamma, beta, groups, 1e-5f)
                        : sumi_group_norm(c->g, x[0], gamma, beta, groups, 1e-5f);
  sumi_tensor *dy = compare_input(c, SUMI_F32, y->shape, 0.3f, 0.0f);
  assert_int_equal(sumi_grad(c->g, sumi_sum_all(c->g, sumi_mul(c->g, y, dy)), k, x, dx), SUMI_OK);
  c->outputs[c->n_outputs++] = y;
  for (int i = 0; i < k && c->n_outputs < COMPARE_MAX_OUTPUTS; i++) c->outputs[c->n_outputs++] = dx[k - 1 - i];
  if (c->outputs[c->n_outputs - 1] != dx[0]) c->outputs[c->n_outputs - 1] = dx[0];
}

static void test_group_norm(void **state) {
  static const sumi_dtype f32 = SUMI_F32, bf16 = SUMI_BF16;
  (void)state;
  for (uint32_t k = 0; k < 60; k++) {
    compare_all("group_norm", k, build_group_norm, &f32, 2e-4, 2e-5);
    compare_all("group_norm", k, build_group_norm, &bf16, 0.05, 0x1p-7);
  }
}

/* A mean far larger than the deviation must not cost the variance. */
static void build_far_mean(compare_graph *c, const void *arg) {
  (void)arg;
  sumi_tensor *x = compare_input(c, SUMI_F32, SUMI_SHAPE(2, 40, 40, 32), 1.0f, 1000.0f);
  c->outputs[c->n_outputs++] = sumi_group_norm(c->g, x, NULL, NULL, 4, 1e-5f);
}

/* So many positions that they go by chunks; channels that are no whole vectors; statistics through the gradient. */
static void build_large_norm(compare_graph *c, const void *arg) {
  const sumi_shape shape = SUMI_SHAPE(2, 97, 101, c->seed % 2 ? 84 : 30);
  sumi_tensor *x = compare_input(c, *(const sumi_dtype *)arg, shape, 1.0f, c->seed > 1 ? 100.0f : 0.5f), *dx = NULL;
  sumi_tensor *gamma = compare_input(c, SUMI_F32, SUMI_SHAPE(shape.dims[3]), 0.5f, 1.0f);
  sumi_tensor *beta = compare_input(c, SUMI_F32, SUMI_SHAPE(shape.dims[3]), 0.5f, 0.0f);
  sumi_tensor *shift = compare_input(c, SUMI_F32, SUMI_SHAPE(2, shape.dims[3]), 1.0f, 0.0f);
  sumi_tensor *y = sumi_group_norm_silu(c->g, x, shift, gamma, beta, 6, 1e-5f);
  sumi_tensor *dy = compare_input(c, SUMI_F32, shape, 0.3f, 0.0f);
  c->outputs[c->n_outputs++] = y;
  c->outputs[c->n_outputs++] = sumi_group_norm(c->g, x, NULL, NULL, 3, 1e-5f);
  assert_int_equal(sumi_grad(c->g, sumi_sum_all(c->g, sumi_mul(c->g, y, dy)), 1, &x, &dx), SUMI_OK);
  c->outputs[c->n_outputs++] = dx;
}

static void test_large_group_norm(void **state) {
  static const sumi_dtype f32 = SUMI_F32, bf16 = SUMI_BF16;
  (void)state;
  for (uint32_t k = 0; k < 3; k++) compare_all("group_norm, large", k, build_large_norm, &f32, 1e-3, 2e-5);
  for (uint32_t k = 0; k < 2; k++) compare_all("group_norm, large", k, build_large_norm, &bf16, 0.05, 0x1p-7);
}

/* Results that only subnormal numbers can hold, of every kind of kernel that stores bf16. What is that small becomes
 * comparable with other numbers; what has become zero stays so. */
static void build_subnormal(compare_graph *c, const void *arg) {
  (void)arg;
  sumi_tensor *x = compare_input(c, SUMI_BF16, SUMI_SHAPE(2, 6, 6, 40), 1.0f, 0.0f);
  sumi_tensor *gamma = compare_input(c, SUMI_F32, SUMI_SHAPE(40), 1e-39f, 0.0f);
  sumi_tensor *halves = compare_input(c, SUMI_BF16, SUMI_SHAPE(3, 80), 1e-19f, 0.0f);
  sumi_tensor *y[] = {sumi_group_norm(c->g, x, gamma, gamma, 4, 1e-5f), sumi_layer_norm(c->g, x, gamma, gamma, 1e-5f),
                      sumi_geglu(c->g, halves)};
  for (int i = 0; i < 3; i++)
    c->outputs[c->n_outputs++] = sumi_affine(c->g, sumi_cast(c->g, y[i], SUMI_F32), 0x1p126f, 0.0f);
}

static void test_subnormal_results(void **state) {
  (void)state;
  compare_all("subnormal results", 1, build_subnormal, NULL, 0.01, 0x1p-6); /* a subnormal bf16 is a step of 0.008 */
}

static void test_group_norm_far_mean(void **state) {
  (void)state;
  compare_all("group_norm far from zero", 1, build_far_mean, NULL, 2e-3, 1e-5);
}

/* ---- Layer norm ---- */

static void build_layer_norm(compare_graph *c, const void *arg) {
  static const int64_t widths[] = {1, 3, 8, 16, 31, 40, 128, 320};
  uint32_t r = seeded(c);
  const int64_t rows = 1 + compare_below(&r, 40), width = widths[compare_below(&r, 8)];
  const bool affine = compare_below(&r, 3) > 0;
  sumi_tensor *x[3], *dx[3] = {0};
  x[0] = compare_input(c, *(const sumi_dtype *)arg, SUMI_SHAPE(2, rows, width), 1.0f, 2.0f);
  x[1] = compare_input(c, SUMI_F32, SUMI_SHAPE(width), 0.5f, 1.0f);
  x[2] = compare_input(c, SUMI_F32, SUMI_SHAPE(width), 0.5f, 0.0f);
  sumi_tensor *y = sumi_layer_norm(c->g, x[0], affine ? x[1] : NULL, affine ? x[2] : NULL, 1e-3f);
  sumi_tensor *dy = compare_input(c, SUMI_F32, y->shape, 0.3f, 0.0f);
  assert_int_equal(sumi_grad(c->g, sumi_sum_all(c->g, sumi_mul(c->g, y, dy)), affine ? 3 : 1, x, dx), SUMI_OK);
  c->outputs[c->n_outputs++] = y;
  for (int i = 0; i < (affine ? 3 : 1); i++) c->outputs[c->n_outputs++] = dx[i];
}

static void test_layer_norm(void **state) {
  static const sumi_dtype f32 = SUMI_F32, bf16 = SUMI_BF16;
  (void)state;
  for (uint32_t k = 0; k < 60; k++) {
    compare_all("layer_norm", k, build_layer_norm, &f32, 1e-4, 1e-5);
    compare_all("layer_norm", k, build_layer_norm, &bf16, 0.05, 0x1p-7);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conv2d),
      cmocka_unit_test(test_conv_transpose2d),
      cmocka_unit_test(test_conv2d_grads),
      cmocka_unit_test(test_odd_outputs),
      cmocka_unit_test(test_matmul),
      cmocka_unit_test(test_sums),
      cmocka_unit_test(test_sums_are_rounded_once),
      cmocka_unit_test(test_group_norm),
      cmocka_unit_test(test_large_group_norm),
      cmocka_unit_test(test_subnormal_results),
      cmocka_unit_test(test_group_norm_far_mean),
      cmocka_unit_test(test_layer_norm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
