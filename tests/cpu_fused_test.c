/* Elementwise chains, and each elementwise operator by itself, against the operators' scalar functions. */
#include "cpu_compare.h"

#include "ops/ops.h"

/* ---- Random chains over random shapes, types and ways of broadcasting ---- */

static sumi_shape random_shape(uint32_t *r) {
  static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 16, 17, 32, 33, 64, 100, 130, 700, 1500};
  sumi_shape shape;
  do {
    shape = sumi_shape_make(compare_below(r, 5), (int64_t[]){1, 1, 1, 1, 1});
    for (int d = 0; d < shape.rank; d++) shape.dims[d] = sizes[compare_below(r, 15)];
  } while (sumi_shape_count(&shape) > 60000);
  return shape;
}

/* A shape that repeats to `full`: some dimensions are 1, some leading ones missing. */
static sumi_shape random_part(uint32_t *r, const sumi_shape *full) {
  sumi_shape part = *full;
  if (compare_below(r, 3) == 0) return part;
  for (int d = 0; d < part.rank; d++)
    if (compare_below(r, 2)) part.dims[d] = 1;
  int skip = 0;
  while (skip < part.rank && part.dims[skip] == 1 && compare_below(r, 2)) skip++;
  return sumi_shape_make(part.rank - skip, part.dims + skip);
}

static sumi_tensor *random_operator(sumi_graph *g, uint32_t *r, sumi_tensor *a, sumi_tensor *b) {
  switch (compare_below(r, 16)) {
  case 0: return sumi_add(g, a, b);
  case 1: return sumi_sub(g, a, b);
  case 2: return sumi_mul(g, a, b);
  case 3: return sumi_maximum(g, a, b);
  case 4: return sumi_affine(g, a, 0.7f, -0.3f);
  case 5: return sumi_tanh(g, a);
  case 6: return sumi_sigmoid(g, a);
  case 7: return sumi_silu(g, a);
  case 8: return sumi_gelu(g, a);
  case 9: return sumi_sin(g, a);
  case 10: return sumi_abs(g, a);
  case 11: return sumi_clamp(g, a, -0.5f, 0.8f);
  case 12: return sumi_leaky_relu(g, a, 0.2f);
  case 13: return sumi_add(g, sumi_silu(g, a), b);
  case 14: return sumi_div(g, a, sumi_affine(g, sumi_sigmoid(g, b), 1.0f, 1.0f));
  default: return sumi_erf(g, a);
  }
}

static sumi_tensor *random_chain(compare_graph *c, sumi_shape *full) {
  static const sumi_dtype types[] = {SUMI_F32, SUMI_F32, SUMI_BF16, SUMI_F16, SUMI_U8, SUMI_I32};
  uint32_t r = c->seed * 747796405u + 1u;
  for (int k = 0; k < 8; k++) compare_next(&r);
  *full = random_shape(&r);
  sumi_tensor *values[40];
  int n = 0;
  const int n_inputs = 1 + compare_below(&r, 5), n_ops = compare_below(&r, 14);
  for (int i = 0; i < n_inputs; i++) {
    const sumi_shape part = random_part(&r, full);
    values[n++] = sumi_cast(c->g, compare_input(c, types[compare_below(&r, 6)], part, 1.0f, 0.0f), SUMI_F32);
  }
  for (int k = 0; k < n_ops; k++) {
    sumi_tensor *b = values[compare_below(&r, n)];
    values[n] = random_operator(c->g, &r, values[n - 1 - compare_below(&r, n < 3 ? n : 3)], b);
    n++;
  }
  return values[n - 1];
}

static void build_f32(compare_graph *c, const void *arg) {
  sumi_shape full;
  (void)arg;
  sumi_tensor *y = random_chain(c, &full);
  c->outputs[c->n_outputs++] = sumi_broadcast(c->g, y, full);
}

static void build_narrow(compare_graph *c, const void *arg) {
  sumi_shape full;
  sumi_tensor *y = random_chain(c, &full);
  c->outputs[c->n_outputs++] = sumi_cast(c->g, sumi_broadcast(c->g, y, full), *(const sumi_dtype *)arg);
}

static void test_chains(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 150; seed++) compare_all("chain", seed, build_f32, NULL, 2e-5, 2e-5);
}

static void test_narrow_chains(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 60; seed++) {
    compare_all("chain to bf16", seed, build_narrow, &(sumi_dtype){SUMI_BF16}, 2e-5, 0x1p-8);
    compare_all("chain to f16", seed, build_narrow, &(sumi_dtype){SUMI_F16}, 2e-5, 0x1p-10);
  }
}

/* ---- Each operator on ordinary and special numbers ---- */

static const float specials[] = {0.0f,    -0.0f,    1.0f,    -1.0f,  INFINITY, -INFINITY, NAN,      1e-40f, -1e-40f,
                                 3.4e38f, -3.4e38f, 88.7f,   -87.3f, 100.0f,   -100.0f,   0.5f,     0.6f,   0.9f,
                                 -0.9f,   1e-30f,   70000.f, -1e9f,  3.14159f, 1.57080f,  6.28319f, 25.f,   -25.f};

typedef sumi_tensor *(*unary)(sumi_graph *g, sumi_tensor *a);
typedef sumi_tensor *(*binary)(sumi_graph *g, sumi_tensor *a, sumi_tensor *b);

static sumi_tensor *apply_affine(sumi_graph *g, sumi_tensor *a) { return sumi_affine(g, a, 1.5f, -0.25f); }
static sumi_tensor *apply_broadcast(sumi_graph *g, sumi_tensor *a) { return sumi_broadcast(g, a, SUMI_SHAPE(3, 2000)); }
static sumi_tensor *apply_cast(sumi_graph *g, sumi_tensor *a) { return sumi_cast(g, a, SUMI_BF16); }
static sumi_tensor *apply_clamp(sumi_graph *g, sumi_tensor *a) { return sumi_clamp(g, a, -0.5f, 2.0f); }
static sumi_tensor *apply_leaky_relu(sumi_graph *g, sumi_tensor *a) { return sumi_leaky_relu(g, a, 0.1f); }
static sumi_tensor *apply_step(sumi_graph *g, sumi_tensor *a) { return sumi_step(g, a, 0.5f); }

static const struct {
  const char *name;
  unary one;
  binary two;
} operators[] = {
    {"abs", sumi_abs, NULL},        {"add", NULL, sumi_add},
    {"affine", apply_affine, NULL}, {"broadcast", apply_broadcast, NULL},
    {"cast", apply_cast, NULL},     {"clamp", apply_clamp, NULL},
    {"cos", sumi_cos, NULL},        {"div", NULL, sumi_div},
    {"erf", sumi_erf, NULL},        {"exp", sumi_exp, NULL},
    {"gelu", sumi_gelu, NULL},      {"leaky_relu", apply_leaky_relu, NULL},
    {"log", sumi_log, NULL},        {"maximum", NULL, sumi_maximum},
    {"mul", NULL, sumi_mul},        {"quick_gelu", sumi_quick_gelu, NULL},
    {"relu", sumi_relu, NULL},      {"sigmoid", sumi_sigmoid, NULL},
    {"silu", sumi_silu, NULL},      {"sin", sumi_sin, NULL},
    {"sqrt", sumi_sqrt, NULL},      {"square", sumi_square, NULL},
    {"step", apply_step, NULL},     {"sub", NULL, sumi_sub},
    {"tanh", sumi_tanh, NULL},
};

/* NULL for an operator of ops.def that this test does not know. */
static sumi_tensor *apply(sumi_graph *g, const char *name, sumi_tensor *a, sumi_tensor *b) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (strcmp(operators[i].name, name) == 0)
      return operators[i].one ? operators[i].one(g, a) : operators[i].two(g, a, b);
  return NULL;
}

static void run_operator(const char *name, const char *isa, bool reference, float *out, int64_t *count) {
  enum { N = 2000 };
  sumi_context *ctx = NULL;
  sumi_graph *g = NULL;
  sumi_backend *backend = NULL;
  sumi_program *p = NULL;
  *count = 0;
  if (sumi_context_create(&(sumi_context_options){.threads = 1, .max_isa = isa}, &ctx) != SUMI_OK) return;
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  sumi_tensor *a = sumi_input(g, "a", SUMI_F32, SUMI_SHAPE(N)), *b = sumi_input(g, "b", SUMI_F32, SUMI_SHAPE(N));
  sumi_tensor *y = apply(g, name, a, b);
  assert_non_null(y);
  assert_ok(ctx, sumi_compile(backend, g, 1, &y, &(sumi_compile_options){.reference = reference}, &p));
  const int n_special = (int)(sizeof specials / sizeof *specials);
  float *values[2] = {sumi_data(p, a), sumi_data(p, b)};
  uint32_t r = 12345;
  for (int i = 0; i < N; i++)
    for (int k = 0; k < 2 && values[k]; k++) {
      const float u = (float)(compare_next(&r) >> 8) * 0x1p-24f;
      values[k][i] = i < n_special * n_special ? specials[k ? i / n_special : i % n_special] : 20.0f * u - 10.0f;
    }
  assert_ok(ctx, sumi_run(p));
  *count = sumi__count(y);
  sumi__to_f32(out, sumi_data(p, y), y->dtype, *count);
  sumi_program_free(p);
  sumi_backend_free(backend);
  sumi_graph_free(g);
  sumi_context_free(ctx);
}

static void test_operators(void **state) {
  static const char *const names[] = {
#define SUMI_OP(name, cpu)
#define SUMI_ELEMENTWISE(name) #name,
#include "ops/ops.def"
#undef SUMI_OP
#undef SUMI_ELEMENTWISE
  };
  static const char *const isas[] = {"generic", "avx2", "avx512", "avx512_bf16"};
  static float want[6000], got[6000];
  char what[100];
  (void)state;
  for (size_t k = 0; k < sizeof names / sizeof *names; k++)
    for (size_t i = 0; i < 4; i++) {
      int64_t count, n;
      run_operator(names[k], "generic", true, want, &count);
      run_operator(names[k], isas[i], false, got, &n);
      if (!n) continue;
      snprintf(what, sizeof what, "%s on %s", names[k], isas[i]);
      compare_values(what, want, got, count, 1e-6, 5e-7);
    }
}

/* ---- How exact the elementary functions are ---- */

static double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
static double silu(double x) { return x * sigmoid(x); }
static double gelu(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752); }

/* The bounds that src/cpu/isa/vmath.h states: in units in the last place of the result, or, where ulp is 0,
 * absolutely (relatively for results above 1). */
static const struct {
  unary op;
  double (*exact)(double x);
  double low, high, ulp, absolute;
} functions[] = {
    {sumi_exp, exp, -87.0, 88.7, 1.1, 0.0},
    {sumi_log, log, 1e-30, 1e30, 1.0, 0.0},
    {sumi_log, log, 0.5, 2.0, 1.0, 0.0},
    {sumi_sin, sin, -6000.0, 6000.0, 0.0, 9e-8},
    {sumi_cos, cos, -6000.0, 6000.0, 0.0, 9e-8},
    {sumi_sin, sin, -1e7, 1e7, 0.0, 9e-8},
    {sumi_sigmoid, sigmoid, -80.0, 80.0, 2.5, 0.0},
    {sumi_silu, silu, -80.0, 80.0, 2.5, 0.0},
    {sumi_tanh, tanh, -10.0, 10.0, 2.0, 0.0},
    {sumi_erf, erf, -5.0, 5.0, 2.5, 0.0},
    {sumi_gelu, gelu, -8.0, 8.0, 0.0, 1.3e-7},
};

/* Half of the numbers evenly spread, half of them in every order of magnitude. */
static void spread(float *x, int64_t n, double low, double high) {
  const double least = 1e-20, most = fmax(fabs(low), fabs(high));
  uint32_t r = 99;
  for (int64_t i = 0; i < n; i++) {
    const double u = (double)(compare_next(&r) >> 8) * 0x1p-24;
    double value = low + (high - low) * u;
    if (i % 2) value = (low < 0.0 && i % 4 == 1 ? -1.0 : 1.0) * exp(log(least) + (log(most) - log(least)) * u);
    x[i] = (float)fmin(fmax(value, low), high);
  }
}

static void check_accuracy(sumi_context *ctx, size_t k) {
  enum { N = 20000 };
  sumi_graph *g = NULL;
  sumi_backend *backend = NULL;
  sumi_program *p = NULL;
  double worst = 0.0, at = 0.0;
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(N)), *y = functions[k].op(g, x);
  assert_ok(ctx, sumi_compile(backend, g, 1, &y, NULL, &p));
  const float *from = sumi_data(p, x), *to = sumi_data(p, y);
  spread(sumi_data(p, x), N, functions[k].low, functions[k].high);
  assert_ok(ctx, sumi_run(p));
  for (int64_t i = 0; i < N; i++) {
    int exponent;
    const double exact = functions[k].exact((double)from[i]);
    frexp(exact, &exponent);
    const double ulp = ldexp(1.0, exponent < -125 ? -149 : exponent - 24);
    const double unit = functions[k].ulp > 0.0 ? ulp : fmax(1.0, fabs(exact));
    const double error = fabs((double)to[i] - exact) / unit;
    if (!(error <= worst)) worst = error, at = (double)from[i];
  }
  if (!(worst <= fmax(functions[k].ulp, functions[k].absolute))) {
    print_error("function %zu on %s: off by %.3g at %.9g\n", k, sumi__isa_name(ctx->isa), worst, at);
    fail();
  }
  sumi_program_free(p);
  sumi_backend_free(backend);
  sumi_graph_free(g);
}

static void test_accuracy(void **state) {
  static const char *const isas[] = {"generic", "avx2", "avx512", "avx512_bf16"};
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    sumi_context *ctx = NULL;
    if (sumi_context_create(&(sumi_context_options){.threads = 1, .max_isa = isas[i]}, &ctx) != SUMI_OK) continue;
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) check_accuracy(ctx, k);
    sumi_context_free(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accuracy),
      cmocka_unit_test(test_operators),
      cmocka_unit_test(test_chains),
      cmocka_unit_test(test_narrow_chains),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
