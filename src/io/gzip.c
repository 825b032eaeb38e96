#include "io/gzip.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

bool sumi__is_gzip(const void *data, size_t bytes) {
  const uint8_t *p = data;
  return bytes >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

uint32_t sumi__crc32(uint32_t crc, const void *data, size_t bytes) {
  const uint8_t *p = data;
  while (bytes) {
    const uInt n = bytes > INT_MAX ? INT_MAX : (uInt)bytes;
    crc = (uint32_t)crc32(crc, p, n);
    p += n;
    bytes -= n;
  }
  return crc;
}

/* Makes room for at least one byte and the final zero. */
static sumi_status make_room(sumi_context *ctx, uint8_t **out, size_t used, size_t *capacity, size_t limit) {
  if (used + 1 < *capacity) return SUMI_OK;
  size_t need = *capacity ? *capacity * 2 : 64 * 1024;
  if (need > limit + 1) need = limit + 1;
  return sumi__grow(ctx, (void **)out, capacity, need, 1);
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Expands one member; *in moves past it. */
static sumi_status inflate_member(sumi_context *ctx, const char *name, z_stream *z, const uint8_t **in, size_t *left,
                                  size_t limit, uint8_t **out, size_t *used, size_t *capacity) {
  for (;;) {
    /* At the limit exactly, the member may still have nothing but its end to give. */
    const bool full = *used >= limit;
    uint8_t beyond;
    if (!full && make_room(ctx, out, *used, capacity, limit) != SUMI_OK) return SUMI_NO_MEMORY;
    const size_t room = full ? 1 : smaller(smaller(limit - *used, *capacity - 1 - *used), INT_MAX);
    z->next_out = full ? &beyond : *out + *used;
    z->avail_out = (uInt)room;
    z->next_in = (Bytef *)(uintptr_t)*in; /* zlib's interface lacks a const; it only reads */
    z->avail_in = *left > INT_MAX ? INT_MAX : (uInt)*left;
    const uInt given = z->avail_in;
    const int code = inflate(z, Z_NO_FLUSH);
    const size_t taken = given - z->avail_in, made = room - z->avail_out;
    *in += taken;
    *left -= taken;
    if (full && made)
      return sumi__fail(ctx, SUMI_FORMAT, "%s: expands to more than the %zu bytes expected at most", name, limit);
    *used += made;
    if (code == Z_STREAM_END) return SUMI_OK;
    if (code == Z_MEM_ERROR) return sumi__fail(ctx, SUMI_NO_MEMORY, "%s: out of memory while expanding", name);
    if (code == Z_OK && (taken || made)) continue;
    if (!*left) return sumi__fail(ctx, SUMI_FORMAT, "%s: the compressed data is truncated", name);
    return sumi__fail(ctx, SUMI_FORMAT, "%s: the compressed data is damaged (%s)", name,
                      z->msg ? z->msg : "no progress");
  }
}

/* gzip: members until the data ends; else one zlib stream. */
static sumi_status expand(sumi_context *ctx, const char *name, bool gzip, const void *data, size_t bytes, size_t limit,
                          uint8_t **out, size_t *out_bytes) {
  sumi_status status = SUMI_OK;
  uint8_t *expanded = NULL;
  size_t used = 0, capacity = 0, left = bytes;
  const uint8_t *in = data;
  z_stream z = {0};
  bool open = false;
  *out = NULL;
  *out_bytes = 0;
  SUMI_CHECK(ctx, limit <= INT64_MAX / 4, SUMI_INVALID, "%s: a limit of %zu bytes is out of range", name, limit);
  SUMI_CHECK(ctx, inflateInit2(&z, gzip ? 15 + 16 : 15) == Z_OK, SUMI_NO_MEMORY, "%s: out of memory while expanding",
             name);
  open = true;
  do {
    SUMI_CHECK(ctx, left == bytes || (gzip && sumi__is_gzip(in, left)), SUMI_FORMAT,
               "%s: %zu bytes follow the compressed data", name, left);
    SUMI_TRY(inflate_member(ctx, name, &z, &in, &left, limit, &expanded, &used, &capacity));
    inflateReset(&z);
  } while (left);
  SUMI_TRY(sumi__grow(ctx, (void **)&expanded, &capacity, used + 1, 1));
  expanded[used] = 0;
  *out = expanded;
  *out_bytes = used;
  expanded = NULL;
done:
  if (open) inflateEnd(&z);
  sumi__free(ctx, expanded);
  return status;
}

sumi_status sumi__gunzip(sumi_context *ctx, const char *name, const void *data, size_t bytes, size_t limit,
                         uint8_t **out, size_t *out_bytes) {
  *out = NULL;
  *out_bytes = 0;
  if (!sumi__is_gzip(data, bytes)) return sumi__fail(ctx, SUMI_FORMAT, "%s: is not gzip data", name);
  return expand(ctx, name, true, data, bytes, limit, out, out_bytes);
}

sumi_status sumi__inflate_zlib(sumi_context *ctx, const char *name, const void *data, size_t bytes, size_t limit,
                               uint8_t **out, size_t *out_bytes) {
  return expand(ctx, name, false, data, bytes, limit, out, out_bytes);
}

size_t sumi__gunzip_head(const void *data, size_t bytes, uint8_t *out, size_t want) {
  z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = bytes > INT_MAX ? INT_MAX : (uInt)bytes};
  z.next_out = out;
  z.avail_out = want > INT_MAX ? INT_MAX : (uInt)want;
  if (inflateInit2(&z, 15 + 16) != Z_OK) return 0;
  int code = Z_OK;
  while (z.avail_out && z.avail_in && (code == Z_OK || code == Z_STREAM_END)) {
    if (code == Z_STREAM_END) inflateReset(&z); /* the next member goes on */
    code = inflate(&z, Z_SYNC_FLUSH);
  }
  inflateEnd(&z);
  return (size_t)(z.next_out - out);
}
