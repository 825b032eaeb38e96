/* GEGLU and its gradient, row by row; the meaning is in src/ops/geglu.c. */
#include "cpu/geglu.h"

#include "cpu/isa/vmath.h"

static inline vf normal_below(vf x) { return 0.5f * (1.0f + verf(x * 0.70710678f)); }
static inline vf normal_density(vf x) { return 0.39894228f * vexp(-0.5f * x * x); }

/* Phi, as precise as the result's type can tell. */
static inline __attribute__((always_inline)) vf below_as(vf x, sumi_dtype dtype) {
  return dtype == SUMI_BF16 ? vnormal_rough(x) : normal_below(x);
}
static inline __attribute__((always_inline)) void store(void *p, sumi_dtype dtype, int64_t i, vf x) {
  vstore_as(p, dtype, i, x);
}

static inline __attribute__((always_inline)) void forward(const sumi__call *c, int64_t begin, int64_t end,
                                                          sumi_dtype dtype) {
  const sumi_shape *shape = &c->node->outputs[0]->shape;
  const int64_t width = shape->dims[shape->rank - 1];
  const void *x = c->in[0];
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = 2 * width * row;
    int64_t i = 0;
    for (; i + V <= width; i += V) {
      const vf b = vload_as(x, dtype, at + width + i);
      store(c->out[0], dtype, width * row + i, vload_as(x, dtype, at + i) * b * below_as(b, dtype));
    }
    if (i == width) continue;
    const vf b = vload_as_n(x, dtype, at + width + i, width - i), a = vload_as_n(x, dtype, at + i, width - i);
    vstore_as_n(c->out[0], dtype, width * row + i, a * b * below_as(b, dtype), width - i);
  }
}

static inline void backward(const sumi__call *c, int64_t begin, int64_t end, sumi_dtype dy_dtype, sumi_dtype dtype) {
  const sumi_shape *shape = &c->node->inputs[0]->shape;
  const int64_t width = shape->dims[shape->rank - 1];
  const void *x = c->in[1];
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = 2 * width * row;
    for (int64_t i = 0; i < width; i += V) {
      const int64_t n = sumi__min_i64(V, width - i);
      const vf b = vload_as_n(x, dtype, at + width + i, n), a = vload_as_n(x, dtype, at + i, n);
      const vf dy = vload_as_n(c->in[0], dy_dtype, width * row + i, n), below = normal_below(b);
      vstore_as_n(c->out[0], dtype, at + i, dy * b * below, n);
      vstore_as_n(c->out[0], dtype, at + width + i, dy * a * (below + b * normal_density(b)), n);
    }
  }
}

void SUMI__ISA_NAME(sumi__cpu_geglu_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  (void)worker;
  switch (c->node->outputs[0]->dtype) {
  case SUMI_F32: forward(c, begin, end, SUMI_F32); return;
  case SUMI_BF16: forward(c, begin, end, SUMI_BF16); return;
  default: forward(c, begin, end, SUMI_F16); return;
  }
}

void SUMI__ISA_NAME(sumi__cpu_geglu_grad_range)(void *call, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = call;
  const sumi_dtype dy = c->node->inputs[0]->dtype, x = c->node->outputs[0]->dtype;
  (void)worker;
  if (dy == SUMI_F32 && x == SUMI_F32)
    backward(c, begin, end, SUMI_F32, SUMI_F32);
  else if (dy == SUMI_BF16 && x == SUMI_BF16)
    backward(c, begin, end, SUMI_BF16, SUMI_BF16);
  else
    backward(c, begin, end, dy, x);
}
