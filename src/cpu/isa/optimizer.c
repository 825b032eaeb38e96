/* The loops of an optimiser's step; the contract is in cpu/optimizer.h. */
#include "cpu/optimizer.h"

#include "cpu/isa/simd.h"

static inline void adam(float *w, float *m, float *v, vf grad, vf now, vf m0, vf v0, int64_t n,
                        const sumi__adam_step *s) {
  const vf g = grad * s->grad_scale + s->l2 * now;
  const vf m1 = m0 + s->b1 * (g - m0), v1 = s->b2 * v0 + s->c2 * g * g;
  const vf w1 = now * s->shrink - s->rate * (m1 / (vsqrt(v1) / s->root + s->eps));
  if (n >= V) {
    vstore(m, m1);
    vstore(v, v1);
    vstore(w, w1);
  } else {
    vstore_n(m, m1, n);
    vstore_n(v, v1, n);
    vstore_n(w, w1, n);
  }
}

void SUMI__ISA_NAME(sumi__cpu_adam_update)(float *w, float *m, float *v, const float *grad, int64_t n,
                                           const sumi__adam_step *s) {
  int64_t i = 0;
  for (; i + V <= n; i += V) adam(w + i, m + i, v + i, vload(grad + i), vload(w + i), vload(m + i), vload(v + i), V, s);
  const int64_t rest = n - i;
  if (rest)
    adam(w + i, m + i, v + i, vload_n(grad + i, rest), vload_n(w + i, rest), vload_n(m + i, rest), vload_n(v + i, rest),
         rest, s);
}

static inline vf sgd(vf now, vf grad, vf *b, const sumi__sgd_step *s) {
  const vf g = grad * s->grad_scale + s->decay * now;
  *b = s->mu * *b + g;
  return now - s->lr * (s->nesterov ? g + s->mu * *b : *b);
}

void SUMI__ISA_NAME(sumi__cpu_sgd_update)(float *w, float *b, const float *grad, int64_t n, const sumi__sgd_step *s) {
  int64_t i = 0;
  for (; i + V <= n; i += V) {
    vf momentum = vload(b + i);
    vstore(w + i, sgd(vload(w + i), vload(grad + i), &momentum, s));
    vstore(b + i, momentum);
  }
  if (i == n) return;
  vf momentum = vload_n(b + i, n - i);
  vstore_n(w + i, sgd(vload_n(w + i, n - i), vload_n(grad + i, n - i), &momentum, s), n - i);
  vstore_n(b + i, momentum, n - i);
}

void SUMI__ISA_NAME(sumi__cpu_average_update)(float *average, const float *now, int64_t n, float rate) {
  int64_t i = 0;
  for (; i + V <= n; i += V) {
    const vf a = vload(average + i);
    vstore(average + i, a + rate * (vload(now + i) - a));
  }
  if (i == n) return;
  const vf a = vload_n(average + i, n - i);
  vstore_n(average + i, a + rate * (vload_n(now + i, n - i) - a), n - i);
}

typedef double vd __attribute__((vector_size(4 * SUMI__SIMD_WIDTH)));
typedef float vf_half __attribute__((vector_size(2 * SUMI__SIMD_WIDTH), aligned(4), may_alias));

double SUMI__ISA_NAME(sumi__cpu_square_sum)(const float *x, int64_t n) {
  enum { HALF = V / 2, UNROLL = 8 };
  vd sum[UNROLL] = {{0.0}};
  int64_t i = 0;
  for (; i + UNROLL * HALF <= n; i += UNROLL * HALF)
    for (int k = 0; k < UNROLL; k++) {
      const vd part = __builtin_convertvector(*(const vf_half *)(x + i + k * HALF), vd);
      sum[k] += part * part;
    }
  double total = 0.0;
  for (; i < n; i++) total += (double)x[i] * (double)x[i];
  for (int k = 1; k < UNROLL; k++) sum[0] += sum[k];
  for (int k = 0; k < HALF; k++) total += sum[0][k];
  return total;
}
