/* Inputs of cases, and the comparison of results. */
#include "ops/harness.h"

#include <math.h>

bool op_is_float(const op_input *in) { return in->dtype == SUMI_F32; }

sumi_shape op_shape(const op_input *in) { return sumi_shape_make(in->rank, in->dims); }

int op_input_count(const op_case *c) {
  int n = 0;
  while (n < OP_MAX_INPUTS && (c->inputs[n].rank > 0 || c->inputs[n].low < c->inputs[n].high)) n++;
  return n;
}

/* A finaliser of 32 bits (Wellons' lowbias32) over a running hash. */
static uint32_t mix(uint32_t h, uint32_t value) {
  h ^= value + 0x9e3779b9u;
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  return h ^ (h >> 16);
}

static uint32_t hash_name(const char *name) {
  uint32_t h = 1;
  for (; *name; name++) h = mix(h, (unsigned char)*name);
  return h;
}

static float unit(uint32_t seed, int64_t i) { return (float)(mix(seed, (uint32_t)i) >> 8) * 0x1p-24f; }

float *op_values(const op_case *c, int input) {
  const op_input *in = &c->inputs[input];
  const sumi_shape shape = op_shape(in);
  const int64_t count = sumi_shape_count(&shape);
  const uint32_t seed = mix(hash_name(c->name), (uint32_t)input);
  float *values = calloc((size_t)count, sizeof *values);
  assert_non_null(values);
  for (int64_t i = 0; i < count; i++) {
    float u = unit(seed, i);
    if (in->grid) u = floorf(u * (float)in->grid) / (float)in->grid;
    values[i] = in->low + (in->high - in->low) * u;
    if (!op_is_float(in)) values[i] = floorf(values[i]);
  }
  return values;
}

float *op_weights(const op_case *c, int64_t count) {
  const uint32_t seed = mix(hash_name(c->name), 1000);
  float *values = calloc((size_t)count, sizeof *values);
  assert_non_null(values);
  for (int64_t i = 0; i < count; i++) values[i] = 2.0f * unit(seed, i) - 1.0f;
  return values;
}

void op_compare(const char *what, const float *got, const float *want, int64_t count, float tolerance) {
  double squares = 0.0;
  int64_t finite = 0;
  for (int64_t i = 0; i < count; i++) {
    if (!isfinite(want[i])) continue;
    squares += (double)want[i] * (double)want[i];
    finite++;
  }
  const double scale = finite ? sqrt(squares / (double)finite) : 0.0;
  for (int64_t i = 0; i < count; i++) {
    const double w = (double)want[i], g = (double)got[i];
    if (isnan(w) ? isnan(g) : g == w) continue;
    /* The last term lets sums that are zero up to rounding be. */
    const double room = (double)tolerance * (fabs(w) + scale) + 1e-7;
    if (isfinite(w) && fabs(g - w) <= room) continue;
    print_error("%s: element %lld is %.9g, expected %.9g (off by %.3g, allowed %.3g)\n", what, (long long)i, g, w,
                fabs(g - w), room);
    fail();
  }
}
