/* The loops of cpu/lent.h. */
#include "cpu/lent.h"

#include "cpu/isa/lanes.h"

/* Pairs of bf16, the lower one first. */
static inline void store_pairs(uint16_t *to, vf low, vf high) {
#if defined(SUMI__SIMD_PAIRS)
  enum { SUBNORMAL = 0x20 };
  const unsigned subnormal =
      _mm512_fpclass_ps_mask((__m512)low, SUBNORMAL) | _mm512_fpclass_ps_mask((__m512)high, SUBNORMAL);
  if (__builtin_expect(subnormal == 0, 1)) {
    const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi16(turns, both));
    return;
  }
#endif
  const vu l = __builtin_convertvector(vto_bf16(low), vu), h = __builtin_convertvector(vto_bf16(high), vu);
  const vu pairs = l | h << 16;
  memcpy(to, &pairs, sizeof pairs);
}

static void pack_block(const sumi__lent_packing *k, int64_t vector, int64_t channel) {
  vf lanes[SUMI__LENT_VALUES];
  const int64_t taps = k->lent.taps, n = sumi__min_i64(k->block, k->channels - channel);
  lanes_read(&k->lent, vector * V, channel * taps, n * taps, lanes);
  if (k->dtype == SUMI_BF16) {
    uint16_t *to = (uint16_t *)k->packed + k->of_row[vector];
    for (int64_t c = 0; c < n; c += 2)
      for (int64_t tap = 0; tap < taps; tap++)
        store_pairs(to + k->of_channel[(channel + c) / 2] + k->of_tap[tap], lanes[c * taps + tap],
                    lanes[(c + 1) * taps + tap]);
    return;
  }
  float *to = (float *)k->packed + k->of_row[vector];
  for (int64_t c = 0; c < n; c++)
    for (int64_t tap = 0; tap < taps; tap++)
      vstore(to + k->of_channel[channel + c] + k->of_tap[tap], lanes[c * taps + tap]);
}

void SUMI__ISA_NAME(sumi__cpu_lent_pack)(void *packing, int64_t begin, int64_t end, int worker) {
  const sumi__lent_packing *k = packing;
  const int64_t blocks = (k->channels + k->block - 1) / k->block;
  (void)worker;
  for (int64_t item = begin; item < end; item++) {
    const int64_t first = item / blocks * k->group, last = sumi__min_i64(first + k->group, k->vectors);
    if ((item == begin || item % blocks == 0) && k->group_bytes)
      sumi__pages_prepare((char *)k->packed + item / blocks * (int64_t)k->group_bytes, k->group_bytes);
    for (int64_t vector = first; vector < last; vector++) pack_block(k, vector, item % blocks * k->block);
  }
}
