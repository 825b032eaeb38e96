/* Runs one graph with the naive kernels and with the CPU's own, on every instruction set that the processor has and
 * with one and two threads, and compares the results. */
#ifndef SUMI_TESTS_CPU_COMPARE_H
#define SUMI_TESTS_CPU_COMPARE_H

#include "support.h"

#include "base/random.h"
#include "tensor/graph.h"

#include <math.h>

enum { COMPARE_MAX_INPUTS = 12, COMPARE_MAX_OUTPUTS = 4 };

/* What a builder declares: inputs are filled with normal numbers times `scale` plus `shift`; indices uniformly below
 * `limit`. */
typedef struct compare_graph {
  sumi_graph *g;
  uint32_t seed;
  int n_inputs, n_outputs;
  sumi_tensor *inputs[COMPARE_MAX_INPUTS];
  float scale[COMPARE_MAX_INPUTS], shift[COMPARE_MAX_INPUTS];
  int64_t limit[COMPARE_MAX_INPUTS];
  sumi_tensor *outputs[COMPARE_MAX_OUTPUTS];
} compare_graph; /* convolutions are the plain ones: what Winograd's lose is not in proportion to each element */

typedef void (*compare_build)(compare_graph *c, const void *arg);

static inline sumi_tensor *compare_input(compare_graph *c, sumi_dtype dtype, sumi_shape shape, float scale,
                                         float shift) {
  c->scale[c->n_inputs] = scale;
  c->shift[c->n_inputs] = shift;
  return c->inputs[c->n_inputs++] = sumi_input(c->g, NULL, dtype, shape);
}

static inline sumi_tensor *compare_indices(compare_graph *c, sumi_dtype dtype, sumi_shape shape, int64_t limit) {
  c->limit[c->n_inputs] = limit;
  return c->inputs[c->n_inputs++] = sumi_input(c->g, NULL, dtype, shape);
}

static inline uint32_t compare_next(uint32_t *state) { /* Marsaglia's xorshift */
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}
static inline int compare_below(uint32_t *state, int n) { return (int)(compare_next(state) >> 8) % n; }

static inline void compare_fill(compare_graph *c, sumi_program *p, int i) {
  const sumi_tensor *t = c->inputs[i];
  void *data = sumi_data(p, t);
  const int64_t count = data ? sumi__count(t) : 0; /* no output depends on it */
  uint32_t state = c->seed * 2654435761u + (uint32_t)i * 40503u + 1u;
  for (int64_t e = 0; e < count; e++) {
    if (c->limit[i]) {
      const int64_t id = (int64_t)(compare_next(&state) >> 4) % c->limit[i];
      if (t->dtype == SUMI_I32)
        ((int32_t *)data)[e] = (int32_t)id;
      else
        ((int64_t *)data)[e] = id;
      continue;
    }
    float sum = -6.0f;
    for (int k = 0; k < 12; k++) sum += (float)(compare_next(&state) >> 8) * 0x1p-24f;
    const float value = c->shift[i] + c->scale[i] * sum;
    sumi__from_f32((char *)data + (size_t)e * sumi_dtype_bytes(t->dtype), t->dtype, &value, 1);
  }
}

/* The outputs as f32, one after the other; to be freed. */
static inline float *compare_run(const char *isa, int threads, bool reference, uint32_t seed, compare_build build,
                                 const void *arg, int64_t *count, char *shapes) {
  sumi_context *ctx = NULL;
  sumi_backend *backend = NULL;
  sumi_program *p = NULL;
  const sumi_context_options options = {.threads = threads, .max_isa = isa};
  const sumi_compile_options how = {.reference = reference, .winograd = SUMI_WINOGRAD_OFF};
  compare_graph c = {.seed = seed};
  if (sumi_context_create(&options, &ctx) != SUMI_OK) return NULL; /* the processor lacks it */
  assert_ok(ctx, sumi_graph_create(ctx, &c.g));
  assert_ok(ctx, sumi_backend_cpu(ctx, &backend));
  build(&c, arg);
  assert_ok(ctx, sumi_compile(backend, c.g, c.n_outputs, c.outputs, &how, &p));
  for (int i = 0; i < c.n_inputs; i++) compare_fill(&c, p, i);
  assert_ok(ctx, sumi_run(p));
  *count = 0;
  for (int i = 0; i < c.n_outputs; i++) *count += sumi__count(c.outputs[i]);
  float *values = malloc((size_t)*count * sizeof *values);
  int64_t at = 0;
  shapes[0] = 0;
  for (int i = 0; i < c.n_inputs; i++)
    snprintf(shapes + strlen(shapes), 40, "%s", SUMI__SHAPE_STR(&c.inputs[i]->shape));
  for (int i = 0; i < c.n_outputs; i++) {
    sumi__to_f32(values + at, sumi_data(p, c.outputs[i]), c.outputs[i]->dtype, sumi__count(c.outputs[i]));
    at += sumi__count(c.outputs[i]);
  }
  sumi_program_free(p);
  sumi_backend_free(backend);
  sumi_graph_free(c.g);
  sumi_context_free(ctx);
  return values;
}

/* |got - want| <= absolute + relative |want|, and the same infinities and NaNs. */
static inline void compare_values(const char *what, const float *want, const float *got, int64_t count, double absolute,
                                  double relative) {
  for (int64_t i = 0; i < count; i++) {
    if (isnan(want[i]) ? isnan(got[i]) : want[i] == got[i]) continue;
    if (fabs((double)want[i] - got[i]) <= absolute + relative * fabs((double)want[i])) continue;
    print_error("%s: element %lld of %lld is %.9g, expected %.9g\n", what, (long long)i, (long long)count, got[i],
                want[i]);
    fail();
  }
}

static inline void compare_all(const char *name, uint32_t seed, compare_build build, const void *arg, double absolute,
                               double relative) {
  static const char *const isas[] = {"generic", "avx2", "avx512", "avx512_bf16"};
  char shapes[1024], what[1200];
  int64_t count = 0;
  float *want = compare_run("generic", 1, true, seed, build, arg, &count, shapes);
  assert_non_null(want);
  for (size_t k = 0; k < sizeof isas / sizeof *isas; k++)
    for (int threads = 1; threads <= 2; threads++) {
      int64_t n = 0;
      float *got = compare_run(isas[k], threads, false, seed, build, arg, &n, shapes);
      if (!got) continue;
      assert_int_equal(n, count);
      snprintf(what, sizeof what, "%s, seed %u, %s, %d threads, inputs %s", name, seed, isas[k], threads, shapes);
      compare_values(what, want, got, count, absolute, relative);
      free(got);
    }
  free(want);
}

#endif
