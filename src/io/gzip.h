/* The only door to zlib: expanding gzip and zlib data, and the CRC that PNG uses too. */
#ifndef SUMI_SRC_IO_GZIP_H
#define SUMI_SRC_IO_GZIP_H

#include "base/base.h"

/* True if the bytes start like a gzip member (RFC 1952). */
bool sumi__is_gzip(const void *data, size_t bytes);

/* Expands gzip data of one or more members into at most `limit` bytes; `name` is for the error's line. The result is
 * followed by a zero byte that is not counted; free with sumi__free. Memory follows what really comes out, so a
 * header alone cannot make it huge. Errors: FORMAT (damaged, truncated, trailing bytes, over the limit), NO_MEMORY. */
sumi_status sumi__gunzip(sumi_context *ctx, const char *name, const void *data, size_t bytes, size_t limit,
                         uint8_t **out, size_t *out_bytes);

/* Expands the first `want` bytes, or what there is of them, into `out`; returns how many. Says nothing of what is wrong
 * with the data: expanding them does. */
size_t sumi__gunzip_head(const void *data, size_t bytes, uint8_t *out, size_t want);

/* sumi__gunzip for one zlib stream (RFC 1950), as inside of PNG's chunks. */
sumi_status sumi__inflate_zlib(sumi_context *ctx, const char *name, const void *data, size_t bytes, size_t limit,
                               uint8_t **out, size_t *out_bytes);

/* CRC-32 of RFC 1952 and PNG; start with 0 and feed the result back for the next piece. */
uint32_t sumi__crc32(uint32_t crc, const void *data, size_t bytes);

#endif
