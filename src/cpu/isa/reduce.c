/* The inner loops of sums and maxima; the contract is in cpu/reduce.h. */
#include "cpu/reduce.h"

#include "cpu/isa/simd.h"

enum { UNROLL = 8 }; /* vectors at once, so that additions do not wait for one another */

static double join_sum(double a, double b) { return a + b; }
/* NaN wins, as in torch.amax. */
static double join_max(double a, double b) { return isnan(a) || a >= b ? a : b; }

static inline vf more(vf a, vf b, bool max) {
  if (!max) return a + b;
  return vselect(vnan(a), a, vmax(a, b)); /* vmax gives b where b is NaN */
}
static inline double across(vf x, bool max) {
  if (!max) return (double)vsum(x);
  return vany(vnan(x)) ? (double)NAN : (double)vmax_across(x);
}

/* ---- Runs ---- */

static inline double run(const void *x, sumi_dtype dtype, int64_t at, int64_t n, bool max) {
  const vf start = vset(max ? -INFINITY : 0.0f);
  vf first = start;
  int64_t i = 0;
  if (n >= UNROLL * V) {
    vf acc[UNROLL];
    for (int k = 0; k < UNROLL; k++) acc[k] = start;
    for (; i + UNROLL * V <= n; i += UNROLL * V)
      for (int k = 0; k < UNROLL; k++) acc[k] = more(acc[k], vload_as(x, dtype, at + i + k * V), max);
    for (int half = UNROLL / 2; half; half /= 2)
      for (int k = 0; k < half; k++) acc[k] = more(acc[k], acc[k + half], max);
    first = acc[0];
  }
  for (; i + V <= n; i += V) first = more(first, vload_as(x, dtype, at + i), max);
  if (i < n) first = more(first, vfill(vload_as_n(x, dtype, at + i, n - i), start, n - i), max);
  return across(first, max);
}

static double run_sum(const void *x, sumi_dtype dtype, int64_t at, int64_t n) {
  if (dtype == SUMI_F32) return run(x, SUMI_F32, at, n, false);
  if (dtype == SUMI_BF16) return run(x, SUMI_BF16, at, n, false);
  return run(x, SUMI_F16, at, n, false);
}
static double run_max(const void *x, sumi_dtype dtype, int64_t at, int64_t n) {
  if (dtype == SUMI_F32) return run(x, SUMI_F32, at, n, true);
  if (dtype == SUMI_BF16) return run(x, SUMI_BF16, at, n, true);
  return run(x, SUMI_F16, at, n, true);
}

/* ---- Rows ---- */

static inline void add_lanes(double *acc, vf x, int64_t n, bool max) {
  float lanes[SUMI__SIMD_WIDTH];
  vstore(lanes, x);
  for (int64_t i = 0; i < n; i++)
    acc[i] = max ? join_max(acc[i], (double)lanes[i]) : join_sum(acc[i], (double)lanes[i]);
}

static inline void rows(double *acc, const void *x, sumi_dtype dtype, int64_t at, int64_t n_rows, int64_t width,
                        int64_t stride, bool max) {
  const vf start = vset(max ? -INFINITY : 0.0f);
  int64_t c = 0;
  for (; c + UNROLL * V <= width; c += UNROLL * V) {
    vf lanes[UNROLL];
    for (int k = 0; k < UNROLL; k++) lanes[k] = start;
    for (int64_t r = 0; r < n_rows; r++)
      for (int k = 0; k < UNROLL; k++) lanes[k] = more(lanes[k], vload_as(x, dtype, at + r * stride + c + k * V), max);
    for (int k = 0; k < UNROLL; k++) add_lanes(acc + c + k * V, lanes[k], V, max);
  }
  for (; c + V <= width; c += V) {
    vf lanes = start;
    for (int64_t r = 0; r < n_rows; r++) lanes = more(lanes, vload_as(x, dtype, at + r * stride + c), max);
    add_lanes(acc + c, lanes, V, max);
  }
  if (c == width) return;
  vf lanes = start;
  for (int64_t r = 0; r < n_rows; r++) lanes = more(lanes, vload_as_n(x, dtype, at + r * stride + c, width - c), max);
  add_lanes(acc + c, lanes, width - c, max);
}

static void rows_sum(double *acc, const void *x, sumi_dtype dtype, int64_t at, int64_t n, int64_t width,
                     int64_t stride) {
  if (dtype == SUMI_F32)
    rows(acc, x, SUMI_F32, at, n, width, stride, false);
  else if (dtype == SUMI_BF16)
    rows(acc, x, SUMI_BF16, at, n, width, stride, false);
  else
    rows(acc, x, SUMI_F16, at, n, width, stride, false);
}
static void rows_max(double *acc, const void *x, sumi_dtype dtype, int64_t at, int64_t n, int64_t width,
                     int64_t stride) {
  if (dtype == SUMI_F32)
    rows(acc, x, SUMI_F32, at, n, width, stride, true);
  else if (dtype == SUMI_BF16)
    rows(acc, x, SUMI_BF16, at, n, width, stride, true);
  else
    rows(acc, x, SUMI_F16, at, n, width, stride, true);
}

const sumi__reduce_loops SUMI__ISA_NAME(sumi__cpu_sum_loops) = {0.0, join_sum, run_sum, rows_sum};
const sumi__reduce_loops SUMI__ISA_NAME(sumi__cpu_max_loops) = {(double)-INFINITY, join_max, run_max, rows_max};
