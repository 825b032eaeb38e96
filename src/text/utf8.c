/* UTF-8 (RFC 3629), both ways, and arrays of code points. */
#include "text/unicode.h"

size_t sumi__utf8_get(const uint8_t *text, size_t bytes, uint32_t *code) {
  const uint8_t first = text[0];
  *code = first;
  if (first < 0x80) return 1;
  *code = 0xFFFD;
  if (first < 0xC2 || first > 0xF4) return 1;
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  /* The second byte's range shuts out overlong forms, surrogates and what is beyond U+10FFFF. */
  const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  uint32_t value = first & (0x7Fu >> length);
  for (size_t i = 1; i < length; i++) {
    if (i == bytes || text[i] < (i == 1 ? low : 0x80) || text[i] > (i == 1 ? high : 0xBF)) return i;
    value = value << 6 | (text[i] & 0x3F);
  }
  *code = value;
  return length;
}

size_t sumi__utf8_put(uint32_t code, uint8_t out[4]) {
  if (code < 0x80) {
    out[0] = (uint8_t)code;
    return 1;
  }
  const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = length - 1; i > 0; i--) {
    out[i] = (uint8_t)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  out[0] = (uint8_t)((0xF00u >> length) & 0xFF) | (uint8_t)code;
  return length;
}

sumi_status sumi__codes_reserve(sumi_context *ctx, sumi__codes *codes, size_t more) {
  size_t need;
  if (!sumi__add_size(codes->count, more, &need)) return sumi__fail(ctx, SUMI_NO_MEMORY, "a text is too long");
  return sumi__grow(ctx, (void **)&codes->items, &codes->capacity, need, sizeof *codes->items);
}

void sumi__codes_free(sumi_context *ctx, sumi__codes *codes) {
  sumi__free(ctx, codes->items);
  *codes = (sumi__codes){0};
}

sumi_status sumi__codes_of_utf8(sumi_context *ctx, const char *text, size_t bytes, sumi__codes *out) {
  const sumi_status status = sumi__codes_reserve(ctx, out, bytes);
  if (status != SUMI_OK) return status;
  for (size_t at = 0; at < bytes;)
    at += sumi__utf8_get((const uint8_t *)text + at, bytes - at, &out->items[out->count++]);
  return SUMI_OK;
}
