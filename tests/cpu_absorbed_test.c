/* Products that do their neighbours' work against the operators one by one, on every instruction set: sizes that are
 * cut into several blocks of rows, the last of which begins before the one before it ends, and odd ones. */
#include "cpu_compare.h"

typedef struct rows_case {
  int64_t rows, inner, outer; /* of a, of the sum, of y */
  bool transposed, bias;
  sumi_dtype dtype;
} rows_case;

static void build_geglu(compare_graph *c, const void *arg) {
  const rows_case *k = arg;
  const sumi_shape b = k->transposed ? SUMI_SHAPE(2 * k->outer, k->inner) : SUMI_SHAPE(k->inner, 2 * k->outer);
  sumi_graph_set_compute(c->g, k->dtype);
  sumi_tensor *x = compare_input(c, k->dtype, SUMI_SHAPE(k->rows, k->inner), 1.0f, 0.0f);
  sumi_tensor *w = compare_input(c, k->dtype, b, 1.0f / sqrtf((float)k->inner), 0.0f);
  sumi_tensor *bias = k->bias ? compare_input(c, SUMI_F32, SUMI_SHAPE(2 * k->outer), 1.0f, 0.0f) : NULL;
  c->outputs[c->n_outputs++] = sumi_geglu(c->g, sumi_matmul(c->g, x, w, false, k->transposed, bias));
}

static void test_geglu(void **state) {
  static const rows_case cases[] = {
      {1301, 17, 517, true, true, SUMI_F32},   {1301, 17, 517, true, true, SUMI_BF16},
      {2707, 6, 519, false, false, SUMI_BF16}, {131, 24, 40, true, false, SUMI_F32},
      {7, 33, 5, true, true, SUMI_BF16},       {1, 3, 1, false, true, SUMI_F32},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const bool bf16 = cases[i].dtype == SUMI_BF16;
    compare_all("matmul_geglu", 1 + (uint32_t)i, build_geglu, &cases[i], bf16 ? 2e-2 : 1e-5, bf16 ? 2e-2 : 1e-5);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_geglu)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
