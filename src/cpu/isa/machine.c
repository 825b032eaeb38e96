/* The loops of cpu/machine.h: independent sums enough to hide an instruction's latency. */
#include "cpu/machine.h"

#include "cpu/isa/simd.h"

#if SUMI__SIMD_WIDTH == 16
enum { SUMS = 24 };
#else
enum { SUMS = 12 };
#endif

static void keep(sumi__machine_loop *l, const vf *sum, int worker) {
  vf all = vzero();
  for (int i = 0; i < SUMS; i++) all += sum[i];
  if (worker == 0) l->sum = vsum(all);
}

void SUMI__ISA_NAME(sumi__cpu_machine_f32)(void *loop, int64_t begin, int64_t end, int worker) {
  sumi__machine_loop *l = loop;
  const vf a = vset(l->factor), b = vset(l->factor * 0.5f);
  vf sum[SUMS];
  for (int i = 0; i < SUMS; i++) sum[i] = vset((float)i);
  for (int64_t r = 0; r < (end - begin) * SUMI__MACHINE_ROUNDS / SUMS; r++)
#pragma GCC unroll 24
    for (int i = 0; i < SUMS; i++) sum[i] = sum[i] * a + b;
  keep(l, sum, worker);
  if (worker == 0) l->flops[0] = 2.0 * V * (double)(SUMI__MACHINE_ROUNDS / SUMS * SUMS);
}

void SUMI__ISA_NAME(sumi__cpu_machine_bf16)(void *loop, int64_t begin, int64_t end, int worker) {
  sumi__machine_loop *l = loop;
#if defined(__AVX512BF16__)
  const __m512bh a = _mm512_cvtne2ps_pbh((__m512)vset(l->factor), (__m512)vset(l->factor));
  vf sum[SUMS];
  for (int i = 0; i < SUMS; i++) sum[i] = vset((float)i);
  for (int64_t r = 0; r < (end - begin) * SUMI__MACHINE_ROUNDS / SUMS; r++)
#pragma GCC unroll 24
    for (int i = 0; i < SUMS; i++) sum[i] = (vf)_mm512_dpbf16_ps((__m512)sum[i], a, a);
  keep(l, sum, worker);
  if (worker == 0) l->flops[1] = 4.0 * V * (double)(SUMI__MACHINE_ROUNDS / SUMS * SUMS);
#else
  (void)begin, (void)end, (void)worker;
  l->flops[1] = 0.0;
#endif
}

void SUMI__ISA_NAME(sumi__cpu_machine_copy)(void *loop, int64_t begin, int64_t end, int worker) {
  const sumi__machine_loop *l = loop;
  const vf a = vset(l->factor);
  (void)worker;
  for (int64_t i = begin; i + V <= end; i += V) vstore(l->to + i, a * vload(l->from + i));
}
