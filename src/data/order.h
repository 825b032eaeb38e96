/* The order in which an epoch goes through a data set, and the shift of each picture: pure functions of (seed, epoch),
 * so that a position in training is three numbers. */
#ifndef SUMI_SRC_DATA_ORDER_H
#define SUMI_SRC_DATA_ORDER_H

#include <stdint.h>

/* A counter-based stream of 64-bit numbers (splitmix64: Steele, Lea and Flood 2014). */
typedef struct sumi__mix {
  uint64_t state;
} sumi__mix;

/* The stream of (seed, a, b). */
sumi__mix sumi__mix_start(uint64_t seed, uint64_t a, uint64_t b);
uint64_t sumi__mix_next(sumi__mix *mix);
/* Uniform in [0, n), n from 1 to 2^32, without bias (Lemire 2019). */
uint32_t sumi__mix_below(sumi__mix *mix, uint32_t n);

/* Fills order[0..count) with the permutation of the epoch (Fisher-Yates). count < 2^32. */
void sumi__epoch_order(uint64_t seed, int64_t epoch, uint32_t *order, int64_t count);

#endif
