/* Winograd's convolutions and their gradients against the naive ones: sizes that are no multiples of tiles, vectors or
 * panels, every instruction set, both types of products. Errors are relative to the root mean square of the result,
 * since they come from sums over a whole tile. */
#include "cpu_compare.h"

#include "cpu/cpu.h"
#include "tensor/program.h"

typedef struct conv_case {
  int64_t n, h, w, i, o;
  int top, left, bottom, right;
  bool bias;
  int adds; /* 1: a tensor like the result is added to it; 2: one row for each picture */
} conv_case;

static const conv_case cases[] = {
    {2, 20, 20, 40, 33, 1, 1, 1, 1, true, 1},  {1, 17, 23, 64, 48, 1, 1, 1, 1, false, 0},
    {3, 8, 8, 96, 97, 1, 1, 1, 1, true, 2},    {1, 33, 5, 70, 20, 0, 1, 1, 0, true, 0},
    {2, 6, 6, 128, 130, 1, 1, 1, 1, true, 0},  {1, 24, 25, 32, 112, 1, 1, 1, 1, true, 0},
    {1, 36, 34, 33, 64, 2, 2, 0, 0, false, 2}, {5, 7, 9, 48, 64, 1, 1, 1, 1, true, 0},
};

static void fill(float *x, int64_t count, float scale, uint32_t seed) {
  uint32_t state = seed * 2654435761u + 1u;
  for (int64_t k = 0; k < count; k++) {
    float sum = -6.0f;
    for (int r = 0; r < 12; r++) sum += (float)(compare_next(&state) >> 8) * 0x1p-24f;
    x[k] = scale * sum;
  }
}

static sumi_tensor *constant(sumi_graph *g, sumi_shape shape, float scale, uint32_t seed) {
  const int64_t count = sumi_shape_count(&shape);
  float *values = malloc((size_t)count * sizeof *values);
  fill(values, count, scale, seed);
  sumi_tensor *t = sumi_constant(g, SUMI_F32, shape, values);
  free(values);
  return t;
}

typedef enum product { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, UPSAMPLED } product;

/* The kernel of each product that is Winograd's. */
static const sumi__kernel *const kernels[] = {&sumi__cpu_conv2d, &sumi__cpu_conv2d_input_grad_winograd,
                                              &sumi__cpu_conv2d_weight_grad_winograd, &sumi__cpu_conv2d_upsampled};

typedef struct outcome {
  float *values; /* to be freed; NULL where the processor lacks the instruction set */
  int64_t count;
  bool winograd; /* was chosen */
  size_t packed_bytes;
} outcome;

/* What is added to the result, made before it. `larger`: how often the picture's rows and columns are repeated first.
 */
static sumi_tensor *addend(sumi_graph *g, const conv_case *k, int larger, sumi_dtype dtype) {
  const int64_t h = k->h * larger + k->top + k->bottom - 2, w = k->w * larger + k->left + k->right - 2;
  const sumi_shape shape = k->adds == 2 ? SUMI_SHAPE(k->n, 1, 1, k->o) : SUMI_SHAPE(k->n, h, w, k->o);
  return sumi_reshape(g, sumi_cast(g, constant(g, SUMI_SHAPE(sumi_shape_count(&shape)), 1.0f, 4), dtype), shape);
}

/* y of x, or of x twice as large; or the gradient for w of a sum of y times numbers. */
static sumi_tensor *build(sumi_graph *g, const conv_case *k, product what, sumi_tensor *x, sumi_dtype compute) {
  const sumi_conv_options o = {.pad_top = k->top, .pad_left = k->left, .pad_bottom = k->bottom, .pad_right = k->right};
  const bool turned = what == INPUT_GRADIENT;
  sumi_tensor *w = constant(g, SUMI_SHAPE(k->o, 3, 3, k->i), 0.2f, 2);
  sumi_tensor *bias = k->bias ? constant(g, SUMI_SHAPE(turned ? k->i : k->o), 1.0f, 3) : NULL;
  if (turned) return sumi_conv_transpose2d(g, x, w, bias, &o, 0, 0);
  const bool forward = what == FORWARD || what == UPSAMPLED;
  sumi_tensor *more = k->adds && forward ? addend(g, k, what == UPSAMPLED ? 2 : 1, compute) : NULL;
  if (what == UPSAMPLED) x = sumi_upsample_nearest(g, sumi_cast(g, x, compute), 2, 2);
  sumi_tensor *y = sumi_conv2d(g, x, w, bias, &o), *dw = NULL;
  if (forward) return more ? sumi_add(g, more, y) : y;
  sumi_tensor *loss = sumi_sum_all(g, sumi_mul(g, y, constant(g, sumi_tensor_shape(y), 1.0f, 4)));
  return sumi_grad(g, loss, 1, &w, &dw) == SUMI_OK ? dw : NULL;
}

static outcome run(const conv_case *k, product what, sumi_dtype compute, const char *isa, int threads,
                   sumi_compile_options how) {
  sumi_context *ctx = NULL;
  sumi_backend *backend = NULL;
  sumi_graph *g = NULL;
  sumi_program *p = NULL;
  outcome result = {0};
  /* With one thread the program says how; with more, the context does. */
  const sumi_context_options options = {.threads = threads, .max_isa = isa, .winograd = threads > 1 ? how.winograd : 0};
  if (threads > 1) how.winograd = SUMI_WINOGRAD_DEFAULT;
  if (sumi_context_create(&options, &ctx) != SUMI_OK) return result;
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  sumi_graph_set_compute(g, compute);
  sumi_tensor *x = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(k->n, k->h, k->w, what == INPUT_GRADIENT ? k->o : k->i));
  sumi_tensor *y = build(g, k, what, x, compute);
  assert_ok(ctx, sumi_compile(backend, g, 1, &y, &how, &p));
  for (size_t s = 0; s < p->n_steps; s++)
    if (p->steps[s].kernel == kernels[what]) result.winograd = true;
  if ((what == FORWARD || (what == UPSAMPLED && !ctx->tiles)) && !how.reference)
    assert_int_equal(p->info.steps, 1 + (compute == SUMI_BF16)); /* a cast */
  result.packed_bytes = p->info.packed_bytes;
  fill(sumi_data(p, x), sumi__count(x), 1.0f, 1);
  assert_ok(ctx, sumi_run(p));
  result.count = sumi__count(y);
  result.values = malloc((size_t)result.count * sizeof *result.values);
  sumi__to_f32(result.values, sumi_data(p, y), y->dtype, result.count);
  sumi_program_free(p);
  sumi_backend_free(backend);
  sumi_graph_free(g);
  sumi_context_free(ctx);
  return result;
}

static double relative_error(const outcome *got, const outcome *want) {
  double error = 0.0, size = 0.0;
  assert_int_equal(got->count, want->count);
  for (int64_t i = 0; i < want->count; i++) {
    const double d = (double)got->values[i] - (double)want->values[i];
    error += d * d;
    size += (double)want->values[i] * (double)want->values[i];
  }
  return sqrt(error / size);
}

/* A way to compute, and the error that it may have. In bf16 operands and results are rounded besides: 3e-3 in all. */
typedef struct way {
  sumi_dtype compute;
  sumi_winograd winograd;
  double bound;
} way;

static const way ways[] = {{SUMI_F32, SUMI_WINOGRAD_CAREFUL, 3e-6},
                           {SUMI_F32, SUMI_WINOGRAD_OFF, 1e-6},
                           {SUMI_BF16, SUMI_WINOGRAD_CAREFUL, 6e-3},
                           {SUMI_BF16, SUMI_WINOGRAD_FAST, 1.5e-2}};
enum { WAYS = sizeof ways / sizeof *ways };

/* One case in one way on all instruction sets. How often Winograd's algorithm was chosen. */
static int check(const conv_case *k, product what, const way *w, const outcome *want) {
  static const char *const isas[] = {"generic", "avx2", "avx512", "avx512_bf16"};
  int chosen = 0;
  for (size_t i = 0; i < sizeof isas / sizeof *isas; i++)
    for (int threads = 1; threads <= 3; threads += 2) {
      outcome got = run(k, what, w->compute, isas[i], threads, (sumi_compile_options){.winograd = w->winograd});
      if (!got.values) continue;
      const double error = relative_error(&got, want);
      if (!(error <= w->bound))
        print_error("%lldx%lldx%lldx%lld to %lld, %s, %d threads: error %.3g\n", (long long)k->n, (long long)k->h,
                    (long long)k->w, (long long)k->i, (long long)k->o, isas[i], threads, error);
      assert_true(error <= w->bound);
      chosen += got.winograd;
      free(got.values);
    }
  return chosen;
}

static void check_all(product what) {
  int chosen[WAYS] = {0};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    outcome want = run(&cases[c], what, SUMI_F32, NULL, 1, (sumi_compile_options){.reference = true});
    for (int i = 0; i < WAYS; i++) chosen[i] += check(&cases[c], what, &ways[i], &want);
    free(want.values);
  }
  for (int i = 0; i < WAYS; i++)
    if (ways[i].winograd == SUMI_WINOGRAD_OFF)
      assert_int_equal(chosen[i], 0);
    else
      assert_true(chosen[i] > 8);
}

static void test_forward(void **state) {
  (void)state;
  check_all(FORWARD);
}
static void test_input_gradient(void **state) {
  (void)state;
  check_all(INPUT_GRADIENT);
}
static void test_weight_gradient(void **state) {
  (void)state;
  check_all(WEIGHT_GRADIENT);
}

/* Where weights have a limit, filters are not kept transformed, but transformed in each run. */
static void test_filters_in_runs(void **state) {
  const conv_case layer = {.n = 1, .h = 32, .w = 31, .i = 64, .o = 70, .top = 1, .left = 1, .bottom = 1, .right = 1};
  (void)state;
  for (int threads = 1; threads <= 3; threads += 2)
    for (int bf16 = 0; bf16 < 2; bf16++) {
      outcome of[2];
      for (int in_runs = 0; in_runs < 2; in_runs++) {
        const sumi_compile_options how = {.max_weight_bytes = in_runs ? SIZE_MAX : 0};
        of[in_runs] = run(&layer, FORWARD, bf16 ? SUMI_BF16 : SUMI_F32, NULL, threads, how);
        assert_true(of[in_runs].winograd);
        assert_int_equal(of[in_runs].packed_bytes > 0, !in_runs);
      }
      assert_true(relative_error(&of[1], &of[0]) <= (bf16 ? 6e-3 : 3e-6)); /* tiles may be of another size */
      for (int i = 0; i < 2; i++) free(of[i].values);
    }
}

/* Pictures that are read twice as large: always so, but in products of f32 where no digit may be lost. */
static void test_upsampled(void **state) {
  static const conv_case pictures[] = {
      {2, 10, 10, 40, 33, 1, 1, 1, 1, true, 1}, {1, 9, 11, 64, 48, 1, 1, 1, 1, false, 0},
      {3, 4, 4, 96, 97, 1, 1, 1, 1, true, 2},   {1, 17, 3, 70, 20, 1, 1, 1, 1, true, 0},
      {2, 1, 1, 5, 3, 1, 1, 1, 1, true, 0},     {1, 40, 41, 6, 50, 1, 1, 1, 1, false, 1}};
  static const way upsampled_ways[] = {{SUMI_F32, SUMI_WINOGRAD_CAREFUL, 1e-6},
                                       {SUMI_F32, SUMI_WINOGRAD_OFF, 1e-6},
                                       {SUMI_BF16, SUMI_WINOGRAD_CAREFUL, 6e-3},
                                       {SUMI_BF16, SUMI_WINOGRAD_OFF, 4e-3}};
  (void)state;
  for (size_t c = 0; c < sizeof pictures / sizeof *pictures; c++) {
    outcome want = run(&pictures[c], UPSAMPLED, SUMI_F32, NULL, 1, (sumi_compile_options){.reference = true});
    for (size_t i = 0; i < sizeof upsampled_ways / sizeof *upsampled_ways; i++)
      assert_true(check(&pictures[c], UPSAMPLED, &upsampled_ways[i], &want) >= 2); /* one instruction set at least */
    free(want.values);
  }
}

/* Where oneDNN multiplies bf16 by the processor's tiles, the plain algorithm is the faster one for a layer of Stable
 * Diffusion's; in f32 it is not. */
static void test_choice_with_tiles(void **state) {
  (void)state;
  for (int tiles = 0; tiles < 2; tiles++)
    for (int bf16 = 0; bf16 < 2; bf16++) {
      const sumi_context_options options = {.threads = 1, .max_isa = "avx512_bf16"};
      const conv_case layer = {
          .n = 2, .h = 64, .w = 64, .i = 320, .o = 320, .top = 1, .left = 1, .bottom = 1, .right = 1};
      sumi_context *ctx = NULL;
      sumi_backend *backend = NULL;
      sumi_graph *g = NULL;
      sumi_program *p = NULL;
      bool winograd = false;
      if (sumi_context_create(&options, &ctx) != SUMI_OK) return;
      ctx->tiles = tiles;
      assert_ok(ctx, sumi_graph_create(ctx, &g));
      assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
      sumi_graph_set_compute(g, bf16 ? SUMI_BF16 : SUMI_F32);
      sumi_tensor *x = sumi_input(g, NULL, bf16 ? SUMI_BF16 : SUMI_F32, SUMI_SHAPE(layer.n, layer.h, layer.w, layer.i));
      sumi_tensor *y = build(g, &layer, FORWARD, x, bf16 ? SUMI_BF16 : SUMI_F32);
      assert_ok(ctx, sumi_compile(backend, g, 1, &y, NULL, &p));
      for (size_t s = 0; s < p->n_steps; s++) winograd = winograd || p->steps[s].kernel == kernels[FORWARD];
      assert_int_equal(winograd, !(tiles && bf16));
      sumi_program_free(p);
      sumi_backend_free(backend);
      sumi_graph_free(g);
      sumi_context_free(ctx);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward),         cmocka_unit_test(test_input_gradient),
                                     cmocka_unit_test(test_weight_gradient), cmocka_unit_test(test_upsampled),
                                     cmocka_unit_test(test_filters_in_runs), cmocka_unit_test(test_choice_with_tiles)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
