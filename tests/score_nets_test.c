/* Loss, score and every parameter's gradient of the three score networks against PyTorch: golden values and their
 * conventions are those of tools/oracle/score_nets.py. */
#include "support.h"

#include "diffusion/ve_sde.h"
#include "io/safetensors.h"
#include "models/score_unet.h"
#include "tensor/weights.h"

#include <math.h>
#include <zlib.h>

enum { BATCH = 4, SIDE = 28, PIXELS = SIDE * SIDE, PROJECTIONS = 8, MAX_PARAMS = 128 };
static const double sigma = 25.0;

/* What is allowed. In f32 PyTorch itself is within 8e-6 of f64; the rest of 1e-4 is what another order of summation
 * may cost. In bf16 each operand of a product carries 2^-9, and some forty products follow one another. */
typedef struct tolerances {
  double loss, score, grad; /* relative, by norm */
  double zero;              /* where the exact gradient is zero: relative to the norm of all gradients */
} tolerances;
static const tolerances tight = {1e-5, 1e-5, 1e-4, 1e-6}, loose = {3e-3, 2e-2, 5e-2, 1e-3};

typedef struct net {
  sumi_context *ctx;
  sumi_backend *backend;
  sumi_graph *g;
  sumi_weights *weights;
  sumi_program *program;
  sumi_tensor *x0, *t, *z, *labels, *score, *loss;
  sumi_tensor *params[MAX_PARAMS], *grads[MAX_PARAMS];
  const sumi__weight *members[MAX_PARAMS];
  int n;
} net;

static void draw(const char *name, float low, float high, float *out, size_t count) {
  sumi__rng rng;
  sumi__rng_seed(&rng, crc32(0, (const Bytef *)name, (uInt)strlen(name)));
  sumi__rng_uniform(&rng, low, high, out, count);
}

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

/* The values that the script gives this parameter. */
static void fill(sumi__weight *w) {
  const sumi_shape shape = sumi__weight_file_shape(w);
  const size_t count = (size_t)sumi_shape_count(&shape);
  const double bound = 1.0 / sqrt((double)count / (double)shape.dims[0]);
  float low = (float)-bound, high = (float)bound;
  if (ends_with(w->name, ".W"))
    low = -30.0f, high = 30.0f;
  else if (shape.rank == 1)
    low = ends_with(w->name, "weight") ? 0.5f : -0.2f, high = ends_with(w->name, "weight") ? 1.5f : 0.2f;
  else if (strcmp(w->name, "cond_embed.weight") == 0)
    low = -1.7f, high = 1.7f;
  float *values = malloc(count * sizeof *values);
  assert_non_null(values);
  draw(w->name, low, high, values, count);
  sumi__weight_from_file_order(w, w->data, values);
  free(values);
}

static void set_inputs(net *m) {
  static float pixels[BATCH * PIXELS];
  float t[BATCH];
  draw("x0", 0.0f, 1.0f, pixels, BATCH * PIXELS);
  assert_ok(m->ctx, sumi_set(m->program, m->x0, pixels));
  draw("z", -1.7f, 1.7f, pixels, BATCH * PIXELS);
  assert_ok(m->ctx, sumi_set(m->program, m->z, pixels));
  draw("t", 0.05f, 1.0f, t, BATCH);
  assert_ok(m->ctx, sumi_set(m->program, m->t, t));
  if (sumi_data(m->program, m->labels)) /* pruned where nothing depends on it */
    assert_ok(m->ctx, sumi_set(m->program, m->labels, (int64_t[BATCH]){0, 3, 6, 9}));
}

static void build(net *m, const sumi__score_unet_config *config, sumi_dtype compute) {
  sumi__rng rng;
  sumi__rng_seed(&rng, 0);
  assert_ok(m->ctx, sumi_backend_cpu(m->ctx, &m->backend));
  assert_ok(m->ctx, sumi_graph_create(m->ctx, &m->g));
  assert_ok(m->ctx, sumi_weights_create(m->ctx, &m->weights));
  sumi_graph_set_compute(m->g, compute);
  sumi__nn nn = sumi__nn_root(m->g, m->weights);
  nn.init = &rng;
  m->x0 = sumi_input(m->g, "x0", SUMI_F32, SUMI_SHAPE(BATCH, SIDE, SIDE, 1));
  m->z = sumi_input(m->g, "z", SUMI_F32, SUMI_SHAPE(BATCH, SIDE, SIDE, 1));
  m->t = sumi_input(m->g, "t", SUMI_F32, SUMI_SHAPE(BATCH));
  m->labels = sumi_input(m->g, "labels", SUMI_I64, SUMI_SHAPE(BATCH));
  m->score = sumi__score_unet(&nn, config, sumi__dsm_perturb(m->g, sigma, m->x0, m->t, m->z), m->t, m->labels);
  m->loss = sumi__dsm_loss(m->g, sigma, m->score, m->t, m->z);
  assert_ok(m->ctx, sumi_graph_status(m->g));
  for (size_t i = 0; i < sumi_weights_count(m->weights); i++) {
    sumi__weight *w = sumi__weights_at(m->weights, i);
    fill(w);
    if (!w->trainable) continue;
    assert_true(m->n < MAX_PARAMS);
    m->members[m->n] = w;
    m->params[m->n++] = sumi_param(m->g, m->weights, w->name);
  }
  assert_ok(m->ctx, sumi_grad(m->g, m->loss, m->n, m->params, m->grads));
  sumi_tensor *outputs[MAX_PARAMS + 2] = {m->loss, m->score};
  memcpy(outputs + 2, m->grads, (size_t)m->n * sizeof *outputs);
  assert_ok(m->ctx, sumi_compile(m->backend, m->g, m->n + 2, outputs, NULL, &m->program));
}

static void release(net *m) {
  sumi_program_free(m->program);
  sumi_weights_free(m->weights);
  sumi_graph_free(m->g);
  sumi_backend_free(m->backend);
}

static double norm(const float *x, size_t count) {
  double sum = 0.0;
  for (size_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
  return sqrt(sum);
}

static double distance(const float *a, const float *b, size_t count) {
  double sum = 0.0;
  for (size_t i = 0; i < count; i++) sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
  return sqrt(sum);
}

/* A gradient in the file's order, to be freed with free(). */
static float *gradient(net *m, int i, size_t *count) {
  *count = (size_t)sumi_shape_count(&m->members[i]->shape);
  float *values = malloc(*count * sizeof *values);
  assert_non_null(values);
  sumi__weight_to_file_order(m->members[i], values, sumi_data(m->program, m->grads[i]));
  return values;
}

/* Its norm, and its products with the script's vectors of signs. */
static void project(const char *name, const float *grad, size_t count, float out[1 + PROJECTIONS]) {
  char key[256];
  float *signs = malloc(PROJECTIONS * count * sizeof *signs);
  assert_non_null(signs);
  snprintf(key, sizeof key, "%s/signs", name);
  draw(key, 0.0f, 1.0f, signs, PROJECTIONS * count);
  out[0] = (float)norm(grad, count);
  for (size_t p = 0; p < PROJECTIONS; p++) {
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += signs[p * count + i] >= 0.5f ? (double)grad[i] : -(double)grad[i];
    out[1 + p] = (float)sum;
  }
  free(signs);
}

/* The error of a gradient: itself where the file has it in full, else estimated from the products, of which each has
 * the error's norm as its root mean square. *reference: the golden gradient's norm. */
static double gradient_error(const char *name, const float *grad, size_t count, const sumi_safetensors_tensor *golden,
                             double *reference) {
  float projected[1 + PROJECTIONS], expected[1 + PROJECTIONS];
  if ((size_t)golden->count == count) { /* `data` may lie anywhere, so it is copied */
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    memcpy(values, golden->data, count * sizeof *values);
    *reference = norm(values, count);
    const double error = distance(grad, values, count);
    free(values);
    return error;
  }
  assert_int_equal(golden->count, 1 + PROJECTIONS);
  memcpy(expected, golden->data, sizeof expected);
  project(name, grad, count, projected);
  *reference = (double)expected[0];
  return fmax(fabs((double)projected[0] - *reference),
              distance(projected + 1, expected + 1, PROJECTIONS) / sqrt((double)PROJECTIONS));
}

static void check_gradients(net *m, const sumi_safetensors *golden, const tolerances *limits) {
  double total = 0.0, worst = 0.0;
  for (int pass = 0; pass < 2; pass++) /* first the norm of all of them */
    for (int i = 0; i < m->n; i++) {
      char key[256];
      size_t count;
      double reference;
      float *grad = gradient(m, i, &count);
      snprintf(key, sizeof key, "grad.%s", m->members[i]->name);
      const sumi_safetensors_tensor *t = sumi_safetensors_find(golden, key);
      if (!t) fail_msg("PyTorch's network has no parameter %s", m->members[i]->name);
      const double error = gradient_error(m->members[i]->name, grad, count, t, &reference);
      free(grad);
      if (pass == 0) {
        total = hypot(total, reference);
        continue;
      }
      if (reference > 0.0 && error / reference > worst) worst = error / reference;
      const double limit = reference > 0.0 ? limits->grad * reference : limits->zero * total;
      if (!(error <= limit))
        fail_msg("gradient of %s: off by %.3g of %.3g (limit %.3g; all gradients: %.3g)", m->members[i]->name, error,
                 reference, limit, total);
    }
  print_message("  gradients within %.1e\n", worst);
}

static void check(void **state, const char *name, sumi__score_unet_config config, sumi_dtype compute,
                  const tolerances *limits) {
  net m = {.ctx = *state};
  char path[512];
  float loss, expected;
  sumi_safetensors *golden = NULL;
  snprintf(path, sizeof path, "%s/golden/score_unet_%s.safetensors", SUMI_TESTS, name);
  assert_ok(m.ctx, sumi_safetensors_open(m.ctx, path, &golden));
  build(&m, &config, compute);
  set_inputs(&m);
  assert_ok(m.ctx, sumi_run(m.program));
  assert_ok(m.ctx, sumi_get(m.program, m.loss, &loss));
  memcpy(&expected, sumi_safetensors_find(golden, "loss")->data, sizeof expected);
  print_message("  %s: loss %.6g, off by %.1e\n", name, (double)loss, fabs((double)(loss / expected) - 1.0));
  assert_true(fabs((double)(loss - expected)) <= limits->loss * (double)expected);
  const sumi_safetensors_tensor *t = sumi_safetensors_find(golden, "score");
  if (t) {
    static float score[BATCH * PIXELS];
    assert_int_equal(t->count, BATCH * PIXELS);
    memcpy(score, t->data, sizeof score);
    const double error = distance(sumi_data(m.program, m.score), score, BATCH * PIXELS) / norm(score, BATCH * PIXELS);
    print_message("  score within %.1e\n", error);
    assert_true(error <= limits->score);
  }
  check_gradients(&m, golden, limits);
  size_t gradients = 0; /* and PyTorch's has none that ours lacks */
  for (size_t i = 0; i < sumi_safetensors_count(golden); i++)
    gradients += strncmp(sumi_safetensors_tensor_at(golden, i)->name, "grad.", 5) == 0;
  assert_int_equal(gradients, m.n);
  sumi_safetensors_close(golden);
  release(&m);
}

static sumi__score_unet_config small(sumi__score_unet_variant variant) {
  sumi__score_unet_config c = sumi__score_unet_defaults(variant);
  memcpy(c.channels, (int64_t[4]){8, 8, 16, 24}, sizeof c.channels);
  c.embed_dim = 16;
  c.text_dim = 8;
  return c;
}

static void small_concat(void **s) { check(s, "concat_small", small(SUMI__SCORE_UNET_CONCAT), SUMI_F32, &tight); }
static void small_add(void **s) { check(s, "add_small", small(SUMI__SCORE_UNET_ADD), SUMI_F32, &tight); }
static void small_attention(void **s) {
  check(s, "attention_small", small(SUMI__SCORE_UNET_ATTENTION), SUMI_F32, &tight);
}
static void full_concat(void **s) {
  check(s, "concat_full", sumi__score_unet_defaults(SUMI__SCORE_UNET_CONCAT), SUMI_F32, &tight);
}
static void full_add(void **s) {
  check(s, "add_full", sumi__score_unet_defaults(SUMI__SCORE_UNET_ADD), SUMI_F32, &tight);
}
static void full_attention(void **s) {
  check(s, "attention_full", sumi__score_unet_defaults(SUMI__SCORE_UNET_ATTENTION), SUMI_F32, &tight);
}
static void bf16_concat(void **s) { check(s, "concat_small", small(SUMI__SCORE_UNET_CONCAT), SUMI_BF16, &loose); }
static void bf16_add(void **s) { check(s, "add_small", small(SUMI__SCORE_UNET_ADD), SUMI_BF16, &loose); }
static void bf16_attention(void **s) {
  check(s, "attention_full", sumi__score_unet_defaults(SUMI__SCORE_UNET_ATTENTION), SUMI_BF16, &loose);
}

/* The same on every instruction set that the processor has, with two threads. */
static void every_instruction_set(void **s) {
  (void)s;
  for (int isa = 0; isa <= (int)sumi__isa_detect(); isa++) {
    const sumi_context_options options = {.threads = 2, .max_isa = sumi__isa_name((sumi__isa)isa)};
    sumi_context *ctx = NULL;
    void *state;
    assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
    state = ctx;
    print_message("  %s\n", options.max_isa);
    check(&state, "attention_small", small(SUMI__SCORE_UNET_ATTENTION), SUMI_F32, &tight);
    check(&state, "attention_small", small(SUMI__SCORE_UNET_ATTENTION), SUMI_BF16, &loose);
    sumi_context_free(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_concat),          cmocka_unit_test(small_add), cmocka_unit_test(small_attention),
      cmocka_unit_test(full_concat),           cmocka_unit_test(full_add),  cmocka_unit_test(full_attention),
      cmocka_unit_test(bf16_concat),           cmocka_unit_test(bf16_add),  cmocka_unit_test(bf16_attention),
      cmocka_unit_test(every_instruction_set),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
