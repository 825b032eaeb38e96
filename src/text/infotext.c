/* The `parameters` of a picture: prompt, negative prompt, and one line of `Key: value, Key: value`. */
#include "sumi/infotext.h"

#include "io/json.h"
#include "io/text.h"

#include <string.h>

enum { ENOUGH_FIELDS = 3 };
static const char negative_mark[] = "Negative prompt:";

/* A letter in any script: each byte of a character beyond ASCII counts as one. */
static bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_inside(char c) { return is_word(c) || c == ' ' || c == '-' || c == '/'; }

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* A piece of the text. */
typedef struct span {
  const char *at;
  size_t bytes;
} span;

static span strip(span s) {
  while (s.bytes && is_space(s.at[s.bytes - 1])) s.bytes--;
  for (; s.bytes && is_space(*s.at); s.at++) s.bytes--;
  return s;
}

/* ---- Formatting ---------------------------------------------------------------------------------------------------
 */

typedef struct builder {
  sumi_context *ctx;
  char *text;
  size_t bytes, capacity;
} builder;

/* Appends and keeps a final zero, which is not counted. */
static sumi_status append(builder *b, const char *text, size_t bytes) {
  const sumi_status status = sumi__grow(b->ctx, (void **)&b->text, &b->capacity, b->bytes + bytes + 1, 1);
  if (status != SUMI_OK) return status;
  if (bytes) memcpy(b->text + b->bytes, text, bytes);
  b->bytes += bytes;
  b->text[b->bytes] = 0;
  return SUMI_OK;
}

static bool is_key(const char *key) {
  const size_t n = strlen(key);
  if (n < 2 || !is_word(key[0])) return false;
  for (size_t i = 0; i < n; i++)
    if (!is_inside(key[i])) return false;
  return sumi__is_utf8(key, n);
}

/* What would not be read back as it is. */
static bool needs_quotes(const char *value) {
  const size_t n = strlen(value);
  if (n && (is_space(value[0]) || is_space(value[n - 1]) || value[0] == '"')) return true;
  return strpbrk(value, ",:\n\r\v\f") != NULL;
}

static sumi_status append_value(builder *b, const char *value) {
  char *quoted = NULL;
  size_t bytes = 0;
  if (!needs_quotes(value)) return append(b, value, strlen(value));
  sumi__json_writer writer;
  sumi__json_writer_init(&writer, b->ctx, -1);
  sumi__json_put_string(&writer, NULL, value);
  sumi_status status = sumi__json_writer_finish(&writer, &quoted, &bytes);
  if (status == SUMI_OK) status = append(b, quoted, strlen(quoted));
  sumi__free(b->ctx, quoted);
  return status;
}

static sumi_status append_fields(builder *b, const sumi_infotext *info) {
  sumi_status status = SUMI_OK;
  char shown[SUMI__QUOTE_MAX];
  bool first = true;
  for (size_t i = 0; i < info->count; i++) {
    const sumi_infotext_field *field = &info->fields[i];
    if (!field->value) continue;
    SUMI_CHECK(b->ctx, is_key(field->key), SUMI_INVALID, "parameters: %s cannot be the name of a field",
               sumi__quote(shown, field->key));
    SUMI_CHECK(b->ctx, sumi__is_utf8(field->value, strlen(field->value)), SUMI_INVALID,
               "parameters: the value of %s is not UTF-8", sumi__quote(shown, field->key));
    SUMI_TRY(append(b, first ? "\n" : ", ", first ? 1 : 2));
    SUMI_TRY(append(b, field->key, strlen(field->key)));
    SUMI_TRY(append(b, ": ", 2));
    SUMI_TRY(append_value(b, field->value));
    first = false;
  }
done:
  return status;
}

sumi_status sumi_infotext_format(sumi_context *ctx, const sumi_infotext *info, char **out) {
  sumi_status status = SUMI_OK;
  builder b = {.ctx = ctx};
  const char *prompt = info->prompt ? info->prompt : "", *negative = info->negative ? info->negative : "";
  *out = NULL;
  SUMI_CHECK(ctx, sumi__is_utf8(prompt, strlen(prompt)) && sumi__is_utf8(negative, strlen(negative)), SUMI_INVALID,
             "parameters: a prompt is not UTF-8");
  SUMI_TRY(append(&b, prompt, strlen(prompt)));
  if (*negative) {
    SUMI_TRY(append(&b, "\n", 1));
    SUMI_TRY(append(&b, negative_mark, sizeof negative_mark - 1));
    SUMI_TRY(append(&b, " ", 1));
    SUMI_TRY(append(&b, negative, strlen(negative)));
  }
  SUMI_TRY(append_fields(&b, info));
  const span whole = strip((span){b.text, b.bytes});
  memmove(b.text, whole.at, whole.bytes);
  b.text[whole.bytes] = 0;
  *out = b.text;
  b.text = NULL;
done:
  sumi__free(ctx, b.text);
  return status;
}

/* ---- Parsing ------------------------------------------------------------------------------------------------------
 */

/* What is handed out, and where its strings lie. */
typedef struct parsed {
  sumi_infotext info; /* first: the caller's pointer */
  sumi_infotext_field *fields;
  size_t capacity;
  sumi__arena arena;
} parsed;

/* The end of a quoted value that begins at `at`, behind its closing mark; NULL if there is none, or nothing inside. */
static const char *end_of_quoted(const char *at, const char *end) {
  const char *p = at + 1;
  while (p < end && *p != '"') p += *p == '\\' ? 2 : 1;
  return p < end && p > at + 1 ? p + 1 : NULL;
}

/* The next field of a line from *at on, which moves behind it; false if there is none. A quoted value counts as one
 * only if a comma or the line's end follows. */
static bool next_field(const char **at, const char *end, span *key, span *value) {
  const char *p = *at;
  while (p < end) {
    if (!is_word(*p)) {
      p++;
      continue;
    }
    const char *colon = p;
    while (colon < end && is_inside(*colon)) colon++;
    if (colon == end || *colon != ':' || colon - p < 2) { /* no key begins anywhere in this run */
      p = colon < end ? colon + 1 : end;
      continue;
    }
    *key = (span){p, (size_t)(colon - p)};
    for (p = colon + 1; p < end && is_space(*p);) p++;
    const char *stop = p < end && *p == '"' ? end_of_quoted(p, end) : NULL;
    if (!stop || (stop < end && *stop != ',')) {
      stop = memchr(p, ',', (size_t)(end - p));
      if (!stop) stop = end;
    }
    *value = (span){p, (size_t)(stop - p)};
    *at = stop < end ? stop + 1 : end;
    return true;
  }
  return false;
}

static char *copy(parsed *p, span s) {
  char *text = sumi__arena_alloc(&p->arena, s.bytes + 1);
  if (text && s.bytes) memcpy(text, s.at, s.bytes);
  return text; /* zeroed behind the copy */
}

/* A value without its quotes; one whose quotes hold no JSON string stays as it is. */
static sumi_status unquote(sumi_context *ctx, parsed *p, span value, const char **out) {
  sumi__json *json = NULL;
  *out = NULL;
  if (value.bytes >= 2 && value.at[0] == '"' && value.at[value.bytes - 1] == '"') {
    const sumi_status status =
        sumi__json_parse(ctx, "parameters", value.at, value.bytes, &sumi__json_config_limits, &json);
    if (status == SUMI_NO_MEMORY) return status;
    if (status == SUMI_OK) *out = sumi__arena_strdup(&p->arena, sumi__json_string_of(sumi__json_root(json)));
    sumi__json_free(json);
    if (status == SUMI_OK) return *out ? SUMI_OK : SUMI_NO_MEMORY;
  }
  *out = copy(p, value);
  return *out ? SUMI_OK : SUMI_NO_MEMORY;
}

static sumi_status parse_fields(sumi_context *ctx, parsed *p, span line) {
  sumi_status status = SUMI_OK;
  const char *at = line.at, *end = line.at + line.bytes;
  span key, value;
  while (next_field(&at, end, &key, &value)) {
    SUMI_TRY(sumi__grow(ctx, (void **)&p->fields, &p->capacity, p->info.count + 1, sizeof *p->fields));
    sumi_infotext_field *field = &p->fields[p->info.count];
    field->key = copy(p, key);
    if (!field->key) status = SUMI_NO_MEMORY;
    if (status != SUMI_OK) goto done;
    SUMI_TRY(unquote(ctx, p, value, &field->value));
    p->info.count++;
  }
  p->info.fields = p->fields;
done:
  return status;
}

static size_t count_fields(span line) {
  const char *at = line.at, *end = line.at + line.bytes;
  span key, value;
  size_t count = 0;
  while (next_field(&at, end, &key, &value)) count++;
  return count;
}

/* Cuts the last line off if it is that of the fields. */
static span take_fields(span *text) {
  size_t start = text->bytes;
  while (start && text->at[start - 1] != '\n') start--;
  const span line = {text->at + start, text->bytes - start};
  if (count_fields(line) < ENOUGH_FIELDS) return (span){text->at, 0};
  text->bytes = start;
  return line;
}

/* Line after line: from the mark on they belong to the negative prompt. */
static sumi_status split_prompts(parsed *p, span text) {
  char *prompt = copy(p, text), *negative = copy(p, text);
  size_t used[2] = {0, 0};
  int which = 0;
  if (!prompt || !negative) return SUMI_NO_MEMORY;
  char *const to[2] = {prompt, negative};
  for (const char *end = text.at + text.bytes; text.at < end;) {
    const char *newline = memchr(text.at, '\n', (size_t)(end - text.at));
    const char *stop = newline ? newline : end;
    span line = strip((span){text.at, (size_t)(stop - text.at)});
    const size_t mark = sizeof negative_mark - 1;
    if (line.bytes >= mark && !memcmp(line.at, negative_mark, mark)) {
      which = 1;
      line = strip((span){line.at + mark, line.bytes - mark});
    }
    if (used[which]) to[which][used[which]++] = '\n';
    if (line.bytes) memcpy(to[which] + used[which], line.at, line.bytes);
    used[which] += line.bytes;
    text.at = newline ? newline + 1 : end;
  }
  for (int i = 0; i < 2; i++) {
    while (used[i] && to[i][used[i] - 1] == '\n') used[i]--;
    to[i][used[i]] = 0;
  }
  p->info.prompt = prompt;
  p->info.negative = negative;
  return SUMI_OK;
}

sumi_status sumi_infotext_parse(sumi_context *ctx, const char *text, sumi_infotext **out) {
  sumi_status status = SUMI_OK;
  parsed *p = NULL;
  *out = NULL;
  SUMI_CHECK(ctx, sumi__is_utf8(text, strlen(text)), SUMI_INVALID, "parameters: the text is not UTF-8");
  p = sumi__alloc_zero(ctx, sizeof *p);
  if (!p) return SUMI_NO_MEMORY;
  sumi__arena_init(&p->arena, ctx);
  span rest = strip((span){text, strlen(text)});
  const span line = take_fields(&rest);
  SUMI_TRY(split_prompts(p, rest));
  SUMI_TRY(parse_fields(ctx, p, line));
  *out = &p->info;
done:
  if (status != SUMI_OK && p) sumi_infotext_free(ctx, &p->info);
  return status;
}

void sumi_infotext_free(sumi_context *ctx, sumi_infotext *info) {
  parsed *p = (parsed *)info;
  if (!p) return;
  sumi__arena_free(&p->arena);
  sumi__free(ctx, p->fields);
  sumi__free(ctx, p);
}

const char *sumi_infotext_find(const sumi_infotext *info, const char *key) {
  for (size_t i = 0; i < info->count; i++)
    if (!strcmp(info->fields[i].key, key)) return info->fields[i].value;
  return NULL;
}
