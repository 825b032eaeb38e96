#include "data/order.h"

#define GOLDEN 0x9e3779b97f4a7c15u

static uint64_t scramble(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

sumi__mix sumi__mix_start(uint64_t seed, uint64_t a, uint64_t b) {
  return (sumi__mix){scramble(scramble(scramble(seed + GOLDEN) ^ (a + GOLDEN)) ^ (b + 2 * GOLDEN))};
}

uint64_t sumi__mix_next(sumi__mix *mix) { return scramble(mix->state += GOLDEN); }

uint32_t sumi__mix_below(sumi__mix *mix, uint32_t n) {
  uint64_t product = (sumi__mix_next(mix) >> 32) * n;
  if ((uint32_t)product < n) { /* perhaps in the part that would favour small numbers */
    const uint32_t threshold = (0u - n) % n;
    while ((uint32_t)product < threshold) product = (sumi__mix_next(mix) >> 32) * n;
  }
  return (uint32_t)(product >> 32);
}

void sumi__epoch_order(uint64_t seed, int64_t epoch, uint32_t *order, int64_t count) {
  sumi__mix mix = sumi__mix_start(seed, (uint64_t)epoch, 0);
  for (int64_t i = 0; i < count; i++) order[i] = (uint32_t)i;
  for (int64_t i = count - 1; i > 0; i--) {
    const uint32_t j = sumi__mix_below(&mix, (uint32_t)i + 1), taken = order[i];
    order[i] = order[j];
    order[j] = taken;
  }
}
