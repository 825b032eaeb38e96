/* Ids to text: pieces to bytes, bytes to UTF-8. */
#include "text/tokenizer.h"

#include <string.h>

/* A piece's bytes, one for each of its letters; a piece with a letter that stands for no byte is taken as it is spelt.
 * `out` has room for as many bytes as the piece. Returns how many there are. */
static size_t piece_bytes(const char *piece, uint8_t *out) {
  const size_t length = strlen(piece);
  size_t count = 0;
  for (size_t at = 0; at < length;) {
    uint32_t code;
    at += sumi__utf8_get((const uint8_t *)piece + at, length - at, &code);
    const int byte = sumi__letter_byte(code);
    if (byte < 0) {
      memcpy(out, piece, length);
      return length;
    }
    out[count++] = (uint8_t)byte;
  }
  return count;
}

/* The mark for a word's end becomes a space, in place. */
static size_t replace_word_ends(uint8_t *text, size_t bytes) {
  size_t to = 0;
  for (size_t from = 0; from < bytes;) {
    const bool end = bytes - from >= 4 && memcmp(text + from, "</w>", 4) == 0;
    text[to++] = end ? ' ' : text[from];
    from += end ? 4 : 1;
  }
  return to;
}

/* What Python's str.strip takes: white space, and the four separators of ASCII. */
static bool is_stripped(uint32_t code) { return sumi__is_space(code) || (code >= 0x1C && code <= 0x1F); }

sumi_status sumi_tokenizer_decode(const sumi_tokenizer *tokenizer, sumi_context *ctx, const int32_t *ids, size_t count,
                                  char **out) {
  sumi_status status = SUMI_OK;
  uint8_t *bytes = NULL, *text = NULL;
  size_t room = 1, length = 0, written = 0;
  sumi__codes codes = {0};
  *out = NULL;
  for (size_t i = 0; i < count; i++) {
    const char *piece = sumi_tokenizer_piece(tokenizer, ids[i]);
    SUMI_CHECK(ctx, piece, SUMI_INVALID, "id %d: the vocabulary has no such one, its ids are below %d", ids[i],
               tokenizer->vocabulary);
    SUMI_CHECK(ctx, sumi__add_size(room, strlen(piece), &room), SUMI_NO_MEMORY, "%zu ids: too many to decode", count);
  }
  bytes = sumi__alloc(ctx, room);
  if (!bytes) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < count; i++) length += piece_bytes(tokenizer->pieces[ids[i]], bytes + length);
  length = replace_word_ends(bytes, length);
  SUMI_TRY(sumi__codes_of_utf8(ctx, (const char *)bytes, length, &codes));
  size_t begin = 0, end = codes.count;
  while (begin < end && is_stripped(codes.items[begin])) begin++;
  while (end > begin && is_stripped(codes.items[end - 1])) end--;
  text = sumi__alloc_array(ctx, end - begin + 1, 4);
  if (!text) status = SUMI_NO_MEMORY;
  if (!text) goto done;
  for (size_t i = begin; i < end; i++) written += sumi__utf8_put(codes.items[i], text + written);
  text[written] = 0;
  *out = (char *)text;
done:
  sumi__free(ctx, bytes);
  sumi__codes_free(ctx, &codes);
  return status;
}
