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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reductions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
