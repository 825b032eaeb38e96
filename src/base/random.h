/* PyTorch's CPU random numbers, value for value, so that a seed gives the noise that it gives there.
 *
 * The bits are MT19937 (M. Matsumoto and T. Nishimura, 1998). What is made of them follows PyTorch's
 * ATen/core/DistributionsHelper.h and ATen/native/cpu/DistributionTemplates.h. A generator is plain data: copy it,
 * compare it, save it. It belongs to one thread at a time. */
#ifndef SUMI_SRC_BASE_RANDOM_H
#define SUMI_SRC_BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUMI__RNG_WORDS = 624 };

typedef struct sumi__rng {
  uint32_t words[SUMI__RNG_WORDS];
  uint32_t next;   /* the first unused word, 0 to SUMI__RNG_WORDS */
  bool has_normal; /* a draw of fewer than 16 normals has left one over, */
  double normal;   /* which the next such draw begins with */
} sumi__rng;

/* torch.manual_seed: only the low 32 bits count. */
void sumi__rng_seed(sumi__rng *rng, uint64_t seed);

uint32_t sumi__rng_u32(sumi__rng *rng);
uint64_t sumi__rng_u64(sumi__rng *rng); /* the first draw is the high half */

/* Tensor.uniform_(low, high), f32: low + (high - low) u, u a multiple of 2^-24 in [0, 1). torch.rand is (0, 1). */
void sumi__rng_uniform(sumi__rng *rng, float low, float high, float *out, size_t count);

/* torch.randn, f32. From 16 values on it is not the same stream as below, and a count that is no multiple of 16 draws
 * the last 16 values again; so two draws of 8 are not one of 16. The logarithm, sine and cosine for 16 values and
 * more are the polynomials of PyTorch's AVX2 path, with its roundings. */
void sumi__rng_normal(sumi__rng *rng, float *out, size_t count);

/* One value of torch.randint(0, range): [0, range), range at least 1. From 2^28 on a value takes 64 bits (PyTorch 2.6
 * and later; before, from 2^32 on). */
uint64_t sumi__rng_below(sumi__rng *rng, uint64_t range);

/* torch.randperm(count) into `out`; count below 2^32 / 20. */
void sumi__rng_permutation(sumi__rng *rng, int64_t *out, size_t count);

/* The whole state as bytes that do not depend on the machine. */
enum { SUMI__RNG_BYTES = SUMI__RNG_WORDS * 4 + 4 + 4 + 8 };
void sumi__rng_save(const sumi__rng *rng, uint8_t out[SUMI__RNG_BYTES]);
/* False, with the generator as it was, if the bytes are no state that sumi__rng_save gives. */
bool sumi__rng_load(sumi__rng *rng, const uint8_t *bytes, size_t count);

#endif
