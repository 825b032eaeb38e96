/* The container of PNG: a signature, then chunks of length, type, data and CRC (PNG specification, section 5). For
 * what libpng does not do: animations, and texts without decoding the picture. */
#ifndef SUMI_SRC_IO_PNG_CHUNK_H
#define SUMI_SRC_IO_PNG_CHUNK_H

#include "base/base.h"

enum { SUMI__PNG_SIGNATURE = 8, SUMI__PNG_CHUNK_OVERHEAD = 12 };

/* True if the bytes begin with PNG's signature. */
bool sumi__is_png(const void *data, size_t bytes);

typedef struct sumi__png_chunk {
  char type[5];
  const uint8_t *data; /* lent */
  uint32_t bytes;
} sumi__png_chunk;

/* The chunk at *offset (SUMI__PNG_SIGNATURE at first), which moves to the one behind it. *end is true, and *chunk
 * empty, behind IEND. Errors: FORMAT (truncated, CRC); `name` stands for the path. */
sumi_status sumi__png_next_chunk(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes, size_t *offset,
                                 sumi__png_chunk *chunk, bool *end);

/* The numbers of PNG are big-endian. */
static inline uint32_t sumi__get_u32_be(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void sumi__put_u32_be(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}
static inline void sumi__put_u16_be(uint8_t *p, uint32_t v) {
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

#endif
