#include "io/idx.h"

#include "io/file.h"
#include "io/gzip.h"

#include <string.h>

/* The type codes of the format. */
static const struct idx_type {
  uint8_t code;
  sumi_dtype dtype;
  size_t bytes;
} types[] = {{0x08, SUMI_U8, 1},  {0x09, SUMI_I8, 1},  {0x0b, SUMI_I16, 2},
             {0x0c, SUMI_I32, 4}, {0x0d, SUMI_F32, 4}, {0x0e, SUMI_F64, 8}};

static const struct idx_type *find_type(uint8_t code) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].code == code) return &types[i];
  return NULL;
}

static uint32_t big_endian_u32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Copies n elements of the given size from big-endian to the machine's order. */
static void copy_elements(const uint8_t *from, size_t n, size_t size, uint8_t *to) {
  if (size == 1) {
    if (n) memcpy(to, from, n);
    return;
  }
  for (size_t i = 0; i < n; i++, from += size, to += size) {
    uint64_t bits = 0;
    for (size_t k = 0; k < size; k++) bits = bits << 8 | from[k];
    const uint16_t half = (uint16_t)bits;
    const uint32_t word = (uint32_t)bits;
    memcpy(to, size == 2 ? (const void *)&half : size == 4 ? (const void *)&word : (const void *)&bits, size);
  }
}

/* The header: *type, rank, dims, count and bytes of the data. Returns the header's length through *header_bytes. */
static sumi_status read_header(sumi_context *ctx, const char *name, const uint8_t *p, size_t bytes,
                               const struct idx_type **type, size_t *header_bytes, sumi__idx *out) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, bytes >= 4, SUMI_FORMAT, "%s: has %zu bytes, an IDX file has at least 4", name, bytes);
  SUMI_CHECK(ctx, p[0] == 0 && p[1] == 0, SUMI_FORMAT,
             "%s: begins with the bytes %02x %02x, an IDX file begins with 00 00", name, p[0], p[1]);
  *type = find_type(p[2]);
  SUMI_CHECK(ctx, *type, SUMI_FORMAT, "%s: has the unknown IDX type 0x%02x", name, p[2]);
  out->rank = p[3];
  SUMI_CHECK(ctx, out->rank >= 1 && out->rank <= SUMI_MAX_RANK, SUMI_FORMAT,
             "%s: has %d dimensions, 1 to %d were expected", name, out->rank, SUMI_MAX_RANK);
  *header_bytes = 4 + 4 * (size_t)out->rank;
  SUMI_CHECK(ctx, bytes >= *header_bytes, SUMI_FORMAT, "%s: is truncated: %zu bytes of a header of %zu", name, bytes,
             *header_bytes);
  out->dtype = (*type)->dtype;
  out->count = 1;
  for (int i = 0; i < out->rank; i++) {
    out->dims[i] = big_endian_u32(p + 4 + 4 * i);
    SUMI_CHECK(ctx, sumi__mul_i64(out->count, out->dims[i], &out->count), SUMI_FORMAT,
               "%s: its dimensions multiply past 2^63", name);
  }
  SUMI_CHECK(ctx, sumi__mul_size((size_t)out->count, (*type)->bytes, &out->bytes), SUMI_FORMAT,
             "%s: its dimensions multiply past 2^64 bytes", name);
done:
  return status;
}

/* Expanded bytes into *out, which the caller has zeroed. */
static sumi_status parse_plain(sumi_context *ctx, const char *name, const uint8_t *p, size_t bytes, sumi__idx *out) {
  sumi_status status = SUMI_OK;
  const struct idx_type *type = NULL;
  size_t header_bytes = 0;
  SUMI_TRY(read_header(ctx, name, p, bytes, &type, &header_bytes, out));
  const size_t there = bytes - header_bytes;
  SUMI_CHECK(ctx, there >= out->bytes, SUMI_FORMAT, "%s: is truncated: its dimensions need %zu bytes, %zu are there",
             name, out->bytes, there);
  SUMI_CHECK(ctx, there == out->bytes, SUMI_FORMAT, "%s: is too long: its dimensions need %zu bytes, %zu are there",
             name, out->bytes, there);
  out->data = sumi__alloc(ctx, out->bytes);
  if (out->data)
    copy_elements(p + header_bytes, (size_t)out->count, type->bytes, out->data);
  else
    status = SUMI_NO_MEMORY;
done:
  if (status != SUMI_OK) *out = (sumi__idx){0};
  return status;
}

/* Lowers the limit to what the file's own header asks for, so that what follows its data is never expanded. A header
 * that is not there in full is left for later, when it is known why. */
static sumi_status read_limit(sumi_context *ctx, const char *name, const void *data, size_t bytes, size_t *limit) {
  sumi_status status = SUMI_OK;
  uint8_t head[4 + 4 * SUMI_MAX_RANK] = {0};
  const struct idx_type *type = NULL;
  size_t header_bytes = 0, total = 0;
  sumi__idx idx = {0};
  const size_t there = sumi__gunzip_head(data, bytes, head, sizeof head);
  if (there < sizeof head) return SUMI_OK;
  SUMI_TRY(read_header(ctx, name, head, there, &type, &header_bytes, &idx));
  SUMI_CHECK(ctx, sumi__add_size(header_bytes, idx.bytes, &total) && total <= *limit, SUMI_FORMAT,
             "%s: its dimensions need %zu bytes, at most %zu were expected", name, idx.bytes, *limit);
  *limit = total;
done:
  return status;
}

sumi_status sumi__idx_parse(sumi_context *ctx, const char *name, const void *data, size_t bytes, size_t limit,
                            sumi__idx *out) {
  sumi_status status = SUMI_OK;
  uint8_t *expanded = NULL;
  size_t expanded_bytes = 0;
  *out = (sumi__idx){0};
  if (!sumi__is_gzip(data, bytes)) return parse_plain(ctx, name, data, bytes, out);
  SUMI_TRY(read_limit(ctx, name, data, bytes, &limit));
  SUMI_TRY(sumi__gunzip(ctx, name, data, bytes, limit, &expanded, &expanded_bytes));
  SUMI_TRY(parse_plain(ctx, name, expanded, expanded_bytes, out));
done:
  sumi__free(ctx, expanded);
  return status;
}

sumi_status sumi__idx_read(sumi_context *ctx, const char *path, size_t limit, sumi__idx *out) {
  uint8_t *data = NULL;
  size_t bytes = 0;
  *out = (sumi__idx){0};
  sumi_status status = sumi__file_read(ctx, path, limit, &data, &bytes);
  if (status == SUMI_OK) status = sumi__idx_parse(ctx, path, data, bytes, limit, out);
  sumi__free(ctx, data);
  return status;
}

void sumi__idx_free(sumi_context *ctx, sumi__idx *idx) {
  sumi__free(ctx, idx->data);
  *idx = (sumi__idx){0};
}
