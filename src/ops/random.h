/* What the random operators and their kernels share: from the state and an element's index to a number. Element 4i+j
 * of a node's result is lane j of block i. */
#ifndef SUMI_SRC_OPS_RANDOM_H
#define SUMI_SRC_OPS_RANDOM_H

#include "base/philox.h"
#include "ops/attrs.h"

#include <math.h>

/* Block i: 128 bits in four lanes. state: seed and counter. */
static inline void sumi__random_block(const int64_t state[2], int stream, int64_t i, uint32_t lanes[4]) {
  const uint64_t seed = (uint64_t)state[0], block = (uint64_t)i;
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)(uint64_t)state[1],
                               (uint32_t)stream};
  sumi__philox4x32(key, counter, lanes);
}

/* [0, 1), a multiple of 2^-24. */
static inline float sumi__random_unit(uint32_t bits) { return (float)(bits >> 8) * 0x1p-24f; }

/* Two normals from two lanes (Box and Muller 1958), in PyTorch's order: the cosine first. */
static inline void sumi__random_normals(uint32_t a, uint32_t b, float out[2]) {
  const float radius = sqrtf(-2.0f * logf(1.0f - sumi__random_unit(a))); /* 1 - u is in (0, 1] */
  const float angle = 6.2831853f * sumi__random_unit(b);
  out[0] = radius * cosf(angle);
  out[1] = radius * sinf(angle);
}

/* Dropout keeps an element where this holds. */
static inline bool sumi__random_keeps(uint32_t bits, float p) { return sumi__random_unit(bits) >= p; }

#endif
