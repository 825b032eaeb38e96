/* The outermost syntax of prompts: tags, and AND. */
#include "text/prompt.h"

#include "io/text.h"

#include <string.h>

sumi_status sumi__buffer_put(sumi_context *ctx, sumi__buffer *buffer, const char *text, size_t bytes) {
  if (bytes == 0) return SUMI_OK;
  const sumi_status status =
      sumi__grow(ctx, (void **)&buffer->text, &buffer->capacity, buffer->bytes + bytes, sizeof *buffer->text);
  if (status != SUMI_OK) return status;
  memcpy(buffer->text + buffer->bytes, text, bytes);
  buffer->bytes += bytes;
  return SUMI_OK;
}

/* ---- Words ------------------------------------------------------------------------------------------------------ */

static bool is_word(uint32_t code) { return code == '_' || sumi__is_letter(code) || sumi__is_number(code); }

static size_t run_length(const char *text, size_t bytes, bool (*is)(uint32_t code)) {
  size_t at = 0;
  while (at < bytes) {
    uint32_t code;
    const size_t n = sumi__utf8_get((const uint8_t *)text + at, bytes - at, &code);
    if (!is(code)) break;
    at += n;
  }
  return at;
}

size_t sumi__space_length(const char *text, size_t bytes) { return run_length(text, bytes, sumi__is_space); }
size_t sumi__word_length(const char *text, size_t bytes) { return run_length(text, bytes, is_word); }

/* The code point that ends before text[at]. */
static uint32_t code_before(const char *text, size_t at) {
  size_t begin = at - 1;
  uint32_t code;
  while (begin > 0 && ((uint8_t)text[begin] & 0xC0) == 0x80) begin--;
  sumi__utf8_get((const uint8_t *)text + begin, at - begin, &code);
  return code;
}

bool sumi__is_word_at(const char *text, size_t bytes, size_t at, const char *word) {
  const size_t n = strlen(word);
  if (bytes - at < n || memcmp(text + at, word, n) != 0) return false;
  if (at > 0 && is_word(code_before(text, at))) return false;
  uint32_t code = ' ';
  if (at + n < bytes) sumi__utf8_get((const uint8_t *)text + at + n, bytes - at - n, &code);
  return !is_word(code);
}

/* The text as a number; false if it is none, or too long for one. */
static bool read_number(sumi__span s, double *out) {
  char copy[64];
  if (s.bytes == 0 || s.bytes >= sizeof copy) return false;
  memcpy(copy, s.text, s.bytes);
  copy[s.bytes] = 0;
  return strspn(copy, "+-.0123456789eE") == s.bytes && sumi__parse_f64(copy, out);
}

/* ---- Tags ------------------------------------------------------------------------------------------------------- */

static char *copy_span(sumi__arena *arena, const char *text, size_t bytes) {
  char *copy = sumi__arena_alloc(arena, bytes + 1);
  if (copy) memcpy(copy, text, bytes);
  return copy;
}

/* `key=value` sets that weight; else the first is the name, the second a weight for both, the third the U-Net's. A
 * number that cannot be read counts as 1. */
static void take_argument(sumi_prompt_network *network, sumi__span argument, int *position, sumi__span *name) {
  const char *equals = memchr(argument.text, '=', argument.bytes);
  double value = 1;
  if (equals) {
    const size_t key = (size_t)(equals - argument.text);
    read_number((sumi__span){equals + 1, argument.bytes - key - 1}, &value);
    if (key == 2 && memcmp(argument.text, "te", 2) == 0) network->text_weight = sumi__prompt_weight(value);
    if (key == 4 && memcmp(argument.text, "unet", 4) == 0) network->unet_weight = sumi__prompt_weight(value);
    return;
  }
  const int at = (*position)++;
  if (at == 0) *name = argument;
  if (at == 0 || at > 2) return;
  read_number(argument, &value);
  if (at == 1) network->text_weight = sumi__prompt_weight(value);
  network->unet_weight = sumi__prompt_weight(value);
}

static sumi_status make_network(sumi__arena *arena, sumi__span kind, sumi__span arguments, sumi_prompt_network *out) {
  sumi__span name = {"", 0};
  int position = 0;
  out->text_weight = out->unet_weight = 1;
  for (size_t at = 0; at <= arguments.bytes;) {
    const char *begin = arguments.text + at, *colon = memchr(begin, ':', arguments.bytes - at);
    const size_t n = colon ? (size_t)(colon - begin) : arguments.bytes - at;
    take_argument(out, (sumi__span){begin, n}, &position, &name);
    at += n + 1;
  }
  out->kind = copy_span(arena, kind.text, kind.bytes);
  out->name = copy_span(arena, name.text, name.bytes);
  return out->kind && out->name ? SUMI_OK : SUMI_NO_MEMORY;
}

/* The length of the tag that the text begins with, 0 if there is none. `close` is the first '>' in it. */
static size_t tag_length(const char *text, const char *close, sumi__span *kind, sumi__span *arguments) {
  const size_t bytes = (size_t)(close - text), word = sumi__word_length(text + 1, bytes - 1);
  if (word == 0 || 1 + word + 1 >= bytes || text[1 + word] != ':') return 0;
  *kind = (sumi__span){text + 1, word};
  *arguments = (sumi__span){text + 2 + word, bytes - 2 - word};
  return bytes + 1;
}

sumi_status sumi__prompt_take_tags(sumi__arena *arena, sumi__span text, sumi__buffer *out,
                                   sumi_prompt_network **networks, size_t *count) {
  sumi_status status = SUMI_OK;
  sumi_prompt_network *list = NULL;
  size_t room = 0, found = 0, kept = 0;
  const char *close = text.text;
  sumi__span kind, arguments;
  for (size_t at = 0; at < text.bytes;) {
    const char *open = memchr(text.text + at, '<', text.bytes - at);
    if (!open) break;
    /* One search for each '>': else a text of nothing but '<' would take for ever. */
    if (close < open) close = memchr(open, '>', text.bytes - (size_t)(open - text.text));
    if (!close) break;
    at = (size_t)(open - text.text);
    const size_t length = tag_length(open, close, &kind, &arguments);
    if (length == 0) {
      at++;
      continue;
    }
    SUMI_TRY(sumi__buffer_put(arena->ctx, out, text.text + kept, at - kept));
    SUMI_TRY(sumi__grow(arena->ctx, (void **)&list, &room, found + 1, sizeof *list));
    SUMI_TRY(make_network(arena, kind, arguments, &list[found++]));
    at += length;
    kept = at;
  }
  SUMI_TRY(sumi__buffer_put(arena->ctx, out, text.text + kept, text.bytes - kept));
  *count = found;
  *networks = sumi__arena_copy(arena, list, found * sizeof *list);
  if (!*networks) status = SUMI_NO_MEMORY;
done:
  sumi__free(arena->ctx, list);
  return status;
}

/* ---- AND -------------------------------------------------------------------------------------------------------- */

/* How much of the text is left when white space at its end is gone. */
static size_t trimmed(const char *text, size_t bytes) {
  while (bytes > 0 && sumi__is_space(code_before(text, bytes))) {
    bytes--;
    while (bytes > 0 && ((uint8_t)text[bytes] & 0xC0) == 0x80) bytes--;
  }
  return bytes;
}

/* Takes `: weight` off the end of a part. */
static void take_weight(sumi__prompt_piece *piece) {
  const char *text = piece->text.text;
  size_t end = trimmed(text, piece->text.bytes), at = end;
  double weight;
  piece->text.bytes = end;
  while (at > 0 && strchr("+-.0123456789", text[at - 1])) at--;
  if (!read_number((sumi__span){text + at, end - at}, &weight)) return;
  const size_t before = trimmed(text, at);
  if (before == 0 || text[before - 1] != ':') return;
  piece->weight = sumi__prompt_weight(weight);
  piece->text.bytes = trimmed(text, before - 1);
}

sumi_status sumi__prompt_split_and(sumi_context *ctx, sumi__span text, sumi__prompt_piece **out, size_t *count) {
  sumi_status status = SUMI_OK;
  sumi__prompt_piece *list = NULL;
  size_t found = 0, room = 0, begin = 0;
  for (size_t at = 0; at <= text.bytes; at++) {
    const bool end = at == text.bytes;
    if (!end && (text.text[at] != 'A' || !sumi__is_word_at(text.text, text.bytes, at, "AND"))) continue;
    SUMI_TRY(sumi__grow(ctx, (void **)&list, &room, found + 1, sizeof *list));
    list[found++] = (sumi__prompt_piece){{text.text + begin, at - begin}, 1};
    at += end ? 0 : 2;
    begin = at + 1;
  }
  for (size_t i = 0; found > 1 && i < found; i++) take_weight(&list[i]);
  *out = list;
  *count = found;
  list = NULL;
done:
  sumi__free(ctx, list);
  return status;
}
