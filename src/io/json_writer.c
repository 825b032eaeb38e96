#include "io/json.h"

#include "io/file.h"
#include "io/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void append(sumi__json_writer *w, const char *text, size_t bytes) {
  if (w->status != SUMI_OK) return;
  w->status = sumi__grow(w->ctx, (void **)&w->text, &w->capacity, w->bytes + bytes + 1, 1);
  if (w->status != SUMI_OK) return;
  memcpy(w->text + w->bytes, text, bytes);
  w->bytes += bytes;
  w->text[w->bytes] = 0;
}

static void append_text(sumi__json_writer *w, const char *text) { append(w, text, strlen(text)); }

static void append_line(sumi__json_writer *w) {
  if (w->indent < 0) return;
  append_text(w, "\n");
  for (int i = 0; i < w->depth * w->indent; i++) append_text(w, " ");
}

static void append_quoted(sumi__json_writer *w, const char *text) {
  if (w->status != SUMI_OK) return;
  if (!sumi__is_utf8(text, strlen(text))) {
    char shown[SUMI__QUOTE_MAX];
    w->status = sumi__fail(w->ctx, SUMI_INVALID, "JSON: %s is not UTF-8", sumi__quote(shown, text));
    return;
  }
  append_text(w, "\"");
  for (;;) {
    size_t plain = 0;
    while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\') plain++;
    append(w, text, plain);
    text += plain;
    if (!*text) break;
    char escape[8];
    switch (*text) {
    case '"': strcpy(escape, "\\\""); break;
    case '\\': strcpy(escape, "\\\\"); break;
    case '\n': strcpy(escape, "\\n"); break;
    case '\t': strcpy(escape, "\\t"); break;
    default: snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*text);
    }
    append_text(w, escape);
    text++;
  }
  append_text(w, "\"");
}

/* What stands before every value: the comma after the one before, the line, the key. */
static void begin_value(sumi__json_writer *w, const char *key) {
  if (w->depth > 0) {
    if (!w->first) append_text(w, ",");
    append_line(w);
  }
  w->first = false;
  if (key) {
    append_quoted(w, key);
    append_text(w, w->indent < 0 ? ":" : ": ");
  }
}

static void open_level(sumi__json_writer *w, const char *key, const char *bracket) {
  begin_value(w, key);
  append_text(w, bracket);
  w->depth++;
  w->first = true;
}

static void close_level(sumi__json_writer *w, const char *bracket) {
  w->depth--;
  if (!w->first) append_line(w);
  append_text(w, bracket);
  w->first = false;
}

void sumi__json_writer_init(sumi__json_writer *w, sumi_context *ctx, int indent) {
  *w = (sumi__json_writer){.ctx = ctx, .indent = indent, .first = true};
}

void sumi__json_begin_object(sumi__json_writer *w, const char *key) { open_level(w, key, "{"); }
void sumi__json_end_object(sumi__json_writer *w) { close_level(w, "}"); }
void sumi__json_begin_array(sumi__json_writer *w, const char *key) { open_level(w, key, "["); }
void sumi__json_end_array(sumi__json_writer *w) { close_level(w, "]"); }

void sumi__json_put_string(sumi__json_writer *w, const char *key, const char *value) {
  begin_value(w, key);
  append_quoted(w, value);
}

void sumi__json_put_i64(sumi__json_writer *w, const char *key, int64_t value) {
  char text[SUMI__NUMBER_MAX];
  snprintf(text, sizeof text, "%lld", (long long)value);
  begin_value(w, key);
  append_text(w, text);
}

/* JSON has no NaN and no infinity. A whole number gets ".0": who reads it back as a float should see one. */
static void put_real(sumi__json_writer *w, const char *key, double value, char *text) {
  if (w->status == SUMI_OK && !isfinite(value)) {
    char shown[SUMI__QUOTE_MAX];
    w->status = sumi__fail(w->ctx, SUMI_INVALID, "JSON: the value of %s is not a finite number",
                           sumi__quote(shown, key ? key : "a list"));
  }
  begin_value(w, key);
  append_text(w, text);
  if (!strpbrk(text, ".e")) append_text(w, ".0");
}

void sumi__json_put_f64(sumi__json_writer *w, const char *key, double value) {
  char text[SUMI__NUMBER_MAX];
  put_real(w, key, value, sumi__format_f64(text, value));
}

void sumi__json_put_f32(sumi__json_writer *w, const char *key, float value) {
  char text[SUMI__NUMBER_MAX];
  put_real(w, key, (double)value, sumi__format_f32(text, value));
}

void sumi__json_put_bool(sumi__json_writer *w, const char *key, bool value) {
  begin_value(w, key);
  append_text(w, value ? "true" : "false");
}

void sumi__json_put_null(sumi__json_writer *w, const char *key) {
  begin_value(w, key);
  append_text(w, "null");
}

sumi_status sumi__json_writer_finish(sumi__json_writer *w, char **out, size_t *out_bytes) {
  const sumi_status status = w->status;
  *out = NULL;
  *out_bytes = 0;
  if (status == SUMI_OK) {
    *out = w->text;
    *out_bytes = w->bytes;
    w->text = NULL;
  }
  sumi__json_writer_free(w);
  return status;
}

sumi_status sumi__json_writer_save(sumi__json_writer *w, const char *path) {
  append_text(w, "\n");
  sumi_status status = w->status;
  if (status == SUMI_OK)
    status = sumi__file_write(w->ctx, path, w->text, w->bytes);
  else
    status = sumi__fail_in(w->ctx, status, "%s", path);
  sumi__json_writer_free(w);
  return status;
}

void sumi__json_writer_free(sumi__json_writer *w) {
  sumi__free(w->ctx, w->text);
  *w = (sumi__json_writer){.ctx = w->ctx, .indent = w->indent, .first = true};
}
