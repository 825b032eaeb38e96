/* Where values are placed: nothing that lives at the same time overlaps, and little room is lost. */
#include "support.h"

#include "models/score_unet.h"
#include "random_graph.h"
#include "tensor/program.h"
#include "tensor/weights.h"

static void assert_sound(const sumi__buffer *b, size_t count, size_t arena, size_t lower_bound, const char *what) {
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(b[i].offset % 64, 0);
    if (b[i].offset + b[i].bytes > arena) fail_msg("%s: buffer %zu ends beyond the arena", what, i);
    for (size_t k = 0; k < i; k++) {
      const bool together = b[i].first <= b[k].last && b[k].first <= b[i].last;
      const bool overlap = b[i].offset < b[k].offset + b[k].bytes && b[k].offset < b[i].offset + b[i].bytes;
      if (together && overlap) fail_msg("%s: buffers %zu and %zu live at the same time and overlap", what, k, i);
    }
  }
  assert_true(arena >= lower_bound);
}

/* The most bytes alive at one step, counted step by step. */
static size_t most_alive(const sumi__buffer *b, size_t count, int n_steps) {
  size_t most = 0;
  for (int s = 0; s < n_steps; s++) {
    size_t alive = 0;
    for (size_t i = 0; i < count; i++) alive += b[i].first <= s && s <= b[i].last ? b[i].bytes : 0;
    if (alive > most) most = alive;
  }
  return most;
}

static void random_lifetimes(void **state) {
  enum { MOST = 60, STEPS = 40 };
  sumi_context *ctx = *state;
  random_graph r = {.state = 7};
  double worst = 1.0;
  for (int round = 0; round < 300; round++) {
    sumi__buffer b[MOST] = {{0}};
    const size_t count = random_graph_below(&r, MOST + 1);
    size_t arena = 0, lower_bound = 0;
    for (size_t i = 0; i < count; i++) {
      b[i].bytes = 1 + random_graph_below(&r, 5000);
      b[i].first = (int)random_graph_below(&r, STEPS);
      b[i].last = b[i].first + (int)random_graph_below(&r, (uint32_t)(STEPS - b[i].first));
    }
    assert_ok(ctx, sumi__plan(ctx, b, count, STEPS, &arena, &lower_bound));
    assert_sound(b, count, arena, lower_bound, "random lifetimes");
    assert_int_equal(lower_bound, most_alive(b, count, STEPS));
    if (count && (double)arena / (double)lower_bound > worst) worst = (double)arena / (double)lower_bound;
  }
  if (worst > 1.3) fail_msg("a plan takes %.2f times the lower bound", worst);
}

static void nested_lifetimes_take_the_lower_bound(void **state) {
  sumi_context *ctx = *state;
  sumi__buffer b[16];
  size_t arena, lower_bound;
  for (int i = 0; i < 16; i++) b[i] = (sumi__buffer){.bytes = 640, .first = i, .last = 31 - i};
  assert_ok(ctx, sumi__plan(ctx, b, 16, 32, &arena, &lower_bound));
  assert_sound(b, 16, arena, lower_bound, "nested lifetimes");
  assert_int_equal(arena, 16 * 640);
  assert_int_equal(lower_bound, arena);
}

/* Shapes that pass every check one by one can still add up to more than there is. */
static void sizes_beyond_all_memory_are_refused(void **state) {
  sumi_context *ctx = *state;
  const size_t huge = (size_t)1 << 62;
  sumi__buffer b[3];
  size_t arena, lower_bound;
  for (int i = 0; i < 3; i++) b[i] = (sumi__buffer){.bytes = huge - 64, .first = 0, .last = 3};
  assert_int_equal(sumi__plan(ctx, b, 3, 4, &arena, &lower_bound), SUMI_NO_MEMORY);
  assert_error(ctx, "2^63");
  b[0].bytes = SIZE_MAX;
  assert_int_equal(sumi__plan(ctx, b, 1, 4, &arena, &lower_bound), SUMI_NO_MEMORY);
}

/* ---- Programs ---- */

static void assert_program_sound(const sumi_program *p, const char *what) {
  assert_sound(p->buffers, p->n_buffers, p->info.arena_bytes, p->info.lower_bound_bytes, what);
  if ((double)p->info.arena_bytes > 1.1 * (double)p->info.lower_bound_bytes)
    fail_msg("%s: %zu bytes for %zu that live at once", what, p->info.arena_bytes, p->info.lower_bound_bytes);
}

typedef struct network {
  sumi__score_unet_variant variant;
  bool train;
  sumi_dtype compute;
} network;

static void check_network(sumi_context *ctx, sumi_backend *backend, const network *net) {
  enum { MOST_PARAMS = 256 };
  const sumi__score_unet_config config = sumi__score_unet_defaults(net->variant);
  sumi_tensor *params[MOST_PARAMS], *outputs[MOST_PARAMS + 1];
  sumi_graph *g = NULL;
  sumi_weights *weights = NULL;
  sumi_program *p = NULL;
  char what[64];
  int n = 0;
  snprintf(what, sizeof what, "%s, %s, %s", sumi__score_unet_variant_name(net->variant),
           net->train ? "trained" : "sampled", sumi_dtype_name(net->compute));
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  assert_ok(ctx, sumi_weights_create(ctx, &weights));
  sumi_graph_set_compute(g, net->compute);
  sumi__rng rng;
  sumi__rng_seed(&rng, 1);
  sumi__nn nn = sumi__nn_root(g, weights);
  nn.init = &rng;
  sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(8, 28, 28, 1));
  sumi_tensor *t = sumi_input(g, "t", SUMI_F32, SUMI_SHAPE(8));
  sumi_tensor *labels = sumi_input(g, "labels", SUMI_I64, SUMI_SHAPE(8));
  outputs[0] = sumi__score_unet(&nn, &config, x, t, labels);
  if (net->train) {
    outputs[0] = sumi_mean_all(g, sumi_square(g, outputs[0]));
    for (size_t i = 0; i < sumi_weights_count(weights); i++)
      if (sumi__weights_at(weights, i)->trainable) params[n++] = sumi_param(g, weights, sumi_weights_name(weights, i));
    assert_ok(ctx, sumi_grad(g, outputs[0], n, params, outputs + 1));
  }
  assert_ok(ctx, sumi_compile(backend, g, 1 + n, outputs, NULL, &p));
  assert_program_sound(p, what);
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_weights_free(weights);
}

static void networks_lose_at_most_a_tenth(void **state) {
  sumi_context *ctx = *state;
  sumi_backend *backend = NULL;
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  for (int v = 0; v < SUMI__SCORE_UNET_VARIANTS; v++)
    for (int k = 0; k < 4; k++)
      check_network(ctx, backend,
                    &(network){(sumi__score_unet_variant)v, (k & 1) != 0, (k & 2) != 0 ? SUMI_BF16 : SUMI_F32});
  sumi_backend_free(backend);
}

static void random_programs_are_sound(void **state) {
  sumi_context *ctx = *state;
  sumi_backend *backend = NULL;
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  for (uint32_t seed = 1; seed <= 100; seed++) {
    sumi_graph *g = NULL;
    sumi_program *p = NULL;
    random_graph r;
    assert_ok(ctx, sumi_graph_create(ctx, &g));
    random_graph_make(&r, g, seed, 50, false);
    assert_ok(ctx, random_graph_differentiate(&r));
    assert_ok(ctx, sumi_compile(backend, g, r.n_outputs, r.outputs, NULL, &p));
    assert_sound(p->buffers, p->n_buffers, p->info.arena_bytes, p->info.lower_bound_bytes, "a random program");
    sumi_program_free(p);
    sumi_graph_free(g);
  }
  sumi_backend_free(backend);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_lifetimes),
      cmocka_unit_test(nested_lifetimes_take_the_lower_bound),
      cmocka_unit_test(sizes_beyond_all_memory_are_refused),
      cmocka_unit_test(networks_lose_at_most_a_tenth),
      cmocka_unit_test(random_programs_are_sound),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
