/* What a program promises its caller: inputs stay, outputs are where they are asked for, weights are seen or frozen,
 * and every misuse is refused with a sentence. */
#include "support.h"

#include "tensor/program.h"
#include "tensor/weights.h"

#include <math.h>

typedef struct fixture { /* a graph, with the backend that compiles it */
  sumi_context *ctx;
  sumi_backend *backend;
  sumi_graph *g;
} fixture;

static fixture begin(void **state) {
  fixture f = {.ctx = *state};
  assert_ok(f.ctx, sumi_backend_cpu(f.ctx, &f.backend));
  assert_ok(f.ctx, sumi_graph_create(f.ctx, &f.g));
  return f;
}

static void end(fixture *f) {
  sumi_graph_free(f->g);
  sumi_backend_free(f->backend);
}

static sumi_program *compile(fixture *f, int n, sumi_tensor *const *outputs, bool frozen) {
  sumi_program *p = NULL;
  assert_ok(f->ctx, sumi_compile(f->backend, f->g, n, outputs, &(sumi_compile_options){.frozen = frozen}, &p));
  return p;
}

static void assert_values(const float *got, const float *want, int n) {
  for (int i = 0; i < n; i++)
    if (!(got[i] >= want[i] - 1e-6f && got[i] <= want[i] + 1e-6f))
      fail_msg("element %d is %.9g, expected %.9g", i, (double)got[i], (double)want[i]);
}

/* ---- Inputs and outputs ---- */

static void inputs_keep_their_values(void **state) {
  fixture f = begin(state);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(3)), *y = sumi_input(f.g, "y", SUMI_F32, SUMI_SHAPE(3));
  sumi_tensor *unused = sumi_input(f.g, "unused", SUMI_F32, SUMI_SHAPE(3));
  sumi_tensor *sum = sumi_add(f.g, x, y), *outputs[] = {sum, sumi_mul(f.g, sum, x), x};
  sumi_program *p = compile(&f, 3, outputs, false);
  const float a[3] = {1, 2, 3}, b[3] = {10, 20, 30}, c[3] = {-1, -2, -3};
  assert_ok(f.ctx, sumi_set(p, x, a));
  assert_ok(f.ctx, sumi_set(p, y, b));
  float got[3];
  for (int run = 0; run < 2; run++) {
    assert_ok(f.ctx, sumi_run(p));
    assert_ok(f.ctx, sumi_get(p, sum, got));
    assert_values(got, (float[]){11, 22, 33}, 3);
    assert_ok(f.ctx, sumi_get(p, outputs[1], got));
    assert_values(got, (float[]){11, 44, 99}, 3);
    assert_ok(f.ctx, sumi_get(p, x, got));
    assert_values(got, a, 3);
  }
  memcpy(sumi_data(p, y), c, sizeof c); /* in place is as good */
  assert_ok(f.ctx, sumi_run(p));
  assert_values(sumi_data(p, sum), (float[]){0, 0, 0}, 3);
  assert_int_equal((uintptr_t)sumi_data(p, x) % 64, 0);
  assert_int_equal((uintptr_t)sumi_data(p, sum) % 64, 0);

  assert_int_equal(sumi_set(p, sum, a), SUMI_INVALID);
  assert_error(f.ctx, "not an input of this program");
  assert_int_equal(sumi_set(p, unused, a), SUMI_INVALID);
  assert_int_equal(sumi_get(p, unused, got), SUMI_INVALID);
  assert_error(f.ctx, "not an output of this program");
  assert_null(sumi_data(p, unused));
  sumi_program_free(p);
  end(&f);
}

static void outlives_its_graph(void **state) {
  fixture f = begin(state);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(2));
  sumi_tensor *y = sumi_mul(f.g, x, sumi_constant(f.g, SUMI_F32, SUMI_SHAPE(2), (float[]){3, 4}));
  sumi_program *p = compile(&f, 1, &y, false);
  sumi_graph_free(f.g);
  f.g = NULL;
  assert_ok(f.ctx, sumi_set(p, x, (float[]){2, 5}));
  assert_ok(f.ctx, sumi_run(p));
  assert_values(sumi_data(p, y), (float[]){6, 20}, 2);
  sumi_program_free(p);
  end(&f);
}

static void
outputs_of_every_kind(void **state) { /* an input, a constant, a parameter, views of them, one of them twice */
  fixture f = begin(state);
  sumi_weights *weights = NULL;
  sumi__weight *w = NULL;
  assert_ok(f.ctx, sumi_weights_create(f.ctx, &weights));
  assert_ok(f.ctx, sumi__weights_add(weights, "w", SUMI_F32, SUMI_SHAPE(4), SUMI__LAYOUT_PLAIN, true, &w));
  memcpy(w->data, (float[]){5, 6, 7, 8}, 16);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(4));
  sumi_tensor *c = sumi_constant(f.g, SUMI_F32, SUMI_SHAPE(2), (float[]){9, 10}), *v = sumi_param(f.g, weights, "w");
  assert_ptr_equal(v, sumi_param(f.g, weights, "w"));
  sumi_tensor *outputs[] = {x,
                            c,
                            v,
                            sumi_slice(f.g, x, 0, 1, 3),
                            sumi_reshape(f.g, v, SUMI_SHAPE(2, 2)),
                            x,
                            sumi_slice(f.g, sumi_affine(f.g, x, 2, 0), 0, 2, 4),
                            sumi_square(f.g, c)};
  const float *const want[] = {(float[]){1, 2, 3, 4}, (float[]){9, 10},      (float[]){5, 6, 7, 8}, (float[]){2, 3},
                               (float[]){5, 6, 7, 8}, (float[]){1, 2, 3, 4}, (float[]){6, 8},       (float[]){81, 100}};
  for (int frozen = 0; frozen < 2; frozen++) {
    sumi_program *p = compile(&f, 8, outputs, frozen != 0);
    assert_ok(f.ctx, sumi_set(p, x, (float[]){1, 2, 3, 4}));
    assert_ok(f.ctx, sumi_run(p));
    for (int i = 0; i < 8; i++) {
      float got[4];
      assert_ok(f.ctx, sumi_get(p, outputs[i], got));
      assert_values(got, want[i], (int)sumi__count(outputs[i]));
    }
    sumi_program_free(p);
  }
  end(&f);
  sumi_weights_free(weights);
}

/* ---- Weights ---- */

static void weights_are_seen_or_frozen(void **state) {
  fixture f = begin(state);
  sumi_weights *weights = NULL;
  sumi__weight *w = NULL;
  assert_ok(f.ctx, sumi_weights_create(f.ctx, &weights));
  assert_ok(f.ctx, sumi__weights_add(weights, "w", SUMI_F32, SUMI_SHAPE(2, 2), SUMI__LAYOUT_PLAIN, true, &w));
  memcpy(w->data, (float[]){1, 2, 3, 4}, 16);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(1, 2)), *v = sumi_param(f.g, weights, "w");
  sumi_tensor *scaled = sumi_affine(f.g, sumi_exp(f.g, sumi_affine(f.g, v, 0, 0)), 2, 0); /* 2, of weights alone */
  sumi_tensor *y = sumi_mul(f.g, sumi_linear(f.g, x, v, NULL), sumi_slice(f.g, scaled, 0, 0, 1));
  sumi_program *trained = compile(&f, 1, &y, false), *frozen = compile(&f, 1, &y, true);
  assert_true(sumi_program_describe(frozen).steps < sumi_program_describe(trained).steps);
  const float x_values[2] = {1, 10};
  assert_ok(f.ctx, sumi_set(trained, x, x_values));
  assert_ok(f.ctx, sumi_set(frozen, x, x_values));
  for (int run = 0; run < 2; run++) {
    assert_ok(f.ctx, sumi_run(frozen));
    assert_values(sumi_data(frozen, y), (float[]){42, 86}, 2);
    assert_ok(f.ctx, sumi_run(trained));
    assert_values(sumi_data(trained, y), (float[]){42, 86}, 2);
  }
  for (int i = 0; i < 4; i++) ((float *)w->data)[i] *= 10;
  assert_ok(f.ctx, sumi_run(trained));
  assert_values(sumi_data(trained, y), (float[]){420, 860}, 2);
  sumi_program_free(trained);
  sumi_program_free(frozen);
  end(&f);
  sumi_weights_free(weights);
}

static void constants_are_folded(void **state) {
  fixture f = begin(state);
  sumi_tensor *c = sumi_constant(f.g, SUMI_F32, SUMI_SHAPE(2, 3), (float[]){1, 2, 3, 4, 5, 6});
  sumi_tensor *sum = sumi_sum(f.g, sumi_softmax(f.g, sumi_square(f.g, c), -1), 1, (int[]){1}, false);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(2)), *y = sumi_add(f.g, x, sum);
  sumi_program *p = compile(&f, 2, (sumi_tensor *[]){y, sum}, false);
  assert_int_equal(sumi_program_describe(p).steps, 1);
  assert_ok(f.ctx, sumi_set(p, x, (float[]){1, 2}));
  for (int run = 0; run < 2; run++) {
    assert_ok(f.ctx, sumi_run(p));
    assert_values(sumi_data(p, y), (float[]){2, 3}, 2);
    assert_values(sumi_data(p, sum), (float[]){1, 1}, 2);
  }
  sumi_program_free(p);
  end(&f);
}

static void random_numbers_follow_their_state(void **state) {
  fixture f = begin(state);
  sumi_tensor *s = sumi_input(f.g, "state", SUMI_I64, SUMI_SHAPE(2));
  sumi_tensor *a = sumi_random_uniform(f.g, s, SUMI_SHAPE(64)), *b = sumi_random_uniform(f.g, s, SUMI_SHAPE(64));
  sumi_program *p = compile(&f, 2, (sumi_tensor *[]){a, b}, false);
  float first[64], again[64], moved_on[64];
  assert_ok(f.ctx, sumi_set(p, s, (int64_t[]){7, 0}));
  assert_ok(f.ctx, sumi_run(p));
  assert_ok(f.ctx, sumi_get(p, a, first));
  assert_memory_not_equal(sumi_data(p, a), sumi_data(p, b), sizeof first); /* two nodes, two streams */
  assert_ok(f.ctx, sumi_set(p, s, (int64_t[]){7, 1}));
  assert_ok(f.ctx, sumi_run(p));
  assert_ok(f.ctx, sumi_get(p, a, moved_on));
  assert_memory_not_equal(first, moved_on, sizeof first);
  assert_ok(f.ctx, sumi_set(p, s, (int64_t[]){7, 0}));
  assert_ok(f.ctx, sumi_run(p));
  assert_ok(f.ctx, sumi_get(p, a, again));
  assert_memory_equal(first, again, sizeof first);
  sumi_program_free(p);
  end(&f);
}

/* ---- Memory ---- */

static void results_take_over_memory_of_what_is_no_longer_read(void **state) {
  fixture f = begin(state);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(64, 64)), *t = x;
  for (int i = 0; i < 6; i++) { /* a chain, a reduction that splits chains, and so on */
    sumi_tensor *wave = sumi_sin(f.g, t);
    t = sumi_sub(f.g, wave, sumi_mean(f.g, wave, 1, (int[]){1}, true));
  }
  sumi_program *p = compile(&f, 1, &t, false);
  const sumi_program_info info = sumi_program_describe(p);
  assert_true(info.arena_bytes < 2 * 64 * 64 * sizeof(float)); /* one picture, and some rows' means */
  assert_true(info.arena_bytes >= info.lower_bound_bytes);
  assert_true(info.inner_bytes >= 64 * 64 * sizeof(float) && info.inner_bytes <= info.lower_bound_bytes);
  float *values = sumi_data(p, x);
  for (int i = 0; i < 64 * 64; i++) values[i] = (float)(i % 17) / 4.0f;
  assert_ok(f.ctx, sumi_run(p));
  float *once = malloc(64 * 64 * sizeof *once);
  assert_non_null(once);
  assert_ok(f.ctx, sumi_get(p, t, once));
  assert_ok(f.ctx, sumi_run(p));
  assert_memory_equal(once, sumi_data(p, t), 64 * 64 * sizeof *once); /* the input was not overwritten */
  free(once);
  sumi_program_free(p);
  end(&f);
}

/* What a program was asked for is no activation, but what lay in its place before is one. */
static void outputs_are_told_from_activations(void **state) {
  enum { PICTURE = 64 * 64 * sizeof(float), ROWS = 64 * sizeof(float) };
  fixture f = begin(state);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(64, 64));
  sumi_tensor *asked[] = {sumi_sin(f.g, x), sumi_cos(f.g, x), sumi_exp(f.g, x)};
  sumi_program *p = compile(&f, 3, asked, false);
  assert_int_equal(sumi_program_describe(p).inner_bytes, 0);
  assert_int_equal(sumi_program_describe(p).lower_bound_bytes, 3 * PICTURE);
  sumi_program_free(p);
  asked[2] = sumi_sub(f.g, asked[0], sumi_mean(f.g, asked[0], 1, (int[]){1}, true));
  p = compile(&f, 1, &asked[2], false); /* over the sine's memory */
  assert_true(sumi_program_describe(p).inner_bytes >= PICTURE);
  assert_true(sumi_program_describe(p).inner_bytes <= PICTURE + 2 * ROWS);
  sumi_program_free(p);
  end(&f);
}

/* Programs outlive the graphs that they were compiled from, and a graph that is made later may lie where one was. */
static void tensors_of_later_graphs_are_not_taken_for_a_port(void **state) {
  enum { LATER = 64 };
  fixture f = begin(state);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(2));
  sumi_program *p = compile(&f, 1, (sumi_tensor *[]){sumi_square(f.g, x)}, false);
  sumi_graph_free(f.g);
  f.g = NULL;
  static float values[4096];
  for (int i = 0; i < LATER; i++) {
    sumi_graph *g = NULL;
    assert_ok(f.ctx, sumi_graph_create(f.ctx, &g));
    sumi_tensor *other = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(4096));
    assert_ptr_not_equal(other, x);
    assert_null(sumi_data(p, other));
    assert_int_equal(sumi_set(p, other, values), SUMI_INVALID);
    sumi_graph_free(g);
  }
  assert_ok(f.ctx, sumi_set(p, x, values));
  sumi_program_free(p);
  end(&f);
}

/* dy goes to a where a >= b, also where both are the same infinity. */
static void equal_infinities_are_a_tie(void **state) {
  fixture f = begin(state);
  sumi_tensor *a = sumi_input(f.g, "a", SUMI_F32, SUMI_SHAPE(5)), *b = sumi_input(f.g, "b", SUMI_F32, SUMI_SHAPE(5));
  sumi_tensor *inputs[] = {a, b}, *dx[2];
  sumi_tensor *loss = sumi_sum_all(f.g, sumi_maximum(f.g, a, b));
  assert_ok(f.ctx, sumi_grad(f.g, loss, 2, inputs, dx));
  sumi_program *p = compile(&f, 2, dx, false);
  const float inf = INFINITY;
  assert_ok(f.ctx, sumi_set(p, a, (float[]){inf, -inf, inf, -inf, 1}));
  assert_ok(f.ctx, sumi_set(p, b, (float[]){inf, -inf, -inf, inf, 1}));
  assert_ok(f.ctx, sumi_run(p));
  assert_values(sumi_data(p, dx[0]), (float[]){1, 1, 1, 0, 1}, 5);
  assert_values(sumi_data(p, dx[1]), (float[]){0, 0, 0, 1, 0}, 5);
  sumi_program_free(p);
  end(&f);
}

/* The linker sends every call of the library and of this file through these (tests/tensor.cmake). */
static int allocations;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
int __real_posix_memalign(void **out, size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes) {
  allocations++;
  return __real_malloc(bytes);
}
void *__wrap_calloc(size_t count, size_t bytes) {
  allocations++;
  return __real_calloc(count, bytes);
}
void *__wrap_realloc(void *old, size_t bytes) {
  allocations++;
  return __real_realloc(old, bytes);
}
void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
  allocations++;
  return __real_aligned_alloc(alignment, bytes);
}
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes) {
  allocations++;
  return __real_posix_memalign(out, alignment, bytes);
}

/* What oneDNN's primitives take for themselves is not counted. */
static void a_run_allocates_nothing(void **state) {
  const sumi_context_options options = {.threads = 2};
  sumi_context *ctx = NULL;
  (void)state;
  allocations = 0;
  assert_int_equal(sumi_context_create(&options, &ctx), SUMI_OK);
  assert_true(allocations > 0);
  fixture f = begin((void **)&ctx);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(2, 8, 8, 16)), *dx = NULL;
  sumi_tensor *w = sumi_input(f.g, "w", SUMI_F32, SUMI_SHAPE(16, 3, 3, 16));
  sumi_tensor *h =
      sumi_conv2d(f.g, x, w, NULL, &(sumi_conv_options){.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1});
  h = sumi_group_norm_silu(f.g, h, NULL, NULL, NULL, 4, 1e-5f);
  sumi_tensor *tokens = sumi_reshape(f.g, h, SUMI_SHAPE(2, 64, 2, 8));
  h = sumi_softmax(f.g, sumi_attention(f.g, tokens, tokens, tokens, NULL, 0, false), 1);
  sumi_tensor *loss = sumi_mean_all(f.g, sumi_square(f.g, h));
  assert_ok(ctx, sumi_grad(f.g, loss, 1, &x, &dx));
  sumi_program *p = compile(&f, 2, (sumi_tensor *[]){loss, dx}, false);
  const int before = allocations;
  assert_ok(ctx, sumi_run(p));
  assert_ok(ctx, sumi_run(p));
  assert_int_equal(allocations, before);
  sumi_program_free(p);
  end(&f);
  sumi_context_free(ctx);
}

/* ---- Refusals ---- */

static void null_passes_through_and_the_first_fault_stays(void **state) {
  fixture f = begin(state);
  sumi_program *p = NULL;
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(2, 3)), *dx = x;
  sumi_tensor *wrong = sumi_add(f.g, x, sumi_input(f.g, "y", SUMI_F32, SUMI_SHAPE(4)));
  assert_null(wrong);
  sumi_tensor *more = sumi_sum_all(f.g, sumi_silu(f.g, sumi_reshape(f.g, wrong, SUMI_SHAPE(6))));
  assert_null(more);
  assert_null(sumi_reshape(f.g, x, SUMI_SHAPE(7))); /* a second fault, which nobody hears of */
  assert_int_equal(sumi_graph_status(f.g), SUMI_SHAPE);
  assert_error(f.ctx, "add: shapes [2, 3] and [4] do not broadcast");
  assert_int_equal(sumi_grad(f.g, more, 1, &x, &dx), SUMI_SHAPE);
  assert_null(dx);
  assert_error(f.ctx, "add: shapes [2, 3] and [4] do not broadcast");
  assert_int_equal(sumi_compile(f.backend, f.g, 1, &x, NULL, &p), SUMI_SHAPE);
  assert_null(p);
  assert_error(f.ctx, "add: shapes [2, 3] and [4] do not broadcast");
  end(&f);
}

static void misuse_is_refused(void **state) {
  fixture f = begin(state), other = begin(state);
  sumi_program *p = NULL;
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(2)),
              *ids = sumi_input(f.g, "ids", SUMI_I32, SUMI_SHAPE(2));
  sumi_tensor *theirs = sumi_input(other.g, "x", SUMI_F32, SUMI_SHAPE(2)), *dx = NULL, *none = NULL;
  assert_int_equal(sumi_compile(f.backend, f.g, 0, NULL, NULL, &p), SUMI_INVALID);
  assert_error(f.ctx, "no outputs");
  assert_int_equal(sumi_compile(f.backend, f.g, 1, &none, NULL, &p), SUMI_INVALID);
  assert_error(f.ctx, "output 0");
  assert_int_equal(sumi_compile(f.backend, f.g, 1, &theirs, NULL, &p), SUMI_INVALID);
  assert_int_equal(sumi_grad(f.g, x, 1, &x, &dx), SUMI_SHAPE);
  assert_error(f.ctx, "loss has the shape [2]");
  sumi_tensor *loss = sumi_sum_all(f.g, x);
  assert_int_equal(sumi_grad(f.g, loss, 1, &ids, &dx), SUMI_INVALID);
  assert_error(f.ctx, "x[0] is not a floating-point tensor");
  assert_int_equal(sumi_grad(f.g, loss, 1, &theirs, &dx), SUMI_INVALID);
  assert_int_equal(sumi_grad(f.g, none, 1, &x, &dx), SUMI_INVALID);
  assert_ok(f.ctx, sumi_graph_status(f.g)); /* none of these is the graph's fault */
  assert_null(sumi_add(f.g, x, theirs));
  assert_int_equal(sumi_graph_status(f.g), SUMI_INVALID);
  assert_error(f.ctx, "belongs to another graph");
  end(&f);
  end(&other);
}

static void unknown_parameters_and_types_are_faults(void **state) {
  fixture f = begin(state);
  sumi_weights *weights = NULL;
  assert_ok(f.ctx, sumi_weights_create(f.ctx, &weights));
  assert_null(sumi_param(f.g, weights, "absent"));
  assert_int_equal(sumi_graph_status(f.g), SUMI_NOT_FOUND);
  assert_error(f.ctx, "'absent'");
  end(&f);
  f = begin(state);
  sumi_graph_set_compute(f.g, SUMI_I32);
  assert_int_equal(sumi_graph_status(f.g), SUMI_UNSUPPORTED);
  assert_error(f.ctx, "i32");
  end(&f);
  f = begin(state);
  assert_null(sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(INT64_MAX, INT64_MAX)));
  assert_int_equal(sumi_graph_status(f.g), SUMI_SHAPE);
  end(&f);
  f = begin(state);
  assert_null(sumi_input(f.g, "x", (sumi_dtype)99, SUMI_SHAPE(2)));
  assert_int_not_equal(sumi_graph_status(f.g), SUMI_OK);
  end(&f);
  sumi_weights_free(weights);
}

/* A run that fails says which value it was, and the program is as good as before. */
static void indices_out_of_range_fail_the_run(void **state) {
  for (int reference = 0; reference < 2; reference++) {
    fixture f = begin(state);
    sumi_program *p = NULL;
    sumi_tensor *table = sumi_input(f.g, "table", SUMI_F32, SUMI_SHAPE(4, 2)), *dt = NULL, *dl = NULL;
    sumi_tensor *ids = sumi_input(f.g, "ids", SUMI_I64, SUMI_SHAPE(3));
    sumi_tensor *labels = sumi_input(f.g, "labels", SUMI_I32, SUMI_SHAPE(3));
    sumi_tensor *logits = sumi_embedding(f.g, table, ids), *loss = sumi_cross_entropy(f.g, logits, labels, 0.0f);
    assert_ok(f.ctx, sumi_grad(f.g, loss, 1, &table, &dt));
    assert_ok(f.ctx, sumi_grad(f.g, loss, 1, &logits, &dl));
    const sumi_compile_options options = {.reference = reference != 0};
    assert_ok(f.ctx, sumi_compile(f.backend, f.g, 3, (sumi_tensor *[]){loss, dt, dl}, &options, &p));
    const int64_t good_ids[] = {0, 3, 1}, bad_ids[] = {0, 4, 1}, negative[] = {0, 1, -1};
    const int32_t good_labels[] = {0, 1, 1}, bad_labels[] = {0, 1, 2}, far[] = {INT32_MIN, 0, 0};
    assert_ok(f.ctx, sumi_set(p, ids, bad_ids));
    assert_ok(f.ctx, sumi_set(p, labels, good_labels));
    assert_int_equal(sumi_run(p), SUMI_INVALID);
    assert_error(f.ctx, "embedding: id 4 at place 1, expected 0 to 3");
    assert_ok(f.ctx, sumi_set(p, ids, negative));
    assert_int_equal(sumi_run(p), SUMI_INVALID);
    assert_error(f.ctx, "embedding: id -1 at place 2");
    assert_ok(f.ctx, sumi_set(p, ids, good_ids));
    assert_ok(f.ctx, sumi_set(p, labels, bad_labels));
    assert_int_equal(sumi_run(p), SUMI_INVALID);
    assert_error(f.ctx, "cross_entropy: label 2 of item 2, expected 0 to 1");
    assert_ok(f.ctx, sumi_set(p, labels, far));
    assert_int_equal(sumi_run(p), SUMI_INVALID);
    assert_error(f.ctx, "cross_entropy: label -2147483648 of item 0");
    assert_ok(f.ctx, sumi_set(p, labels, good_labels));
    assert_ok(f.ctx, sumi_run(p));
    assert_values(sumi_data(p, loss), (float[]){0.693147181f}, 1);
    sumi_program_free(p);
    end(&f);
  }
}

/* ---- Gradients ---- */

static void gradients_where_nothing_flows_are_zero(void **state) {
  fixture f = begin(state);
  sumi_tensor *x[] = {sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(2)), sumi_input(f.g, "y", SUMI_BF16, SUMI_SHAPE(3)),
                      sumi_input(f.g, "z", SUMI_F32, SUMI_SHAPE(2))};
  sumi_tensor *dx[3], *loss = sumi_sum_all(f.g, sumi_mul(f.g, x[0], sumi_stop_gradient(f.g, x[2])));
  assert_ok(f.ctx, sumi_grad(f.g, loss, 3, x, dx));
  sumi_program *p = compile(&f, 3, dx, false);
  assert_ok(f.ctx, sumi_set(p, x[2], (float[]){4, 5}));
  assert_ok(f.ctx, sumi_run(p));
  assert_values(sumi_data(p, dx[0]), (float[]){4, 5}, 2);
  for (int i = 0; i < 3; i++) assert_int_equal(((uint16_t *)sumi_data(p, dx[1]))[i], 0);
  assert_values(sumi_data(p, dx[2]), (float[]){0, 0}, 2);
  sumi_program_free(p);
  end(&f);
}

static void gradients_of_gradients(void **state) { /* y = x^3: 3 x^2, then 6 x */
  fixture f = begin(state);
  sumi_tensor *x = sumi_input(f.g, "x", SUMI_F32, SUMI_SHAPE(2)), *dx = NULL, *ddx = NULL;
  sumi_tensor *y = sumi_sum_all(f.g, sumi_mul(f.g, sumi_square(f.g, x), x));
  assert_ok(f.ctx, sumi_grad(f.g, y, 1, &x, &dx));
  assert_ok(f.ctx, sumi_grad(f.g, sumi_sum_all(f.g, dx), 1, &x, &ddx));
  sumi_program *p = compile(&f, 2, (sumi_tensor *[]){dx, ddx}, false);
  assert_ok(f.ctx, sumi_set(p, x, (float[]){2, -1}));
  assert_ok(f.ctx, sumi_run(p));
  assert_values(sumi_data(p, dx), (float[]){12, 3}, 2);
  assert_values(sumi_data(p, ddx), (float[]){12, -6}, 2);
  sumi_program_free(p);
  end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inputs_keep_their_values),
      cmocka_unit_test(outlives_its_graph),
      cmocka_unit_test(outputs_of_every_kind),
      cmocka_unit_test(weights_are_seen_or_frozen),
      cmocka_unit_test(constants_are_folded),
      cmocka_unit_test(random_numbers_follow_their_state),
      cmocka_unit_test(results_take_over_memory_of_what_is_no_longer_read),
      cmocka_unit_test(outputs_are_told_from_activations),
      cmocka_unit_test(tensors_of_later_graphs_are_not_taken_for_a_port),
      cmocka_unit_test(equal_infinities_are_a_tie),
      cmocka_unit_test(a_run_allocates_nothing),
      cmocka_unit_test(null_passes_through_and_the_first_fault_stays),
      cmocka_unit_test(misuse_is_refused),
      cmocka_unit_test(unknown_parameters_and_types_are_faults),
      cmocka_unit_test(indices_out_of_range_fail_the_run),
      cmocka_unit_test(gradients_where_nothing_flows_are_zero),
      cmocka_unit_test(gradients_of_gradients),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
