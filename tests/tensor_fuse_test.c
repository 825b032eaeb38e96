/* Chains of elementwise operators give what the operators give one by one, in fewer steps. */
#include "support.h"

#include "random_graph.h"
#include "tensor/program.h"

#include <math.h>

static sumi_program *compile(sumi_backend *backend, sumi_graph *g, int n, sumi_tensor *const *outputs, bool reference) {
  const sumi_compile_options options = {.reference = reference};
  sumi_program *p = NULL;
  assert_ok(g->ctx, sumi_compile(backend, g, n, outputs, &options, &p));
  return p;
}

/* Fills the memory that a run must write before it reads: what it does not write shows as NaN. */
static void poison(sumi_program *p) {
  memset(p->arena, 0xff, p->info.arena_bytes);
  memset(p->scratch, 0xff, p->info.scratch_bytes);
}

static void compare(sumi_program *got, sumi_program *want, const sumi_tensor *t, double tolerance, const char *what) {
  const int64_t count = sumi__count(t);
  float *a = calloc((size_t)count, sizeof *a), *b = calloc((size_t)count, sizeof *b);
  sumi__to_f32(a, sumi_data(got, t), t->dtype, count);
  sumi__to_f32(b, sumi_data(want, t), t->dtype, count);
  double scale = 0.0;
  for (int64_t i = 0; i < count; i++) scale = fmax(scale, fabs((double)b[i]));
  for (int64_t i = 0; i < count; i++)
    if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * (scale + 1e-2)))
      fail_msg("%s: tensor %d (made by %s), element %lld: %.8g, expected %.8g", what, t->id, t->node->op->name,
               (long long)i, (double)a[i], (double)b[i]);
  free(a);
  free(b);
}

/* Runs both programs on the same values; the faster one twice, on memory that is poisoned before the first. */
static void run_and_compare(const random_graph *r, sumi_program *fused, sumi_program *plain, double tolerance,
                            const char *what) {
  random_graph_set(r, fused);
  random_graph_set(r, plain);
  poison(fused);
  assert_ok(r->g->ctx, sumi_run(plain));
  for (int run = 0; run < 2; run++) {
    assert_ok(r->g->ctx, sumi_run(fused));
    for (int i = 0; i < r->n_outputs; i++) compare(fused, plain, r->outputs[i], tolerance, what);
  }
}

static int count_ops(const sumi_program *p, const char *name) {
  int n = 0;
  for (size_t k = 0; k < p->n_steps; k++) n += strcmp(p->steps[k].call.node->op->name, name) == 0;
  return n;
}

/* ---- Chosen graphs: the number of steps is known ---- */

typedef struct chosen {
  const char *name;
  void (*build)(random_graph *r);
  int steps; /* of the fused program */
} chosen;

static void output(random_graph *r, sumi_tensor *t) { r->outputs[r->n_outputs++] = t; }

static void straight(random_graph *r) {
  output(r, sumi_mul(r->g, sumi_silu(r->g, sumi_add(r->g, r->pool[0], r->pool[1])), r->pool[3]));
}
static void diamond(random_graph *r) { /* one value read twice, by two arms that meet */
  sumi_tensor *top = sumi_tanh(r->g, r->pool[0]);
  output(r, sumi_mul(r->g, sumi_sin(r->g, top), sumi_sigmoid(r->g, top)));
}
static void deep_diamonds(random_graph *r) {
  sumi_tensor *t = r->pool[0];
  for (int i = 0; i < 4; i++) t = sumi_add(r->g, sumi_sin(r->g, t), sumi_mul(r->g, t, sumi_tanh(r->g, t)));
  output(r, t);
}
static void same_twice(random_graph *r) {
  sumi_tensor *t = sumi_tanh(r->g, r->pool[0]);
  output(r, sumi_mul(r->g, t, t));
}
static void repeated_load(random_graph *r) { /* a broadcast that two chains read: each repeats it */
  sumi_tensor *wide = sumi_broadcast(r->g, r->pool[1], SUMI_SHAPE(2, 3, 8));
  sumi_tensor *first = sumi_add(r->g, wide, r->pool[0]);
  sumi_tensor *shared = sumi_softmax(r->g, first, -1);
  output(r, sumi_mul(r->g, shared, wide));
}
static void read_elsewhere(random_graph *r) { /* a value that somebody else reads too stays a step of its own */
  sumi_tensor *t = sumi_tanh(r->g, r->pool[0]);
  output(r, sumi_softmax(r->g, t, -1));
  output(r, sumi_square(r->g, t));
}
static void asked_for(random_graph *r) { /* as does one that is an output */
  sumi_tensor *t = sumi_tanh(r->g, r->pool[0]);
  output(r, t);
  output(r, sumi_square(r->g, t));
}
static void narrow_then_wide(random_graph *r) { /* another shape is another chain */
  sumi_tensor *row = sumi_tanh(r->g, r->pool[1]);
  output(r, sumi_add(r->g, r->pool[0], row));
}
static void longer_than_a_chain(random_graph *r) {
  sumi_tensor *t = r->pool[0];
  for (int i = 0; i < SUMI__FUSED_MAX_OPS + 6; i++) t = i % 2 ? sumi_sin(r->g, t) : sumi_affine(r->g, t, 1.1f, 0.1f);
  output(r, t);
}
static void wider_than_a_chain(random_graph *r) { /* more inputs than a chain has room for */
  sumi_tensor *t = r->pool[0];
  for (int64_t i = 0; i < SUMI__FUSED_MAX_INPUTS + 5; i++) {
    float values[8];
    for (int k = 0; k < 8; k++) values[k] = (float)(i + k) / 40.0f;
    t = sumi_add(
        r->g, t,
        sumi_softmax(r->g, sumi_add(r->g, r->pool[1], sumi_constant(r->g, SUMI_F32, SUMI_SHAPE(8), values)), -1));
  }
  output(r, t);
}
static void through_views(random_graph *r) {
  sumi_tensor *t = sumi_tanh(r->g, r->pool[0]);
  sumi_tensor *flat = sumi_reshape(r->g, t, SUMI_SHAPE(6, 8));
  output(r, sumi_add(r->g, sumi_square(r->g, flat), sumi_slice(r->g, flat, 0, 2, 3)));
}
/* The chain may not write over what it reads a part of again and again. Large, so that it works in many pieces. */
static void part_of_itself(random_graph *r) {
  sumi_tensor *column = sumi_reshape(r->g, r->pool[0], SUMI_SHAPE(48, 1));
  sumi_tensor *t = sumi_tanh(r->g, sumi_broadcast(r->g, column, SUMI_SHAPE(48, 700)));
  sumi_tensor *whole = sumi_reshape(r->g, t, SUMI_SHAPE(4, 12, 700));
  output(r, sumi_add(r->g, sumi_square(r->g, whole), sumi_slice(r->g, t, 0, 0, 12)));
}
static void output_is_input(random_graph *r) {
  output(r, r->pool[0]);
  output(r, sumi_reshape(r->g, r->pool[0], SUMI_SHAPE(6, 8)));
  output(r, sumi_sin(r->g, r->pool[0]));
  output(r, r->outputs[2]);
}

/* Products (of the input a, 6 rows of 8, by a constant) and sums of them. */
static sumi_tensor *product(random_graph *r, float weight) {
  float values[64];
  for (int k = 0; k < 64; k++) values[k] = weight * (float)(k % 9 - 4) / 8.0f;
  return sumi_linear(r->g, r->pool[0], sumi_constant(r->g, SUMI_F32, SUMI_SHAPE(8, 8), values), NULL);
}
static void product_and_residual(random_graph *r) { output(r, sumi_add(r->g, product(r, 1.0f), r->pool[0])); }
static void product_and_later(random_graph *r) { /* the addend is made after the product, which does not wait */
  sumi_tensor *y = product(r, 1.0f);
  sumi_tensor *c = sumi_softmax(r->g, r->pool[0], -1);
  output(r, sumi_tanh(r->g, sumi_add(r->g, c, y)));
}
static void product_and_earlier(random_graph *r) { /* as another shape, which is nobody else's */
  sumi_tensor *c = sumi_softmax(r->g, r->pool[0], -1), *y = product(r, 1.0f);
  sumi_tensor *sum = sumi_add(r->g, sumi_reshape(r->g, c, SUMI_SHAPE(6, 8)), sumi_reshape(r->g, y, SUMI_SHAPE(6, 8)));
  output(r, sumi_tanh(r->g, sum));
}
static void product_and_row(random_graph *r) { output(r, sumi_add(r->g, r->pool[1], product(r, 1.0f))); }
static void product_and_column(random_graph *r) { output(r, sumi_add(r->g, r->pool[3], product(r, 1.0f))); }
static void products_summed(random_graph *r) { /* each takes what was summed before it */
  sumi_tensor *sum = product(r, 1.0f);
  for (int i = 2; i < 4; i++) sum = sumi_add(r->g, sum, product(r, (float)i));
  output(r, sum);
}
static void product_and_chain(random_graph *r) { /* the addend is a chain that the sum belongs to */
  output(r, sumi_add(r->g, product(r, 1.0f), sumi_sin(r->g, sumi_tanh(r->g, r->pool[0]))));
}
static void product_of_its_addend(random_graph *r) { /* which the result must not be written over */
  float values[64];
  for (int k = 0; k < 64; k++) values[k] = (float)(k % 7 - 3) / 8.0f;
  sumi_tensor *h = sumi_softmax(r->g, r->pool[0], -1), *w = sumi_constant(r->g, SUMI_F32, SUMI_SHAPE(8, 8), values);
  output(r, sumi_square(r->g, sumi_add(r->g, h, sumi_linear(r->g, h, w, NULL))));
}
static void product_read_twice(random_graph *r) {
  sumi_tensor *y = product(r, 1.0f);
  output(r, sumi_add(r->g, y, sumi_softmax(r->g, y, -1)));
}
static void product_asked_for(random_graph *r) {
  sumi_tensor *y = product(r, 1.0f);
  output(r, y);
  output(r, sumi_add(r->g, y, r->pool[0]));
}
static void product_widened(random_graph *r) { /* the sum is of another size */
  sumi_tensor *column = sumi_slice(r->g, sumi_reshape(r->g, product(r, 1.0f), SUMI_SHAPE(2, 3, 8)), 1, 0, 1);
  output(r, sumi_add(r->g, column, r->pool[0]));
}

/* A picture (1, 2, 3, 8), and a convolution to five channels. */
static sumi_tensor *picture(random_graph *r) { return sumi_reshape(r->g, r->pool[0], SUMI_SHAPE(1, 2, 3, 8)); }
static sumi_tensor *convolution(random_graph *r, sumi_tensor *x, int pad_left) {
  const sumi_conv_options options = {.pad_top = 1, .pad_left = pad_left, .pad_bottom = 1, .pad_right = 1};
  float values[5 * 9 * 8];
  for (int k = 0; k < 5 * 9 * 8; k++) values[k] = (float)(k % 11 - 5) / 16.0f;
  return sumi_conv2d(r->g, x, sumi_constant(r->g, SUMI_F32, SUMI_SHAPE(5, 3, 3, 8), values),
                     sumi_constant(r->g, SUMI_F32, SUMI_SHAPE(5), values), &options);
}
static void upsampled(random_graph *r) { output(r, convolution(r, sumi_upsample_nearest(r->g, picture(r), 2, 2), 1)); }
static void upsampled_and_residual(random_graph *r) {
  sumi_tensor *c = sumi_softmax(r->g, sumi_broadcast(r->g, r->pool[0], SUMI_SHAPE(5, 2, 3, 8)), -1);
  sumi_tensor *y = convolution(r, sumi_upsample_nearest(r->g, picture(r), 2, 2), 1);
  c = sumi_slice(r->g, sumi_reshape(r->g, c, SUMI_SHAPE(240)), 0, 0, 120);
  output(r, sumi_add(r->g, y, sumi_reshape(r->g, c, SUMI_SHAPE(1, 4, 6, 5))));
}
static void upsampled_asked_for(random_graph *r) {
  sumi_tensor *large = sumi_upsample_nearest(r->g, picture(r), 2, 2);
  output(r, large);
  output(r, convolution(r, large, 1));
}
static void upsampled_otherwise(random_graph *r) { /* by other factors, with other zeros around, or cut */
  output(r, convolution(r, sumi_upsample_nearest(r->g, picture(r), 2, 3), 1));
  output(r, convolution(r, sumi_upsample_nearest(r->g, picture(r), 2, 2), 2));
  output(r, convolution(r, sumi_slice(r->g, sumi_upsample_nearest(r->g, picture(r), 2, 2), 2, 0, 5), 1));
}
static void differentiate(random_graph *r, sumi_tensor *y) { /* of a sum in which every element counts differently */
  sumi_tensor *loss = sumi_sum_all(r->g, sumi_mul(r->g, y, sumi_sin(r->g, y)));
  output(r, y);
  assert_ok(r->g->ctx, sumi_grad(r->g, loss, 1, &r->pool[0], &r->outputs[r->n_outputs]));
  r->n_outputs++;
}
static void upsampled_with_gradient(random_graph *r) {
  differentiate(r, convolution(r, sumi_upsample_nearest(r->g, picture(r), 2, 2), 1));
}
static sumi_tensor *gated(random_graph *r, sumi_tensor *y) { return sumi_geglu(r->g, y); }
static void product_and_geglu(random_graph *r) { output(r, gated(r, product(r, 1.0f))); }
static void product_and_geglu_asked_for(random_graph *r) {
  sumi_tensor *y = product(r, 1.0f);
  output(r, y);
  output(r, gated(r, y));
}
static void product_and_geglu_otherwise(random_graph *r) { /* of other halves than the product's; read twice */
  output(r, gated(r, sumi_reshape(r->g, product(r, 1.0f), SUMI_SHAPE(12, 4))));
  sumi_tensor *y = product(r, 2.0f);
  output(r, gated(r, y));
  output(r, sumi_softmax(r->g, y, -1));
}
static void product_and_geglu_with_gradient(random_graph *r) { differentiate(r, gated(r, product(r, 1.0f))); }

static const chosen graphs[] = {
    {"straight", straight, 1},
    {"diamond", diamond, 1},
    {"deep diamonds", deep_diamonds, 1},
    {"the same operand twice", same_twice, 1},
    {"a load repeated", repeated_load, 3},
    {"read elsewhere", read_elsewhere, 3},
    {"asked for", asked_for, 2},
    {"narrow, then wide", narrow_then_wide, 2},
    {"longer than a chain", longer_than_a_chain, 2},
    {"wider than a chain", wider_than_a_chain, 0},
    {"through views", through_views, 2},
    {"part of itself", part_of_itself, 2},
    {"output is input", output_is_input, 1},
    {"a product and a residual", product_and_residual, 1},
    {"a product and what comes later", product_and_later, 3},
    {"a product and what comes earlier", product_and_earlier, 3},
    {"a product and a row", product_and_row, 1},
    {"a product and a column", product_and_column, 2},
    {"products summed", products_summed, 3},
    {"a product and a chain", product_and_chain, 2},
    {"a product of its addend", product_of_its_addend, 3},
    {"a product read twice", product_read_twice, 3},
    {"a product that is asked for", product_asked_for, 2},
    {"a product that is widened", product_widened, 0},
    {"upsampled", upsampled, 1},
    {"upsampled, and a residual", upsampled_and_residual, 0},
    {"upsampled, and asked for", upsampled_asked_for, 2},
    {"upsampled otherwise", upsampled_otherwise, 7},
    {"upsampled, with a gradient", upsampled_with_gradient, 0},
    {"a product and geglu", product_and_geglu, 1},
    {"a product and geglu, asked for", product_and_geglu_asked_for, 2},
    {"a product and geglu otherwise", product_and_geglu_otherwise, 5},
    {"a product and geglu, with a gradient", product_and_geglu_with_gradient, 0},
};

static void chosen_graphs(void **state) {
  sumi_context *ctx = *state;
  sumi_backend *backend = NULL;
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
    sumi_graph *g = NULL;
    random_graph r;
    assert_ok(ctx, sumi_graph_create(ctx, &g));
    random_graph_make(&r, g, 1, 0, false); /* the inputs alone */
    r.n_outputs = 0;
    graphs[i].build(&r);
    assert_ok(ctx, sumi_graph_status(g));
    sumi_program *fused = compile(backend, g, r.n_outputs, r.outputs, false);
    sumi_program *plain = compile(backend, g, r.n_outputs, r.outputs, true);
    if (graphs[i].steps && (int)fused->n_steps != graphs[i].steps)
      fail_msg("%s: %d steps, expected %d", graphs[i].name, (int)fused->n_steps, graphs[i].steps);
    assert_int_equal(count_ops(plain, "fused"), 0);
    run_and_compare(&r, fused, plain, 1e-5, graphs[i].name);
    sumi_program_free(fused);
    sumi_program_free(plain);
    sumi_graph_free(g);
  }
  sumi_backend_free(backend);
}

/* What the compiler makes of two operators means the same without any kernel. */
static const sumi__kernel *const *no_kernels(const sumi_backend *backend, const sumi__op *op) {
  static const sumi__kernel *const none[] = {NULL};
  (void)backend;
  (void)op;
  return none;
}

static void absorbed_by_reference(void **state) {
  static const struct {
    void (*build)(random_graph *r);
    const char *op;
  } made[] = {{upsampled, "conv2d_upsampled"}, {product_and_geglu, "matmul_geglu"}};
  sumi_context *ctx = *state;
  sumi_backend bare = {.ctx = ctx, .name = "bare", .kernels = no_kernels, .fuses = true};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
    sumi_graph *g = NULL;
    random_graph r;
    assert_ok(ctx, sumi_graph_create(ctx, &g));
    random_graph_make(&r, g, 1, 0, false);
    r.n_outputs = 0;
    made[i].build(&r);
    sumi_program *fused = compile(&bare, g, r.n_outputs, r.outputs, false);
    sumi_program *plain = compile(&bare, g, r.n_outputs, r.outputs, true);
    assert_int_equal(count_ops(fused, made[i].op), 1);
    assert_int_equal(count_ops(plain, made[i].op), 0);
    run_and_compare(&r, fused, plain, 1e-6, made[i].op);
    sumi_program_free(fused);
    sumi_program_free(plain);
    sumi_graph_free(g);
  }
}

/* Where bf16 is multiplied by tiles, the plain algorithm is the faster one. */
static void upsampled_where_there_are_tiles(void **state) {
  sumi_context *ctx = *state;
  const bool has = ctx->tiles;
  sumi_backend *backend = NULL;
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  for (int i = 0; i < 4; i++) {
    const bool bf16 = i % 2;
    sumi_graph *g = NULL;
    random_graph r;
    ctx->tiles = i / 2;
    assert_ok(ctx, sumi_graph_create(ctx, &g));
    sumi_graph_set_compute(g, bf16 ? SUMI_BF16 : SUMI_F32);
    random_graph_make(&r, g, 1, 0, false);
    r.n_outputs = 0;
    sumi_tensor *x = sumi_cast(g, picture(&r), bf16 ? SUMI_BF16 : SUMI_F32);
    output(&r, convolution(&r, sumi_upsample_nearest(g, x, 2, 2), 1));
    sumi_program *p = compile(backend, g, r.n_outputs, r.outputs, false);
    assert_int_equal(count_ops(p, "conv2d_upsampled"), !(bf16 && ctx->tiles));
    sumi_program_free(p);
    sumi_graph_free(g);
  }
  ctx->tiles = has;
  sumi_backend_free(backend);
}

/* A chain of residuals needs room for two values at a time: each sum lies where the one before it lay. */
static void residuals_take_over(void **state) {
  sumi_context *ctx = *state;
  sumi_backend *backend = NULL;
  sumi_graph *g = NULL;
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  assert_ok(ctx, sumi_graph_create(ctx, &g));
  sumi_tensor *w = sumi_input(g, "w", SUMI_F32, SUMI_SHAPE(64, 64));
  sumi_tensor *h = sumi_softmax(g, sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(64, 64)), -1);
  for (int i = 0; i < 4; i++) h = sumi_add(g, h, sumi_linear(g, sumi_softmax(g, h, -1), w, NULL));
  h = sumi_softmax(g, h, -1);
  sumi_program *p = compile(backend, g, 1, &h, false);
  assert_int_equal(p->info.arena_bytes, 2 * 64 * 64 * sizeof(float));
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_backend_free(backend);
}

/* ---- Any graph ---- */

static void random_graphs(sumi_context *ctx, bool bf16, bool gradients, double tolerance) {
  sumi_backend *backend = NULL;
  int chains = 0;
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  for (uint32_t seed = 1; seed <= 200; seed++) {
    sumi_graph *g = NULL;
    random_graph r;
    char what[64];
    snprintf(what, sizeof what, "random graph %u", seed);
    assert_ok(ctx, sumi_graph_create(ctx, &g));
    random_graph_make(&r, g, seed, 10 + (int)(seed % 40), bf16);
    assert_ok(ctx, sumi_graph_status(g));
    if (gradients) assert_ok(ctx, random_graph_differentiate(&r));
    sumi_program *fused = compile(backend, g, r.n_outputs, r.outputs, false);
    sumi_program *plain = compile(backend, g, r.n_outputs, r.outputs, true);
    chains += count_ops(fused, "fused");
    assert_true(fused->n_steps <= plain->n_steps);
    run_and_compare(&r, fused, plain, tolerance, what);
    sumi_program_free(fused);
    sumi_program_free(plain);
    sumi_graph_free(g);
  }
  assert_true(chains > 200);
  sumi_backend_free(backend);
}

static void random_forward(void **state) { random_graphs(*state, false, false, 1e-5); }
/* Where a maximum's operands tie but for the last bit, its gradient goes either way; none of these graphs has that. */
static void random_backward(void **state) { random_graphs(*state, false, true, 1e-4); }
/* A chain keeps f32 where operators one by one round to 8 bits each time. */
static void random_bf16(void **state) { random_graphs(*state, true, false, 0.1); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chosen_graphs),
      cmocka_unit_test(absorbed_by_reference),
      cmocka_unit_test(upsampled_where_there_are_tiles),
      cmocka_unit_test(residuals_take_over),
      cmocka_unit_test(random_forward),
      cmocka_unit_test(random_backward),
      cmocka_unit_test(random_bf16),
  };
  return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
