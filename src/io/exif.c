#include "io/exif.h"

#include "io/text.h"

#include <string.h>

enum { MAX_TEXT_BYTES = 8 << 20, CODE_BYTES = 8 };
enum { TAG_ORIENTATION = 0x0112, TAG_EXIF_FOLDER = 0x8769, TAG_USER_COMMENT = 0x9286 };
enum { TYPE_BYTE = 1, TYPE_ASCII = 2, TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_UNDEFINED = 7 };
enum { HEADER = 8, ENTRY = 12, ONE_ENTRY_FOLDER = 2 + ENTRY + 4 };

/* ---- Numbers in either order --------------------------------------------------------------------------------------
 */

static unsigned get_u16(const uint8_t *p, bool big) {
  return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t get_u32(const uint8_t *p, bool big) {
  return big ? (uint32_t)get_u16(p, true) << 16 | get_u16(p + 2, true)
             : (uint32_t)get_u16(p + 2, false) << 16 | get_u16(p, false);
}

static uint8_t *put(uint8_t *p, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
  return p + bytes;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------
 */

/* The next character of well-formed UTF-8. */
static uint32_t next_character(const unsigned char **at) {
  const unsigned char *p = *at;
  const int more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
  uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];
  for (int i = 1; i <= more; i++) c = c << 6 | (p[i] & 0x3fu);
  *at = p + more + 1;
  return c;
}

/* Writes UTF-16BE and returns its bytes; only counts them where `to` is NULL. */
static size_t to_utf16(const char *text, uint8_t *to) {
  size_t bytes = 0;
  for (const unsigned char *at = (const unsigned char *)text; *at;) {
    const uint32_t c = next_character(&at);
    const int size = c < 0x10000 ? 2 : 4;
    const uint32_t pair = 0xd800dc00u | ((c - 0x10000) >> 10 & 0x3ff) << 16 | (c & 0x3ff);
    if (to) put(to + bytes, size == 2 ? c : pair, size);
    bytes += (size_t)size;
  }
  return bytes;
}

static uint8_t *put_entry(uint8_t *p, uint32_t tag, uint32_t type, uint32_t count, uint32_t value) {
  p = put(p, 1, 2); /* entries of this folder */
  p = put(p, tag, 2);
  p = put(p, type, 2);
  p = put(p, count, 4);
  p = put(p, value, 4);
  return put(p, 0, 4); /* no folder after it */
}

sumi_status sumi__exif_encode(sumi_context *ctx, const char *name, const char *text, uint8_t **out, size_t *out_bytes) {
  const size_t length = strlen(text);
  *out = NULL;
  *out_bytes = 0;
  if (length > MAX_TEXT_BYTES)
    return sumi__fail(ctx, SUMI_INVALID, "%s: a text of %zu bytes, at most %d were expected", name, length,
                      (int)MAX_TEXT_BYTES);
  if (!sumi__is_utf8(text, length)) return sumi__fail(ctx, SUMI_INVALID, "%s: the text is not UTF-8", name);
  const size_t comment = CODE_BYTES + to_utf16(text, NULL), start = HEADER + 2 * ONE_ENTRY_FOLDER;
  uint8_t *block = sumi__alloc(ctx, start + comment);
  if (!block) return SUMI_NO_MEMORY;
  memcpy(block, "MM\0*", 4);
  uint8_t *p = put(block + 4, HEADER, 4);
  p = put_entry(p, TAG_EXIF_FOLDER, TYPE_LONG, 1, HEADER + ONE_ENTRY_FOLDER);
  p = put_entry(p, TAG_USER_COMMENT, TYPE_UNDEFINED, (uint32_t)comment, (uint32_t)start);
  memcpy(p, "UNICODE", CODE_BYTES);
  to_utf16(text, p + CODE_BYTES);
  *out = block;
  *out_bytes = start + comment;
  return SUMI_OK;
}

sumi_status sumi__exif_only_text(sumi_context *ctx, const char *name, const sumi_png_text *texts, size_t count,
                                 const char **out) {
  char shown[SUMI__QUOTE_MAX];
  *out = NULL;
  if (!count) return SUMI_OK;
  if (count > 1)
    return sumi__fail(ctx, SUMI_INVALID, "%s: %zu texts; JPEG and WebP carry one, a PNG any number", name, count);
  if (strcmp(texts->key, "parameters") != 0)
    return sumi__fail(ctx, SUMI_INVALID, "%s: a text under the key %s; JPEG and WebP carry `parameters` alone", name,
                      sumi__quote(shown, texts->key));
  *out = texts->text;
  return SUMI_OK;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------
 */

typedef struct block {
  const uint8_t *data;
  size_t bytes;
  bool big;
} block;

/* What there is at a place of TIFF: nothing of that tag, an entry, or nonsense. */
typedef enum found { ABSENT, PRESENT, DAMAGED } found;

static bool open_block(const uint8_t *data, size_t bytes, block *out) {
  if (bytes >= 6 && !memcmp(data, "Exif\0", 6)) { /* some put JPEG's prefix into WebP, too */
    data += 6;
    bytes -= 6;
  }
  if (bytes < HEADER || (memcmp(data, "MM\0*", 4) != 0 && memcmp(data, "II*", 4) != 0)) return false;
  *out = (block){data, bytes, data[0] == 'M'};
  return true;
}

/* The entry of a tag in the folder at `offset`. */
static found find_entry(const block *b, size_t offset, unsigned tag, const uint8_t **entry) {
  if (offset < HEADER || offset > b->bytes - 2) return DAMAGED;
  const size_t count = get_u16(b->data + offset, b->big);
  if (count > (b->bytes - offset - 2) / ENTRY) return DAMAGED;
  for (size_t i = 0; i < count; i++) {
    *entry = b->data + offset + 2 + i * ENTRY;
    if (get_u16(*entry, b->big) == tag) return PRESENT;
  }
  return ABSENT;
}

static found find_comment(const block *b, const uint8_t **comment, size_t *bytes) {
  const uint8_t *entry;
  found it = find_entry(b, get_u32(b->data + 4, b->big), TAG_EXIF_FOLDER, &entry);
  if (it != PRESENT) return it;
  it = find_entry(b, get_u32(entry + 8, b->big), TAG_USER_COMMENT, &entry);
  if (it != PRESENT) return it;
  const size_t count = get_u32(entry + 4, b->big), at = get_u32(entry + 8, b->big);
  if (count <= CODE_BYTES) return ABSENT;           /* nothing behind the code, wherever it lies */
  const unsigned type = get_u16(entry + 2, b->big); /* it should be UNDEFINED; Pillow writes BYTE */
  if (type != TYPE_UNDEFINED && type != TYPE_BYTE && type != TYPE_ASCII) return DAMAGED;
  if (at > b->bytes || count > b->bytes - at) return DAMAGED;
  *comment = b->data + at;
  *bytes = count;
  return PRESENT;
}

/* Writers disagree whether the block's order holds for the comment. A byte order mark decides; without one that order
 * in which more of the text is Latin-1, as the names of parameters always are. */
static bool is_big_endian(const uint8_t *text, size_t bytes) {
  size_t big = 0, little = 0;
  if (bytes >= 2 && get_u16(text, true) == 0xfffe) return false;
  if (bytes >= 2 && get_u16(text, true) == 0xfeff) return true;
  for (size_t i = 0; i + 1 < bytes; i += 2) {
    big += !text[i];
    little += !text[i + 1];
  }
  return big >= little;
}

static char *put_utf8(char *to, uint32_t c) {
  const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  *to++ = (char)(more ? (0xff00u >> (more + 1) & 0xffu) | c >> (6 * more) : c);
  for (int i = more - 1; i >= 0; i--) *to++ = (char)(0x80 | (c >> (6 * i) & 0x3f));
  return to;
}

/* UTF-16 up to its first zero; half a pair becomes U+FFFD. `to` has room for 3 bytes for each 2, and a zero. */
static void from_utf16(const uint8_t *text, size_t bytes, char *to) {
  const bool big = is_big_endian(text, bytes);
  for (size_t i = 0; i + 1 < bytes; i += 2) {
    uint32_t c = get_u16(text + i, big);
    if (!c) break;
    if (c == 0xfeff && !i) continue;
    const uint32_t next = i + 3 < bytes ? get_u16(text + i + 2, big) : 0;
    if (c >= 0xd800 && c < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00);
      i += 2;
    }
    to = put_utf8(to, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
  }
  *to = 0;
}

/* Texts of any other code: UTF-8 where it is that, else Latin-1, up to the first zero. */
static void from_bytes(const uint8_t *text, size_t bytes, char *to) {
  const size_t n = strnlen((const char *)text, bytes);
  const bool utf8 = sumi__is_utf8((const char *)text, n);
  for (size_t i = 0; i < n; i++)
    if (utf8)
      *to++ = (char)text[i];
    else
      to = put_utf8(to, text[i]);
  *to = 0;
}

sumi_status sumi__exif_comment(sumi_context *ctx, const char *name, const uint8_t *data, size_t bytes, char **out) {
  block b;
  const uint8_t *comment = NULL;
  size_t count = 0;
  *out = NULL;
  const found it = open_block(data, bytes, &b) ? find_comment(&b, &comment, &count) : DAMAGED;
  if (it == DAMAGED) return sumi__fail(ctx, SUMI_FORMAT, "%s: its EXIF data are damaged", name);
  if (it == PRESENT && count > 2 * MAX_TEXT_BYTES + CODE_BYTES)
    return sumi__fail(ctx, SUMI_FORMAT, "%s: an EXIF comment of %zu bytes, at most %d were expected", name, count,
                      2 * MAX_TEXT_BYTES + CODE_BYTES);
  if (it == PRESENT) {
    const size_t text_bytes = count - CODE_BYTES;
    char *text = sumi__alloc(ctx, 2 * text_bytes + 1);
    if (!text) return SUMI_NO_MEMORY;
    (!memcmp(comment, "UNICODE", CODE_BYTES) ? from_utf16 : from_bytes)(comment + CODE_BYTES, text_bytes, text);
    if (*text)
      *out = text;
    else
      sumi__free(ctx, text);
  }
  return *out ? SUMI_OK : sumi__fail(ctx, SUMI_NOT_FOUND, "%s: has no EXIF comment", name);
}

int sumi__exif_orientation(const uint8_t *data, size_t bytes) {
  block b;
  const uint8_t *entry;
  if (!open_block(data, bytes, &b)) return 1;
  if (find_entry(&b, get_u32(b.data + 4, b.big), TAG_ORIENTATION, &entry) != PRESENT) return 1;
  const unsigned value = get_u16(entry + 8, b.big);
  return get_u16(entry + 2, b.big) == TYPE_SHORT && value >= 1 && value <= 8 ? (int)value : 1;
}
