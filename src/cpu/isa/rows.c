/* Loops over the last dimension; the contract is in cpu/rows.h. */
#include "cpu/rows.h"

#include "cpu/isa/vmath.h"

enum { CHUNK = 1024 }; /* elements that are added in f32 lanes before the sum goes on in double */

/* V elements of a row of which n are left; -infinity, which adds nothing,
 * behind its end. */
static inline vf some_of(const void *x, sumi_dtype dtype, int64_t at, int64_t n) {
  return n >= V ? vload_as(x, dtype, at) : vfill(vload_as_n(x, dtype, at, n), vset(-INFINITY), n);
}

static inline float row_max(const void *x, sumi_dtype dtype, int64_t at, int64_t n) {
  vf most = vset(-INFINITY);
  for (int64_t i = 0; i < n; i += V) most = vmax(some_of(x, dtype, at + i, n - i), most);
  return vmax_across(most);
}

/* The sum of exp(x - most); the exponentials are stored in y where that is not
 * NULL. */
static inline double row_exp(const void *x, sumi_dtype dtype, int64_t at, int64_t n, float most, float *y) {
  double total = 0.0;
  for (int64_t begin = 0; begin < n; begin += CHUNK) {
    const int64_t end = sumi__min_i64(n, begin + CHUNK);
    vf sum = vzero();
    for (int64_t i = begin; i < end; i += V) {
      const vf e = vexp(some_of(x, dtype, at + i, n - i) - most);
      sum += e;
      if (!y) continue;
      if (n - i >= V)
        vstore(y + i, e);
      else
        vstore_n(y + i, e, n - i);
    }
    total += (double)vsum(sum);
  }
  return total;
}

static inline void softmax_row(void *y, const void *x, sumi_dtype dtype, int64_t at, int64_t n) {
  const float most = row_max(x, dtype, at, n);
  float *kept = dtype == SUMI_F32 ? (float *)y + at : NULL; /* narrower results are computed again, not rounded twice */
  const float scale = (float)(1.0 / row_exp(x, dtype, at, n, most, kept));
  int64_t i = 0;
  for (; i + V <= n; i += V)
    vstore_as(y, dtype, at + i, scale * (kept ? vload(kept + i) : vexp(vload_as(x, dtype, at + i) - most)));
  if (i == n) return;
  const vf e = kept ? vload_n(kept + i, n - i) : vexp(vload_as_n(x, dtype, at + i, n - i) - most);
  vstore_as_n(y, dtype, at + i, scale * e, n - i);
}

static inline void log_softmax_row(void *y, const void *x, sumi_dtype dtype, int64_t at, int64_t n) {
  const float most = row_max(x, dtype, at, n), rest = (float)log(row_exp(x, dtype, at, n, most, NULL));
  int64_t i = 0;
  for (; i + V <= n; i += V) vstore_as(y, dtype, at + i, (vload_as(x, dtype, at + i) - most) - rest);
  if (i < n) vstore_as_n(y, dtype, at + i, (vload_as_n(x, dtype, at + i, n - i) - most) - rest, n - i);
}

static inline void each_row(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dtype, bool logarithm) {
  const sumi_shape *shape = &c->node->outputs[0]->shape;
  const int64_t n = shape->dims[shape->rank - 1];
  for (int64_t row = begin; row < end; row++) {
    if (logarithm)
      log_softmax_row(c->out[0], c->in[0], dtype, row * n, n);
    else
      softmax_row(c->out[0], c->in[0], dtype, row * n, n);
  }
}

void SUMI__ISA_NAME(sumi__cpu_softmax_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  switch (c->node->outputs[0]->dtype) {
  case SUMI_F32: each_row(c, begin, end, SUMI_F32, false); return;
  case SUMI_BF16: each_row(c, begin, end, SUMI_BF16, false); return;
  default: each_row(c, begin, end, SUMI_F16, false); return;
  }
}

void SUMI__ISA_NAME(sumi__cpu_log_softmax_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  switch (c->node->outputs[0]->dtype) {
  case SUMI_F32: each_row(c, begin, end, SUMI_F32, true); return;
  case SUMI_BF16: each_row(c, begin, end, SUMI_BF16, true); return;
  default: each_row(c, begin, end, SUMI_F16, true); return;
  }
}

double SUMI__ISA_NAME(sumi__cpu_log_sum_exp)(const float *x, int64_t n) {
  const float most = row_max(x, SUMI_F32, 0, n);
  return (double)most + log(row_exp(x, SUMI_F32, 0, n, most, NULL));
}

void SUMI__ISA_NAME(sumi__cpu_exp_minus)(float *y, const float *x, float total, float scale, float shift, int64_t n) {
  int64_t i = 0;
  for (; i + V <= n; i += V) vstore(y + i, scale * (vexp(vload(x + i) - total) - shift));
  if (i < n) vstore_n(y + i, scale * (vexp(vload_n(x + i, n - i) - total) - shift), n - i);
}
