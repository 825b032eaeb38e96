/* Chunks, and the texts in them (tEXt, zTXt, iTXt: PNG specification, section 11.3.4). */
#include "io/png.h"

#include "io/file.h"
#include "io/gzip.h"
#include "io/png_chunk.h"
#include "io/text.h"

#include <string.h>

enum { MAX_TEXTS = 256, MAX_TEXT_BYTES = 8 << 20 };

static const uint8_t signature[SUMI__PNG_SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

bool sumi__is_png(const void *data, size_t bytes) {
  return bytes >= sizeof signature && !memcmp(data, signature, sizeof signature);
}

sumi_status sumi__png_next_chunk(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes, size_t *offset,
                                 sumi__png_chunk *chunk, bool *end) {
  sumi_status status = SUMI_OK;
  *end = false;
  if (chunk->type[0] && !strcmp(chunk->type, "IEND")) {
    *chunk = (sumi__png_chunk){0};
    *end = true;
    return SUMI_OK;
  }
  const size_t left = bytes - *offset;
  SUMI_CHECK(ctx, left >= SUMI__PNG_CHUNK_OVERHEAD, SUMI_FORMAT, "%s: is truncated: a PNG ends with IEND", name);
  const uint8_t *p = data + *offset;
  const uint32_t length = sumi__get_u32_be(p);
  SUMI_CHECK(ctx, length <= left - SUMI__PNG_CHUNK_OVERHEAD, SUMI_FORMAT,
             "%s: is truncated: a chunk of %u bytes, %zu are there", name, length, left - SUMI__PNG_CHUNK_OVERHEAD);
  SUMI_CHECK(ctx, sumi__crc32(0, p + 4, (size_t)length + 4) == sumi__get_u32_be(p + 8 + length), SUMI_FORMAT,
             "%s: a chunk at byte %zu is damaged: its CRC does not fit", name, *offset);
  memcpy(chunk->type, p + 4, 4);
  chunk->type[4] = 0;
  chunk->data = p + 8;
  chunk->bytes = length;
  *offset += (size_t)length + SUMI__PNG_CHUNK_OVERHEAD;
done:
  return status;
}

/* Texts on their way into one block of memory: each key and text, ended by zeros, in a growing buffer. */
typedef struct collector {
  sumi_context *ctx;
  const char *name;
  char *buffer;
  size_t bytes, capacity, count;
} collector;

static sumi_status append(collector *c, const void *data, size_t bytes) {
  const sumi_status status = sumi__grow(c->ctx, (void **)&c->buffer, &c->capacity, c->bytes + bytes, 1);
  if (status != SUMI_OK) return status;
  if (bytes) memcpy(c->buffer + c->bytes, data, bytes);
  c->bytes += bytes;
  return SUMI_OK;
}

/* Latin-1 as UTF-8, with a final zero; a zero inside ends it early. */
static sumi_status append_latin1(collector *c, const uint8_t *text, size_t bytes) {
  sumi_status status = SUMI_OK;
  for (size_t i = 0; i < bytes && text[i] && status == SUMI_OK; i++) {
    const char pair[2] = {(char)(0xc0 | text[i] >> 6), (char)(0x80 | (text[i] & 0x3f))};
    status = text[i] < 0x80 ? append(c, text + i, 1) : append(c, pair, 2);
  }
  return status == SUMI_OK ? append(c, "", 1) : status;
}

static sumi_status append_utf8(collector *c, const uint8_t *text, size_t bytes) {
  const size_t n = strnlen((const char *)text, bytes);
  if (!sumi__is_utf8((const char *)text, n))
    return sumi__fail(c->ctx, SUMI_FORMAT, "%s: an iTXt chunk is not UTF-8", c->name);
  const sumi_status status = append(c, text, n);
  return status == SUMI_OK ? append(c, "", 1) : status;
}

/* Moves *p behind the next zero; false if there is none. */
static bool skip_string(const uint8_t **p, size_t *left) {
  const uint8_t *zero = *left ? memchr(*p, 0, *left) : NULL;
  if (!zero) return false;
  *left -= (size_t)(zero + 1 - *p);
  *p = zero + 1;
  return true;
}

/* The text behind a key. Latin-1 for tEXt and zTXt, UTF-8 for iTXt; perhaps compressed. */
static sumi_status append_body(collector *c, const uint8_t *p, size_t left, bool utf8, bool compressed) {
  uint8_t *expanded = NULL;
  sumi_status status = SUMI_OK;
  if (compressed) {
    status = sumi__inflate_zlib(c->ctx, c->name, p, left, MAX_TEXT_BYTES, &expanded, &left);
    p = expanded;
  }
  if (status == SUMI_OK && c->bytes + left > MAX_TEXT_BYTES)
    status = sumi__fail(c->ctx, SUMI_FORMAT, "%s: has more than %d bytes of text", c->name, (int)MAX_TEXT_BYTES);
  if (status == SUMI_OK) status = utf8 ? append_utf8(c, p, left) : append_latin1(c, p, left);
  sumi__free(c->ctx, expanded);
  return status;
}

static sumi_status collect(collector *c, const sumi__png_chunk *chunk) {
  sumi_status status = SUMI_OK;
  const bool plain = !strcmp(chunk->type, "tEXt"), packed = !strcmp(chunk->type, "zTXt");
  const bool international = !strcmp(chunk->type, "iTXt");
  if (!plain && !packed && !international) return SUMI_OK;
  const uint8_t *p = chunk->data;
  size_t left = chunk->bytes;
  bool compressed = packed;
  SUMI_CHECK(c->ctx, c->count < MAX_TEXTS, SUMI_FORMAT, "%s: has more than %d texts", c->name, (int)MAX_TEXTS);
  SUMI_CHECK(c->ctx, skip_string(&p, &left) && p - chunk->data > 1 && p - chunk->data <= 80, SUMI_FORMAT,
             "%s: a %s chunk has no proper keyword", c->name, chunk->type);
  SUMI_TRY(append_latin1(c, chunk->data, (size_t)(p - chunk->data)));
  if (packed || international) {
    const size_t head = international ? 2 : 1; /* iTXt: a flag, then the method */
    SUMI_CHECK(c->ctx, left >= head && p[head - 1] == 0 && (packed || p[0] <= 1), SUMI_FORMAT,
               "%s: a %s chunk has an unknown compression", c->name, chunk->type);
    if (international) compressed = p[0] == 1;
    p += head;
    left -= head;
  }
  if (international) /* a language, and the keyword in that language */
    SUMI_CHECK(c->ctx, skip_string(&p, &left) && skip_string(&p, &left), SUMI_FORMAT, "%s: an iTXt chunk is truncated",
               c->name);
  SUMI_TRY(append_body(c, p, left, international, compressed));
  c->count++;
done:
  return status;
}

/* Puts an array of pairs before the collected strings. */
static sumi_status pack(const collector *c, sumi_png_text **out) {
  sumi_png_text *texts = sumi__alloc(c->ctx, c->count * sizeof *texts + c->bytes);
  if (!texts) return SUMI_NO_MEMORY;
  char *p = (char *)(texts + c->count);
  if (c->bytes) memcpy(p, c->buffer, c->bytes);
  for (size_t i = 0; i < c->count; i++) {
    texts[i].key = p;
    p += strlen(p) + 1;
    texts[i].text = p;
    p += strlen(p) + 1;
  }
  *out = texts;
  return SUMI_OK;
}

sumi_status sumi__png_decode_texts(sumi_context *ctx, const char *name, const void *data, size_t bytes,
                                   sumi_png_text **out, size_t *out_count) {
  sumi_status status = SUMI_OK;
  collector c = {.ctx = ctx, .name = name};
  sumi__png_chunk chunk = {0};
  size_t offset = SUMI__PNG_SIGNATURE;
  bool end = false;
  *out = NULL;
  *out_count = 0;
  SUMI_CHECK(ctx, sumi__is_png(data, bytes), SUMI_FORMAT, "%s: is not a PNG", name);
  for (;;) {
    SUMI_TRY(sumi__png_next_chunk(ctx, name, data, bytes, &offset, &chunk, &end));
    if (end) break;
    SUMI_TRY(collect(&c, &chunk));
  }
  SUMI_TRY(pack(&c, out));
  *out_count = c.count;
done:
  sumi__free(ctx, c.buffer);
  return status;
}

sumi_status sumi_png_read_text(sumi_context *ctx, const char *path, const char *key, char **out) {
  sumi_status status = SUMI_OK;
  sumi__mapping map;
  sumi_png_text *texts = NULL;
  size_t count = 0, i = 0;
  char shown[SUMI__QUOTE_MAX];
  *out = NULL;
  SUMI_TRY(sumi__file_map(ctx, path, &map));
  SUMI_TRY(sumi__png_decode_texts(ctx, path, map.data, map.bytes, &texts, &count));
  while (i < count && strcmp(texts[i].key, key) != 0) i++;
  SUMI_CHECK(ctx, i < count, SUMI_NOT_FOUND, "%s: has no text under the key %s", path, sumi__quote(shown, key));
  *out = sumi__strdup(ctx, texts[i].text);
  if (!*out) status = SUMI_NO_MEMORY;
done:
  sumi__file_unmap(&map);
  sumi__free(ctx, texts);
  return status;
}

void sumi_text_free(sumi_context *ctx, char *text) { sumi__free(ctx, text); }
