/* Parameters that stay in a file's order and type: they give what copies of them give, are packed once for all programs
 * of a set, also from several threads, and come again for every run where a program is not frozen. */
#include "support.h"

#include "tensor/weights.h"

#include <pthread.h>
#include <string.h>

enum { IN = 20, OUT = 33, SIDE = 9, HIDDEN = 40, RESULTS = HIDDEN };

/* O, I, H, W and O, I as in a file, at an odd address. */
typedef struct file {
  uint8_t bytes[2 * (OUT * IN * 9 + HIDDEN * OUT + OUT) + 1];
} file;

static const uint8_t *conv_of(const file *f) { return f->bytes + 1; }
static const uint8_t *linear_of(const file *f) { return conv_of(f) + 2 * OUT * IN * 9; }
static const uint8_t *bias_of(const file *f) { return linear_of(f) + 2 * HIDDEN * OUT; }

static void fill(file *f, sumi_dtype dtype) {
  uint32_t r = 7;
  for (size_t i = 0; i < sizeof f->bytes / 2; i++) {
    r = r * 1664525u + 1013904223u;
    const float x = ((float)(r >> 8) * 0x1p-24f - 0.5f) * 0.5f;
    uint16_t h;
    sumi__from_f32(&h, dtype, &x, 1);
    memcpy(f->bytes + 1 + 2 * i, &h, 2);
  }
}

static sumi_weights *lent(sumi_context *ctx, const file *f, sumi_dtype dtype) {
  sumi_weights *w;
  assert_int_equal(sumi_weights_create(ctx, &w), SUMI_OK);
  const sumi_shape conv = SUMI_SHAPE(OUT, 3, 3, IN), linear = SUMI_SHAPE(HIDDEN, OUT), bias = SUMI_SHAPE(OUT);
  assert_int_equal(sumi__weights_lend(w, "conv", dtype, conv_of(f), false, conv, SUMI__LAYOUT_CONV), SUMI_OK);
  assert_int_equal(sumi__weights_lend(w, "linear", dtype, linear_of(f), false, linear, SUMI__LAYOUT_PLAIN), SUMI_OK);
  assert_int_equal(sumi__weights_lend(w, "bias", dtype, bias_of(f), false, bias, SUMI__LAYOUT_PLAIN), SUMI_OK);
  return w;
}

/* The same numbers as f32 in the set's own memory. */
static sumi_weights *owned(sumi_context *ctx, const file *f, sumi_dtype dtype) {
  static const struct {
    const char *name;
    const uint8_t *(*values)(const file *f);
    sumi__layout layout;
    int rank;
    int64_t dims[4];
  } members[] = {{"conv", conv_of, SUMI__LAYOUT_CONV, 4, {OUT, 3, 3, IN}},
                 {"linear", linear_of, SUMI__LAYOUT_PLAIN, 2, {HIDDEN, OUT}},
                 {"bias", bias_of, SUMI__LAYOUT_PLAIN, 1, {OUT}}};
  sumi_weights *w;
  assert_int_equal(sumi_weights_create(ctx, &w), SUMI_OK);
  for (size_t k = 0; k < 3; k++) {
    sumi__weight *m;
    const sumi_shape shape = sumi_shape_make(members[k].rank, members[k].dims);
    assert_int_equal(sumi__weights_add(w, members[k].name, SUMI_F32, shape, members[k].layout, true, &m), SUMI_OK);
    static float values[OUT * IN * 9];
    static uint16_t aligned[OUT * IN * 9];
    const int64_t count = sumi_shape_count(&shape);
    memcpy(aligned, members[k].values(f), 2 * (size_t)count);
    sumi__to_f32(values, aligned, dtype, count);
    sumi__weight_from_file_order(m, m->data, values);
  }
  return w;
}

typedef struct outcome {
  float results[4 * RESULTS];
  size_t packed_bytes; /* as the program has it, and as the set has it */
  size_t set_bytes;
} outcome;

static sumi_program *compile(sumi_backend *backend, sumi_context *ctx, sumi_weights *w, int64_t n, sumi_dtype compute,
                             bool frozen, sumi_tensor **x, sumi_tensor **y, sumi_graph **g) {
  sumi_program *p = NULL;
  assert_int_equal(sumi_graph_create(ctx, g), SUMI_OK);
  sumi_graph_set_compute(*g, compute);
  *x = sumi_input(*g, "x", SUMI_F32, SUMI_SHAPE(n, SIDE, SIDE, IN));
  const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  sumi_tensor *h = sumi_conv2d(*g, *x, sumi_param(*g, w, "conv"), sumi_param(*g, w, "bias"), &same);
  h = sumi_linear(*g, sumi_silu(*g, h), sumi_param(*g, w, "linear"), NULL);
  *y = sumi_mean(*g, h, 2, (int[]){1, 2}, false);
  assert_int_equal(sumi_compile(backend, *g, 1, y, &(sumi_compile_options){.frozen = frozen}, &p), SUMI_OK);
  return p;
}

static void evaluate(sumi_program *p, const sumi_tensor *x, const sumi_tensor *y, int64_t n, outcome *out) {
  float *values = sumi_data(p, x);
  for (int64_t i = 0; i < n * SIDE * SIDE * IN; i++) values[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
  for (int run = 0; run < 2; run++) assert_int_equal(sumi_run(p), SUMI_OK);
  assert_int_equal(sumi_get(p, y, out->results), SUMI_OK);
  out->packed_bytes = sumi_program_describe(p).packed_bytes;
}

static void run(sumi_context *ctx, sumi_weights *w, int64_t n, sumi_dtype compute, bool frozen, outcome *out) {
  sumi_backend *backend;
  sumi_graph *g;
  sumi_tensor *x, *y;
  assert_int_equal(sumi_backend_cpu(ctx, &backend), SUMI_OK);
  sumi_program *p = compile(backend, ctx, w, n, compute, frozen, &x, &y, &g);
  evaluate(p, x, y, n, out);
  out->set_bytes = sumi__weights_packed_bytes(w);
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_backend_free(backend);
}

static void gives_what_copies_give(void **state) {
  sumi_context *ctx = *state;
  const sumi_dtype types[] = {SUMI_F16, SUMI_BF16}, computes[] = {SUMI_F32, SUMI_BF16};
  for (int k = 0; k < 8; k++) {
    static file f;
    static outcome a, b;
    const sumi_dtype type = types[k & 1], compute = computes[k >> 1 & 1];
    const bool frozen = k >> 2;
    fill(&f, type);
    sumi_weights *from_file = lent(ctx, &f, type), *copies = owned(ctx, &f, type);
    run(ctx, from_file, 2, compute, frozen, &a);
    run(ctx, copies, 2, compute, frozen, &b);
    assert_memory_equal(a.results, b.results, 2 * RESULTS * sizeof(float));
    assert_int_equal(a.packed_bytes, b.packed_bytes);
    assert_int_equal(sumi__weights_packed_bytes(from_file), 0);
    sumi_weights_free(from_file);
    sumi_weights_free(copies);
  }
}

static void programs_share_what_is_packed(void **state) {
  sumi_context *ctx = *state;
  static file f;
  static outcome a, b;
  sumi_backend *backend;
  sumi_graph *g[2];
  sumi_tensor *x[2], *y[2];
  fill(&f, SUMI_F16);
  sumi_weights *w = lent(ctx, &f, SUMI_F16);
  assert_int_equal(sumi_backend_cpu(ctx, &backend), SUMI_OK);
  sumi_program *first = compile(backend, ctx, w, 4, SUMI_F32, true, &x[0], &y[0], &g[0]);
  const size_t once = sumi__weights_packed_bytes(w);
  assert_true(once > 0);
  sumi_program *second = compile(backend, ctx, w, 4, SUMI_F32, true, &x[1], &y[1], &g[1]);
  assert_int_equal(sumi__weights_packed_bytes(w), once);
  sumi_program_free(first); /* the other one keeps them */
  evaluate(second, x[1], y[1], 4, &a);
  assert_int_equal(sumi__weights_packed_bytes(w), once);
  sumi_program_free(second);
  run(ctx, w, 4, SUMI_F32, true, &b);
  assert_memory_equal(a.results, b.results, sizeof a.results);
  for (int k = 0; k < 2; k++) sumi_graph_free(g[k]);
  sumi_backend_free(backend);
  sumi_weights_free(w);
}

/* ---- Packed straight from the file ---- */

/* A layer whose weight is (rows, channels, taps) in the file. */
typedef struct layer {
  int rows, channels, side, stride; /* of the kernel; 0: a matrix */
  int pixels;                       /* along each side of the input */
  bool more;                        /* a picture is upsampled before; of a product there is a geglu */
} layer;

enum { MOST_VALUES = 96 * 40 * 9, MOST_RESULTS = 96 * 24 * 24 };

static int64_t values_of(const layer *l) { return (int64_t)l->rows * l->channels * (l->side ? l->side * l->side : 1); }

/* In the file's type, at an odd address; some are subnormal, and some exactly between two bf16. */
static void fill_layer(uint8_t *bytes, int64_t count, sumi_dtype dtype) {
  uint32_t r = 11;
  for (int64_t i = 0; i < count; i++) {
    r = r * 1664525u + 1013904223u;
    float x = ((float)(r >> 8) * 0x1p-24f - 0.5f) * 0.5f;
    if (i % 97 == 5) x *= 0x1p-126f;
    if (i % 89 == 7) x = 1.0f + 0x1p-8f + (float)(r >> 31) * 0x1p-7f;
    uint64_t value;
    sumi__from_f32(&value, dtype, &x, 1);
    memcpy(bytes + (size_t)i * sumi_dtype_bytes(dtype), &value, sumi_dtype_bytes(dtype));
  }
}

/* The layer's result, with its weight lent, or copied. */
static void run_layer(sumi_context *ctx, const layer *l, const uint8_t *bytes, sumi_dtype type, sumi_dtype compute,
                      bool lends, float *out) {
  static float x[40 * 24 * 24], values[MOST_VALUES];
  static uint64_t aligned[MOST_VALUES / 2];
  const int64_t side = l->side, pixels = l->pixels, count = values_of(l);
  const sumi_shape shape = side ? SUMI_SHAPE(l->rows, side, side, l->channels) : SUMI_SHAPE(l->rows, l->channels);
  const sumi__layout layout = side ? SUMI__LAYOUT_CONV : SUMI__LAYOUT_PLAIN;
  const int pad = l->side / 2;
  const sumi_conv_options how = {.stride_h = l->stride,
                                 .stride_w = l->stride,
                                 .pad_top = pad,
                                 .pad_left = pad,
                                 .pad_bottom = pad,
                                 .pad_right = pad};
  sumi_backend *backend;
  sumi_weights *w;
  sumi__weight *m;
  sumi_graph *g;
  sumi_program *p;
  assert_int_equal(sumi_weights_create(ctx, &w), SUMI_OK);
  if (lends) {
    assert_int_equal(sumi__weights_lend(w, "w", type, bytes, false, shape, layout), SUMI_OK);
  } else {
    memcpy(aligned, bytes, (size_t)count * sumi_dtype_bytes(type));
    sumi__to_f32(values, aligned, type, count);
    assert_int_equal(sumi__weights_add(w, "w", SUMI_F32, shape, layout, true, &m), SUMI_OK);
    sumi__weight_from_file_order(m, m->data, values);
  }
  assert_int_equal(sumi_backend_cpu(ctx, &backend), SUMI_OK);
  assert_int_equal(sumi_graph_create(ctx, &g), SUMI_OK);
  sumi_graph_set_compute(g, compute);
  sumi_tensor *in = sumi_input(
      g, "x", SUMI_F32, side ? SUMI_SHAPE(1, pixels, pixels, l->channels) : SUMI_SHAPE(pixels * pixels, l->channels));
  sumi_tensor *weight = sumi_param(g, w, "w"), *a = in;
  if (side && l->more) a = sumi_upsample_nearest(g, sumi_cast(g, in, compute), 2, 2);
  sumi_tensor *y = side ? sumi_conv2d(g, a, weight, NULL, &how) : sumi_linear(g, a, weight, NULL);
  if (!side && l->more) y = sumi_geglu(g, y);
  y = sumi_cast(g, y, SUMI_F32);
  assert_int_equal(sumi_compile(backend, g, 1, &y, &(sumi_compile_options){.frozen = true}, &p), SUMI_OK);
  for (int64_t i = 0; i < pixels * pixels * l->channels; i++) x[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
  assert_int_equal(sumi_set(p, in, x), SUMI_OK);
  assert_int_equal(sumi_run(p), SUMI_OK);
  assert_int_equal(sumi_get(p, y, out), SUMI_OK);
  sumi_program_free(p);
  sumi_graph_free(g);
  sumi_backend_free(backend);
  sumi_weights_free(w);
}

/* Layouts of oneDNN's and of Winograd's, sizes that fill no vector or block, and every type, instruction set by
 * instruction set: to the bit what a copy gives that was converted and reordered before it was packed. */
static void any_layer_comes_straight_from_the_file(void **state) {
  static const layer layers[] = {{33, 20, 3, 1, 24, false}, {96, 40, 3, 1, 8, false}, {64, 32, 3, 2, 12, false},
                                 {70, 36, 1, 1, 9, false},  {20, 10, 5, 1, 9, false}, {5, 3, 3, 1, 16, false},
                                 {96, 72, 0, 0, 7, false},  {50, 33, 0, 0, 9, false}, {33, 20, 3, 1, 12, true},
                                 {96, 40, 3, 1, 5, true},   {96, 72, 0, 0, 7, true},  {50, 33, 0, 0, 9, true}};
  static const struct {
    const char *isa;
    sumi_winograd winograd;
  } sets[] = {{NULL, SUMI_WINOGRAD_DEFAULT},
              {NULL, SUMI_WINOGRAD_FAST},
              {"avx512", SUMI_WINOGRAD_DEFAULT},
              {"avx2", SUMI_WINOGRAD_DEFAULT},
              {"generic", SUMI_WINOGRAD_DEFAULT}};
  static const sumi_dtype types[] = {SUMI_F32, SUMI_BF16, SUMI_F16};
  static uint8_t bytes[4 * MOST_VALUES + 1];
  static float lent_result[MOST_RESULTS], copied[MOST_RESULTS];
  (void)state;
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    sumi_context *ctx = NULL;
    const sumi_context_options options = {.max_isa = sets[i].isa, .winograd = sets[i].winograd};
    if (sumi_context_create(&options, &ctx) != SUMI_OK) continue; /* the processor has no such instructions */
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++)
      for (int type = 0; type < 3; type++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
          const sumi_dtype compute = bf16 ? SUMI_BF16 : SUMI_F32;
          fill_layer(bytes + 1, values_of(&layers[k]), types[type]);
          memset(lent_result, 0, sizeof lent_result);
          memset(copied, 0, sizeof copied);
          run_layer(ctx, &layers[k], bytes + 1, types[type], compute, true, lent_result);
          run_layer(ctx, &layers[k], bytes + 1, types[type], compute, false, copied);
          assert_memory_equal(lent_result, copied, sizeof copied);
        }
    sumi_context_free(ctx);
  }
}

/* ---- What is kept, and what comes again in each run ---- */

enum { WIDTH = 256, ROWS_OF_X = 40 };

/* x through four matrices and a bias that lie in a file. */
typedef struct chain {
  uint16_t file[4 * WIDTH * WIDTH + WIDTH];
  sumi_weights *weights;
  sumi_backend *backend;
} chain;

static void chain_open(chain *c, sumi_context *ctx) {
  const sumi_shape shape = SUMI_SHAPE(WIDTH, WIDTH), bias = SUMI_SHAPE(WIDTH);
  for (int i = 0; i < 4 * WIDTH * WIDTH + WIDTH; i++) {
    const float value = ((float)(i * 29 % 97) / 48.0f - 1.0f) / 8.0f;
    sumi__from_f32(&c->file[i], SUMI_F16, &value, 1);
  }
  assert_int_equal(sumi_weights_create(ctx, &c->weights), SUMI_OK);
  assert_int_equal(sumi_backend_cpu(ctx, &c->backend), SUMI_OK);
  for (int k = 0; k < 5; k++)
    assert_int_equal(sumi__weights_lend(c->weights, (const char *[]){"0", "1", "2", "3", "bias"}[k], SUMI_F16,
                                        c->file + k * WIDTH * WIDTH, false, k < 4 ? shape : bias, SUMI__LAYOUT_PLAIN),
                     SUMI_OK);
}

static void chain_close(chain *c) {
  sumi_weights_free(c->weights);
  sumi_backend_free(c->backend);
}

/* Compiled with so much room for parameters; `out` takes the result of a second run. */
static sumi_program_info chain_run(chain *c, sumi_context *ctx, size_t room, float *out, sumi_program **kept) {
  sumi_graph *g;
  sumi_program *p;
  assert_int_equal(sumi_graph_create(ctx, &g), SUMI_OK);
  sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(ROWS_OF_X, WIDTH)), *y = x;
  for (int k = 0; k < 4; k++)
    y = sumi_linear(g, y, sumi_param(g, c->weights, (const char *[]){"0", "1", "2", "3"}[k]),
                    k == 3 ? sumi_param(g, c->weights, "bias") : NULL);
  const sumi_compile_options how = {.frozen = true, .max_weight_bytes = room};
  assert_int_equal(sumi_compile(c->backend, g, 1, &y, &how, &p), SUMI_OK);
  float *values = sumi_data(p, x);
  for (int i = 0; i < ROWS_OF_X * WIDTH; i++) values[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
  for (int run = 0; run < 2; run++) assert_int_equal(sumi_run(p), SUMI_OK);
  assert_int_equal(sumi_get(p, y, out), SUMI_OK);
  const sumi_program_info info = sumi_program_describe(p);
  if (kept)
    *kept = p;
  else
    sumi_program_free(p);
  sumi_graph_free(g);
  return info;
}

/* However little room there is, the result is the same, and what is kept fits. */
static void parameters_keep_to_their_room(void **state) {
  static float whole[ROWS_OF_X * WIDTH], part[ROWS_OF_X * WIDTH];
  static chain c;
  const size_t matrix = sizeof(float) * WIDTH * WIDTH, small = sizeof(float) * WIDTH;
  chain_open(&c, *state);
  sumi_program_info info = chain_run(&c, *state, 0, whole, NULL);
  assert_int_equal(info.lent_bytes, sizeof c.file);
  assert_int_equal(info.packed_bytes + info.fixed_bytes, 4 * matrix + small);
  assert_int_equal(info.input_bytes, sizeof whole);
  assert_int_equal(info.streamed_bytes, 0);
  for (size_t n = 0; n < 4; n++) {
    info = chain_run(&c, *state, n * matrix + small, part, NULL);
    assert_int_equal(info.packed_bytes + info.fixed_bytes, n * matrix + small);
    assert_int_equal(info.streamed_bytes, (4 - n) * matrix / 2);
    assert_memory_equal(whole, part, sizeof whole);
  }
  assert_int_equal(sumi__weights_packed_bytes(c.weights), 0);
  chain_close(&c);
}

/* What one program has packed, another one takes without reading the file: values that are changed there (which
 * nobody may do) go unseen. Biases, which are not packed, are shared as well. */
static void packed_parameters_are_not_read_again(void **state) {
  static float first[ROWS_OF_X * WIDTH], second[ROWS_OF_X * WIDTH];
  static chain c;
  sumi_program *p;
  chain_open(&c, *state);
  const sumi_program_info info = chain_run(&c, *state, 0, first, &p);
  const size_t bytes = sumi__weights_packed_bytes(c.weights);
  assert_int_equal(bytes, info.packed_bytes + info.fixed_bytes);
  memset(c.file, 0, sizeof c.file);
  chain_run(&c, *state, 0, second, NULL);
  assert_memory_equal(first, second, sizeof first);
  assert_int_equal(sumi__weights_packed_bytes(c.weights), bytes);
  sumi_program_free(p);
  assert_int_equal(sumi__weights_packed_bytes(c.weights), 0);
  chain_close(&c);
}

/* A square matrix and its transpose are packed from the same bytes, into layouts that look the same. */
static void both_ways_through_a_square(void **state) {
  enum { SIDES = 48, ROWS = 40 };
  sumi_context *ctx = *state;
  static float matrix[SIDES * SIDES], x[ROWS * SIDES], results[2][ROWS * SIDES];
  sumi_backend *backend;
  for (int i = 0; i < SIDES * SIDES; i++) matrix[i] = (float)(i * 29 % 97) / 48.0f - 1.0f;
  for (int i = 0; i < ROWS * SIDES; i++) x[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
  assert_int_equal(sumi_backend_cpu(ctx, &backend), SUMI_OK);
  for (int reference = 0; reference < 2; reference++) {
    sumi_weights *w;
    sumi_graph *g;
    sumi_program *p;
    const sumi_shape shape = SUMI_SHAPE(SIDES, SIDES);
    assert_int_equal(sumi_weights_create(ctx, &w), SUMI_OK);
    assert_int_equal(sumi__weights_lend(w, "w", SUMI_F32, matrix, false, shape, SUMI__LAYOUT_PLAIN), SUMI_OK);
    assert_int_equal(sumi_graph_create(ctx, &g), SUMI_OK);
    sumi_tensor *in = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(ROWS, SIDES)), *m = sumi_param(g, w, "w");
    sumi_tensor *out = sumi_sub(g, sumi_linear(g, in, m, NULL), sumi_matmul(g, in, m, false, false, NULL));
    const sumi_compile_options how = {.frozen = true, .reference = reference == 1};
    assert_int_equal(sumi_compile(backend, g, 1, &out, &how, &p), SUMI_OK);
    assert_int_equal(sumi_set(p, in, x), SUMI_OK);
    assert_int_equal(sumi_run(p), SUMI_OK);
    assert_int_equal(sumi_get(p, out, results[reference]), SUMI_OK);
    sumi_program_free(p);
    sumi_graph_free(g);
    sumi_weights_free(w);
  }
  for (int i = 0; i < ROWS * SIDES; i++) assert_float_equal(results[0][i], results[1][i], 1e-3f);
  sumi_backend_free(backend);
}

/* ---- Threads ---- */

typedef struct session {
  sumi_weights *weights;
  outcome result;
} session;

static void *one_session(void *arg) {
  session *s = arg;
  sumi_context *ctx = NULL;
  if (sumi_context_create(&(sumi_context_options){.threads = 1}, &ctx) != SUMI_OK) return NULL;
  for (int round = 0; round < 3; round++) run(ctx, s->weights, 2, SUMI_BF16, true, &s->result);
  sumi_context_free(ctx);
  return s;
}

static void threads_share_a_set(void **state) {
  sumi_context *ctx = *state;
  static file f;
  static session sessions[2];
  pthread_t threads[2];
  fill(&f, SUMI_BF16);
  sumi_weights *w = lent(ctx, &f, SUMI_BF16);
  for (int k = 0; k < 2; k++) {
    sessions[k].weights = w;
    assert_int_equal(pthread_create(&threads[k], NULL, one_session, &sessions[k]), 0);
  }
  for (int k = 0; k < 2; k++) {
    void *done;
    pthread_join(threads[k], &done);
    assert_non_null(done);
  }
  assert_memory_equal(sessions[0].result.results, sessions[1].result.results, 2 * RESULTS * sizeof(float));
  sumi_weights_free(w);
}

static void other_types_are_refused(void **state) {
  sumi_context *ctx = *state;
  sumi_weights *w;
  const int64_t values[2] = {0};
  assert_int_equal(sumi_weights_create(ctx, &w), SUMI_OK);
  const sumi_status status = sumi__weights_lend(w, "a", SUMI_I64, values, false, SUMI_SHAPE(2), SUMI__LAYOUT_PLAIN);
  assert_int_equal(status, SUMI_INVALID);
  assert_non_null(strstr(sumi_context_error(ctx), "a i64 tensor cannot be lent"));
  sumi_weights_free(w);
}

static int setup(void **state) { return sumi_context_create(NULL, (sumi_context **)state) != SUMI_OK; }
static int teardown(void **state) {
  sumi_context_free(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(gives_what_copies_give, setup, teardown),
      cmocka_unit_test(any_layer_comes_straight_from_the_file),
      cmocka_unit_test_setup_teardown(programs_share_what_is_packed, setup, teardown),
      cmocka_unit_test_setup_teardown(parameters_keep_to_their_room, setup, teardown),
      cmocka_unit_test_setup_teardown(packed_parameters_are_not_read_again, setup, teardown),
      cmocka_unit_test_setup_teardown(both_ways_through_a_square, setup, teardown),
      cmocka_unit_test_setup_teardown(threads_share_a_set, setup, teardown),
      cmocka_unit_test_setup_teardown(other_types_are_refused, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
