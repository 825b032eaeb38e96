/* Mutated PNGs with CRCs that fit, or no mutation would get past them. */
#ifndef SUMI_FUZZ_MEND_PNG_H
#define SUMI_FUZZ_MEND_PNG_H

#include "fuzz.h"

#include "io/gzip.h"
#include "io/png_chunk.h"

static inline void mend_crcs(uint8_t *data, size_t bytes) {
  size_t at = SUMI__PNG_SIGNATURE;
  while (bytes >= SUMI__PNG_CHUNK_OVERHEAD && at <= bytes - SUMI__PNG_CHUNK_OVERHEAD) {
    const size_t length = sumi__get_u32_be(data + at);
    if (length > bytes - SUMI__PNG_CHUNK_OVERHEAD - at) return;
    sumi__put_u32_be(data + at + 8 + length, sumi__crc32(0, data + at + 4, length + 4));
    at += length + SUMI__PNG_CHUNK_OVERHEAD;
  }
}

/* In a block of the input's own size, for free(): a sanitizer sees a step beyond it. */
static inline uint8_t *mended_copy(const uint8_t *data, size_t bytes) {
  uint8_t *copy = malloc(bytes ? bytes : 1);
  fuzz_require(copy != NULL, "the fuzzer has memory");
  if (bytes) memcpy(copy, data, bytes);
  mend_crcs(copy, bytes);
  return copy;
}

#endif
