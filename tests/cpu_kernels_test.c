/* The CPU's own kernels against the naive ones, on random shapes. */
#include "cpu_compare.h"

#include "ops/ops.h"

static uint32_t start(uint32_t seed) {
  uint32_t r = seed * 747796405u + 1u;
  for (int k = 0; k < 8; k++) compare_next(&r);
  return r;
}

static sumi_dtype any_float(uint32_t *r) {
  static const sumi_dtype types[] = {SUMI_F32, SUMI_F32, SUMI_BF16, SUMI_F16};
  return types[compare_below(r, 4)];
}

static sumi_shape any_shape(uint32_t *r, int rank, int64_t most) {
  static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 10, 16, 17, 25, 32, 33, 64, 100, 128, 130, 256, 700, 1500, 9000};
  sumi_shape shape;
  do {
    shape = sumi_shape_make(rank, (int64_t[]){1, 1, 1, 1, 1, 1});
    for (int d = 0; d < rank; d++) shape.dims[d] = sizes[compare_below(r, 20)];
  } while (sumi_shape_count(&shape) > most);
  return shape;
}

static void build_reduce(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  int axes[SUMI_MAX_RANK], n = 0;
  const sumi_shape shape = any_shape(&r, compare_below(&r, 6), 100000);
  for (int d = 0; d < shape.rank; d++)
    if (compare_below(&r, 2)) axes[n++] = d;
  sumi_tensor *x = compare_input(c, any_float(&r), shape, 1.0f, 0.3f);
  const bool keep = compare_below(&r, 2);
  c->outputs[c->n_outputs++] = arg ? sumi_max(c->g, x, n, axes, keep) : sumi_sum(c->g, x, n, axes, keep);
}

static void test_reductions(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 150; seed++) {
    compare_all("sum", seed, build_reduce, NULL, 2e-5, 2e-6);
    compare_all("max", seed, build_reduce, "", 0.0, 0.0);
  }
}

/* ---- Values that move ---- */

static sumi_dtype any_type(uint32_t *r) {
  static const sumi_dtype types[] = {SUMI_F32, SUMI_BF16, SUMI_F16, SUMI_U8, SUMI_I64};
  return types[compare_below(r, 5)];
}

static void build_permute(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  int axes[SUMI_MAX_RANK] = {0, 1, 2, 3, 4, 5};
  const sumi_shape shape = any_shape(&r, 1 + compare_below(&r, 5), 50000);
  (void)arg;
  for (int d = shape.rank - 1; d > 0; d--) {
    const int other = compare_below(&r, d + 1), axis = axes[d];
    axes[d] = axes[other];
    axes[other] = axis;
  }
  c->outputs[c->n_outputs++] = sumi_permute(c->g, compare_input(c, any_type(&r), shape, 20.0f, 0.0f), axes);
}

static void build_concat(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  sumi_shape shape = any_shape(&r, 1 + compare_below(&r, 4), 20000);
  const int n = 1 + compare_below(&r, 4), axis = compare_below(&r, shape.rank);
  const sumi_dtype dtype = any_type(&r);
  sumi_tensor *xs[4];
  (void)arg;
  for (int i = 0; i < n; i++) {
    shape.dims[axis] = 1 + compare_below(&r, 9);
    xs[i] = compare_input(c, dtype, shape, 20.0f, 0.0f);
  }
  c->outputs[c->n_outputs++] = sumi_concat(c->g, n, xs, axis);
}

static void build_slice_and_pad(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  const sumi_shape shape = any_shape(&r, 1 + compare_below(&r, 4), 20000);
  const int axis = compare_below(&r, shape.rank);
  const int64_t begin = compare_below(&r, (int)shape.dims[axis]);
  const int64_t end = begin + 1 + compare_below(&r, (int)(shape.dims[axis] - begin));
  int64_t before[SUMI_MAX_RANK] = {0}, after[SUMI_MAX_RANK] = {0};
  (void)arg;
  for (int d = 0; d < shape.rank; d++) {
    before[d] = compare_below(&r, 3);
    after[d] = compare_below(&r, 3);
  }
  sumi_tensor *x = compare_input(c, any_type(&r), shape, 20.0f, 0.0f);
  c->outputs[c->n_outputs++] = sumi_slice(c->g, x, axis, begin, end);
  c->outputs[c->n_outputs++] = sumi_pad(c->g, x, before, after);
}

static void build_embedding(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  const sumi_shape table = any_shape(&r, 2, 30000), places = any_shape(&r, compare_below(&r, 3), 40);
  sumi_tensor *w = compare_input(c, any_float(&r), table, 1.0f, 0.0f), *dw = NULL;
  sumi_tensor *ids = compare_indices(c, compare_below(&r, 2) ? SUMI_I32 : SUMI_I64, places, table.dims[0]);
  (void)arg;
  sumi_tensor *y = sumi_embedding(c->g, w, ids);
  sumi_grad(c->g, sumi_sum_all(c->g, sumi_square(c->g, sumi_cast(c->g, y, SUMI_F32))), 1, &w, &dw);
  c->outputs[c->n_outputs++] = y;
  c->outputs[c->n_outputs++] = dw;
}

static void test_movement(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 60; seed++) {
    compare_all("permute", seed, build_permute, NULL, 0.0, 0.0);
    compare_all("concat", seed, build_concat, NULL, 0.0, 0.0);
    compare_all("slice, pad", seed, build_slice_and_pad, NULL, 0.0, 0.0);
    compare_all("embedding", seed, build_embedding, NULL, 1e-5, 0x1p-7);
  }
}

/* ---- Rows ---- */

static void build_softmax(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  const sumi_shape shape = any_shape(&r, 1 + compare_below(&r, 4), 30000);
  sumi_tensor *x = compare_input(c, *(const sumi_dtype *)arg, shape, 3.0f, 50.0f);
  c->outputs[c->n_outputs++] = sumi_softmax(c->g, x, -1);
  c->outputs[c->n_outputs++] = sumi_log_softmax(c->g, x, -1);
}

static void build_cross_entropy(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  const sumi_shape shape = any_shape(&r, 2, 30000);
  sumi_tensor *x = compare_input(c, SUMI_F32, shape, 3.0f, 1.0f), *dx = NULL;
  sumi_tensor *labels = compare_indices(c, SUMI_I64, SUMI_SHAPE(shape.dims[0]), shape.dims[1]);
  (void)arg;
  sumi_tensor *loss = sumi_cross_entropy(c->g, x, labels, compare_below(&r, 2) ? 0.1f : 0.0f);
  sumi_grad(c->g, loss, 1, &x, &dx);
  c->outputs[c->n_outputs++] = loss;
  c->outputs[c->n_outputs++] = dx;
}

static void build_geglu(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  sumi_shape shape = any_shape(&r, 1 + compare_below(&r, 3), 10000);
  shape.dims[shape.rank - 1] *= 2;
  sumi_tensor *x = compare_input(c, *(const sumi_dtype *)arg, shape, 2.0f, 0.0f), *dx = NULL;
  sumi_tensor *y = sumi_geglu(c->g, x), *dy = compare_input(c, SUMI_F32, y->shape, 0.5f, 0.0f);
  sumi_grad(c->g, sumi_sum_all(c->g, sumi_mul(c->g, y, dy)), 1, &x, &dx); /* does not depend on how y is rounded */
  c->outputs[c->n_outputs++] = y;
  c->outputs[c->n_outputs++] = dx;
}

static void test_rows(void **state) {
  static const struct {
    sumi_dtype dtype;
    double relative;
  } types[] = {{SUMI_F32, 5e-6}, {SUMI_BF16, 0x1p-7}, {SUMI_F16, 0x1p-10}};
  (void)state;
  for (uint32_t seed = 1; seed <= 40; seed++) {
    for (int k = 0; k < 3; k++) {
      compare_all("softmax", seed, build_softmax, &types[k].dtype, 1e-6, types[k].relative);
      compare_all("geglu", seed, build_geglu, &types[k].dtype, k ? 0.02 : 2e-6, types[k].relative);
    }
    compare_all("cross-entropy", seed, build_cross_entropy, NULL, 2e-6, 5e-6);
  }
}

/* ---- Attention ---- */

static void build_attention(compare_graph *c, const void *arg) {
  static const int64_t lengths[] = {1, 2, 5, 16, 25, 33, 70, 150, 200, 430};
  static const int64_t widths[] = {1, 3, 8, 16, 20, 40, 64, 96, 128, 56};
  const sumi_dtype dtype = *(const sumi_dtype *)arg;
  uint32_t r = start(c->seed);
  const int64_t n = 1 + compare_below(&r, 2), heads = 1 + compare_below(&r, 3), width = widths[compare_below(&r, 10)];
  const int64_t t = lengths[compare_below(&r, 10)];
  const bool causal = compare_below(&r, 4) == 0;
  const int64_t s = causal && compare_below(&r, 2) ? t : lengths[compare_below(&r, 10)];
  sumi_tensor *q = compare_input(c, dtype, SUMI_SHAPE(n, t, heads, width), 1.0f, 0.1f), *mask = NULL;
  sumi_tensor *k = compare_input(c, dtype, SUMI_SHAPE(n, s, heads, width), 1.0f, 0.0f);
  sumi_tensor *v = compare_input(c, dtype, SUMI_SHAPE(n, s, heads, width), 1.0f, 0.5f);
  if (compare_below(&r, 3) == 0) {
    const sumi_shape full = SUMI_SHAPE(n, heads, t, s);
    sumi_shape shape = full;
    for (int d = 0; d < 4; d++)
      if (compare_below(&r, 2)) shape.dims[d] = 1;
    mask = compare_input(c, SUMI_F32, shape, 2.0f, -1.0f);
  }
  sumi_graph_set_compute(c->g, dtype);
  sumi_tensor *y = sumi_attention(c->g, q, k, v, mask, compare_below(&r, 6) ? 0.0f : -0.2f, causal),
              *inputs[3] = {q, k, v}, *dx[3];
  c->outputs[c->n_outputs++] = y;
  sumi_grad(c->g, sumi_sum_all(c->g, sumi_sin(c->g, sumi_cast(c->g, y, SUMI_F32))), 3, inputs, dx);
  for (int i = 0; i < 3; i++) c->outputs[c->n_outputs++] = dx[i];
}

static void test_attention(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 40; seed++) {
    compare_all("attention", seed, build_attention, &(sumi_dtype){SUMI_F32}, 1e-4, 2e-5);
    compare_all("attention, bf16", seed, build_attention, &(sumi_dtype){SUMI_BF16}, 0.05, 0x1p-6);
  }
}

/* Queries so long that weights are to be taken relative to the largest, beside ones so short that they need not; more
 * keys than a tile has. The scores of the longest go to some hundreds. */
static void build_sharp_attention(compare_graph *c, const void *arg) {
  const sumi_dtype dtype = *(const sumi_dtype *)arg;
  const float size = c->seed == 1 ? 0.1f : c->seed == 2 ? 4.0f : 60.0f;
  sumi_tensor *q = compare_input(c, dtype, SUMI_SHAPE(1, 70, 2, 40), size, 0.1f);
  sumi_tensor *k = compare_input(c, dtype, SUMI_SHAPE(1, 900, 2, 40), 1.0f, 0.0f);
  sumi_tensor *v = compare_input(c, dtype, SUMI_SHAPE(1, 900, 2, 40), 1.0f, 0.5f);
  sumi_graph_set_compute(c->g, dtype);
  c->outputs[c->n_outputs++] = sumi_attention(c->g, q, k, v, NULL, 0.0f, false);
}

static void test_sharp_attention(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 3; seed++) {
    compare_all("sharp attention", seed, build_sharp_attention, &(sumi_dtype){SUMI_F32}, 3e-4, 2e-5);
    compare_all("sharp attention, bf16", seed, build_sharp_attention, &(sumi_dtype){SUMI_BF16}, 0.03, 0x1p-6);
  }
}

/* Heads as wide as those of Stable Diffusion and of its autoencoder, and one beyond: more keys than the narrower tile
 * of wide heads has, and than a gradient's. */
typedef struct wide {
  sumi_dtype dtype;
  int64_t width;
} wide;

static void build_wide_attention(compare_graph *c, const void *arg) {
  const wide *w = arg;
  const int64_t heads = w->width < 200 ? 2 : 1, queries = 21, keys = c->seed == 2 ? queries : 230;
  sumi_tensor *q = compare_input(c, w->dtype, SUMI_SHAPE(1, queries, heads, w->width), 1.0f, 0.1f), *mask = NULL;
  sumi_tensor *k = compare_input(c, w->dtype, SUMI_SHAPE(1, keys, heads, w->width), 1.0f, 0.0f);
  sumi_tensor *v = compare_input(c, w->dtype, SUMI_SHAPE(1, keys, heads, w->width), 1.0f, 0.5f);
  if (c->seed == 3) mask = compare_input(c, SUMI_F32, SUMI_SHAPE(1, 1, queries, keys), 2.0f, -1.0f);
  sumi_graph_set_compute(c->g, w->dtype);
  sumi_tensor *y = sumi_attention(c->g, q, k, v, mask, 0.0f, c->seed == 2), *inputs[3] = {q, k, v}, *dx[3];
  c->outputs[c->n_outputs++] = y;
  sumi_grad(c->g, sumi_sum_all(c->g, sumi_sin(c->g, sumi_cast(c->g, y, SUMI_F32))), 3, inputs, dx);
  for (int i = 0; i < 3; i++) c->outputs[c->n_outputs++] = dx[i];
}

static void test_wide_attention(void **state) {
  static const int64_t widths[] = {80, 160, 200, 512};
  (void)state;
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
    for (uint32_t seed = 1; seed <= 3; seed++) {
      compare_all("wide attention", seed, build_wide_attention, &(wide){SUMI_F32, widths[i]}, 1e-4, 2e-5);
      compare_all("wide attention, bf16", seed, build_wide_attention, &(wide){SUMI_BF16, widths[i]}, 0.05, 0x1p-6);
    }
}

/* ---- Pictures ---- */

static void build_pictures(compare_graph *c, const void *arg) {
  static const int64_t widths[] = {1, 3, 8, 16, 20, 33};
  const sumi_dtype dtype = *(const sumi_dtype *)arg;
  uint32_t r = start(c->seed);
  const sumi_shape shape = SUMI_SHAPE(1 + compare_below(&r, 3), 1 + compare_below(&r, 12), 1 + compare_below(&r, 12),
                                      widths[compare_below(&r, 6)]);
  const int least = (int)sumi__min_i64(shape.dims[1], shape.dims[2]), kernel = 1 + compare_below(&r, least);
  sumi_tensor *x = compare_input(c, dtype, shape, 1.0f, 0.0f), *y, *dx = NULL;
  switch (compare_below(&r, 4)) {
  case 0: y = sumi_avg_pool2d(c->g, x, kernel, 1 + compare_below(&r, 4)); break;
  case 1: y = sumi_max_pool2d(c->g, x, kernel, 1 + compare_below(&r, 4)); break;
  case 2: y = sumi_upsample_nearest(c->g, x, 1 + compare_below(&r, 3), 1 + compare_below(&r, 3)); break;
  default:
    y = sumi_resize_bilinear(c->g, x, 1 + compare_below(&r, 25), 1 + compare_below(&r, 25), compare_below(&r, 2));
  }
  c->outputs[c->n_outputs++] = y;
  sumi_grad(c->g, sumi_sum_all(c->g, sumi_sin(c->g, sumi_cast(c->g, y, SUMI_F32))), 1, &x, &dx);
  c->outputs[c->n_outputs++] = dx;
}

static void test_pictures(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 100; seed++) {
    compare_all("pictures", seed, build_pictures, &(sumi_dtype){SUMI_F32}, 2e-6, 2e-6);
    compare_all("pictures, bf16", seed, build_pictures, &(sumi_dtype){SUMI_BF16}, 1e-2, 0x1p-7);
  }
}

/* ---- Random numbers ---- */

static void build_random(compare_graph *c, const void *arg) {
  uint32_t r = start(c->seed);
  const sumi_shape shape = any_shape(&r, 1 + compare_below(&r, 3), 30000);
  sumi_tensor *state = compare_indices(c, SUMI_I64, SUMI_SHAPE(2), INT64_MAX);
  sumi_tensor *x = compare_input(c, any_float(&r), shape, 1.0f, 0.0f);
  if (arg) {
    c->outputs[c->n_outputs++] = sumi_random_normal(c->g, state, shape);
  } else {
    c->outputs[c->n_outputs++] = sumi_random_uniform(c->g, state, shape);
    c->outputs[c->n_outputs++] = sumi_dropout(c->g, x, state, 0.3f);
  }
}

static void test_random(void **state) {
  (void)state;
  for (uint32_t seed = 1; seed <= 30; seed++) {
    compare_all("uniform, dropout", seed, build_random, NULL, 0.0, 0.0);
    compare_all("normal", seed, build_random, "", 2e-6, 0.0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_movement),        cmocka_unit_test(test_rows),           cmocka_unit_test(test_attention),
      cmocka_unit_test(test_sharp_attention), cmocka_unit_test(test_wide_attention), cmocka_unit_test(test_pictures),
      cmocka_unit_test(test_random),          cmocka_unit_test(test_reductions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
