/* Memory that runs out, at each allocation in turn: building, differentiating, compiling and packing end with NO_MEMORY
 * and a sentence, and give back all that they took. */
#include "support.h"

#include "random_graph.h"
#include "tensor/weights.h"

typedef struct meter {
  int left; /* allocations that still succeed; negative: all */
  int live; /* allocated and not released */
} meter;

static void *allocate(void *user, size_t bytes) {
  meter *m = user;
  if (m->left == 0) return NULL;
  if (m->left > 0) m->left--;
  void *memory = aligned_alloc(64, sumi__align_up(bytes, 64));
  m->live += memory != NULL;
  return memory;
}

static void release(void *user, void *memory) {
  ((meter *)user)->live--;
  free(memory);
}

/* Does something with a context from beginning to end and frees all that it made. The first status that is not OK is
 * the result. */
typedef sumi_status (*scenario)(sumi_context *ctx, sumi_backend *backend);

static sumi_status attempt(scenario what, meter *m) {
  const sumi_context_options options = {.threads = 2, .allocate = allocate, .release = release, .memory_user = m};
  sumi_context *ctx = NULL;
  sumi_backend *backend = NULL;
  sumi_status status = sumi_context_create(&options, &ctx);
  if (status != SUMI_OK) return status;
  status = sumi_backend_cpu(ctx, &backend);
  if (status == SUMI_OK) status = what(ctx, backend);
  if (status != SUMI_OK) assert_error(ctx, "memory");
  sumi_backend_free(backend);
  sumi_context_free(ctx);
  return status;
}

static int sweep(scenario what, const char *name) {
  for (int allowed = 0; allowed < 5000; allowed++) {
    meter m = {.left = allowed};
    const sumi_status status = attempt(what, &m);
    if (m.live != 0) fail_msg("%s: %d blocks leak when allocation %d fails", name, m.live, allowed);
    if (status == SUMI_OK) return allowed; /* nothing failed any more */
    if (status != SUMI_NO_MEMORY)
      fail_msg("%s: status %d when allocation %d fails, expected NO_MEMORY", name, (int)status, allowed);
  }
  fail_msg("%s: never comes to an end", name);
  return 0;
}

static sumi_status compile_and_run(sumi_backend *backend, sumi_graph *g, int n, sumi_tensor *const *outputs,
                                   bool frozen) {
  sumi_program *p = NULL;
  sumi_status status = sumi_compile(backend, g, n, outputs, &(sumi_compile_options){.frozen = frozen}, &p);
  if (status == SUMI_OK) status = sumi_run(p);
  sumi_program_free(p);
  return status;
}

/* ---- Scenarios ---- */

static uint32_t random_seed;

static sumi_status random_scenario(sumi_context *ctx, sumi_backend *backend) {
  random_graph r;
  sumi_graph *g = NULL;
  sumi_status status = sumi_graph_create(ctx, &g);
  if (status != SUMI_OK) return status;
  random_graph_make(&r, g, random_seed, 30, random_seed % 2 == 0);
  status = sumi_graph_status(g);
  if (status == SUMI_OK) status = random_graph_differentiate(&r);
  if (status == SUMI_OK) status = compile_and_run(backend, g, r.n_outputs, r.outputs, false);
  sumi_graph_free(g);
  return status;
}

typedef struct layer {
  const char *name;
  int rank;
  int64_t dims[4];
  sumi__layout layout;
} layer;

static const layer layers[] = {
    {"conv.weight", 4, {16, 3, 3, 8}, SUMI__LAYOUT_CONV}, {"conv.bias", 1, {16}, SUMI__LAYOUT_PLAIN},
    {"norm.weight", 1, {16}, SUMI__LAYOUT_PLAIN},         {"norm.bias", 1, {16}, SUMI__LAYOUT_PLAIN},
    {"qkv.weight", 2, {48, 16}, SUMI__LAYOUT_PLAIN},      {"table", 2, {5, 16}, SUMI__LAYOUT_PLAIN},
};
enum { LAYERS = sizeof layers / sizeof *layers };

static sumi_status add_weights(sumi_weights *weights) {
  for (int i = 0; i < LAYERS; i++) {
    sumi__weight *w = NULL;
    const sumi_status status = sumi__weights_add(
        weights, layers[i].name, SUMI_F32, sumi_shape_make(layers[i].rank, layers[i].dims), layers[i].layout, true, &w);
    if (status != SUMI_OK) return status;
    for (int64_t k = 0; k < sumi_shape_count(&w->shape); k++) ((float *)w->data)[k] = (float)(k % 7) / 20.0f;
  }
  return SUMI_OK;
}

/* A convolution, a norm, attention and a table: every kind of kernel that prepares itself or packs. */
static sumi_tensor *network(sumi_graph *g, sumi_weights *weights) {
  const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(2, 6, 6, 8)), *qkv[3];
  sumi_tensor *ids = sumi_input(g, "ids", SUMI_I32, SUMI_SHAPE(2, 1));
  sumi_tensor *h = sumi_conv2d(g, x, sumi_param(g, weights, "conv.weight"), sumi_param(g, weights, "conv.bias"), &same);
  sumi_tensor *gamma = sumi_param(g, weights, "norm.weight"), *beta = sumi_param(g, weights, "norm.bias");
  h = sumi_group_norm_silu(g, h, NULL, gamma, beta, 4, 1e-5f);
  h = sumi_add(g, sumi_reshape(g, h, SUMI_SHAPE(2, 36, 16)), sumi_embedding(g, sumi_param(g, weights, "table"), ids));
  h = sumi_linear(g, h, sumi_param(g, weights, "qkv.weight"), NULL);
  for (int i = 0; i < 3; i++)
    qkv[i] = sumi_reshape(g, sumi_slice(g, h, -1, 16 * i, 16 * (i + 1)), SUMI_SHAPE(2, 36, 2, 8));
  h = sumi_attention(g, qkv[0], qkv[1], qkv[2], NULL, 0.0f, false);
  return sumi_mean_all(g, sumi_square(g, sumi_cast(g, h, SUMI_F32)));
}

static sumi_status build_and_run(sumi_backend *backend, sumi_graph *g, sumi_weights *weights, bool frozen) {
  sumi_tensor *params[LAYERS], *outputs[LAYERS + 1];
  int n = 0;
  sumi_status status = SUMI_OK;
  outputs[0] = network(g, weights);
  for (; n < LAYERS && !frozen; n++) params[n] = sumi_param(g, weights, layers[n].name);
  SUMI_TRY(sumi_graph_status(g));
  if (!frozen) SUMI_TRY(sumi_grad(g, outputs[0], n, params, outputs + 1));
  SUMI_TRY(compile_and_run(backend, g, 1 + n, outputs, frozen));
done:
  return status;
}

static sumi_status network_scenario(sumi_context *ctx, sumi_backend *backend, sumi_dtype compute, bool frozen) {
  sumi_graph *g = NULL;
  sumi_weights *weights = NULL;
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi_graph_create(ctx, &g));
  SUMI_TRY(sumi_weights_create(ctx, &weights));
  SUMI_TRY(add_weights(weights));
  sumi_graph_set_compute(g, compute);
  SUMI_TRY(build_and_run(backend, g, weights, frozen));
done:
  sumi_graph_free(g);
  sumi_weights_free(weights);
  return status;
}

/* Two matrices in a "file", of which one is kept and one comes again in each run. */
static sumi_status lent_scenario(sumi_context *ctx, sumi_backend *backend) {
  enum { SIDES = 192 };
  static uint16_t file[2][SIDES * SIDES];
  sumi_graph *g = NULL;
  sumi_weights *weights = NULL;
  sumi_program *p = NULL;
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi_graph_create(ctx, &g));
  SUMI_TRY(sumi_weights_create(ctx, &weights));
  for (int k = 0; k < 2; k++)
    SUMI_TRY(sumi__weights_lend(weights, k ? "b" : "a", SUMI_F16, file[k], false, SUMI_SHAPE(SIDES, SIDES),
                                SUMI__LAYOUT_PLAIN));
  sumi_tensor *y = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(40, SIDES));
  for (int k = 0; k < 2; k++) y = sumi_linear(g, y, sumi_param(g, weights, k ? "b" : "a"), NULL);
  const sumi_compile_options how = {.frozen = true, .max_weight_bytes = SIDES * SIDES * 5};
  SUMI_TRY(sumi_compile(backend, g, 1, &y, &how, &p));
  assert_int_equal(sumi_program_describe(p).streamed_bytes, sizeof file[1]);
  SUMI_TRY(sumi_run(p));
done:
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_weights_free(weights);
  return status;
}

static sumi_status trained_f32(sumi_context *c, sumi_backend *b) { return network_scenario(c, b, SUMI_F32, false); }
static sumi_status trained_bf16(sumi_context *c, sumi_backend *b) { return network_scenario(c, b, SUMI_BF16, false); }
static sumi_status frozen_f32(sumi_context *c, sumi_backend *b) { return network_scenario(c, b, SUMI_F32, true); }
static sumi_status frozen_bf16(sumi_context *c, sumi_backend *b) { return network_scenario(c, b, SUMI_BF16, true); }

static void random_graphs_run_out(void **state) {
  (void)state;
  for (random_seed = 1; random_seed <= 8; random_seed++) assert_true(sweep(random_scenario, "a random graph") > 20);
}

static void networks_run_out(void **state) {
  (void)state;
  assert_true(sweep(trained_f32, "trained in f32") > 40);
  assert_true(sweep(trained_bf16, "trained in bf16") > 40);
  assert_true(sweep(frozen_f32, "frozen in f32") > 30);
  assert_true(sweep(frozen_bf16, "frozen in bf16") > 30);
  assert_true(sweep(lent_scenario, "lent by a file") > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_graphs_run_out),
      cmocka_unit_test(networks_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
