/* Philox4x32-10: random numbers as a pure function of a key and a counter, so that any element can be made alone, on
 * any thread or device (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). */
#ifndef SUMI_SRC_BASE_PHILOX_H
#define SUMI_SRC_BASE_PHILOX_H

#include <stdint.h>

/* 128 random bits for this key and counter. `out` may be `counter`. Thread-safe. */
static inline void sumi__philox4x32(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u; /* the golden ratio and sqrt(3) - 1, as a Weyl sequence */
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

#endif
