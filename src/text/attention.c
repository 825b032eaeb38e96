/* Emphasis in prompts: (x) is 1.1 times as strong, [x] 1.1 times weaker, (x:1.3) 1.3 times as strong; what is nested
 * multiplies, a bracket that is never closed holds to the end, and a backslash takes a bracket's meaning away. */
#include "text/prompt.h"

#include "io/text.h"

#include <string.h>

typedef struct parser {
  sumi_context *ctx;
  sumi__runs *out;
  size_t round[SUMI__PROMPT_MAX_DEPTH], square[SUMI__PROMPT_MAX_DEPTH]; /* the run that each open bracket begins at */
  size_t round_count, square_count;
} parser;

static sumi_status put_run(parser *p, const char *text, size_t bytes, bool is_break) {
  sumi_status status = SUMI_OK;
  sumi__runs *out = p->out;
  const size_t begin = out->text.bytes;
  SUMI_TRY(sumi__buffer_put(p->ctx, &out->text, text, bytes));
  SUMI_TRY(sumi__grow(p->ctx, (void **)&out->items, &out->capacity, out->count + 1, sizeof *out->items));
  out->items[out->count++] = (sumi__run){begin, begin + bytes, 1, is_break};
done:
  return status;
}

static void multiply_from(parser *p, size_t first, double weight) {
  for (size_t i = first; i < p->out->count; i++) p->out->items[i].weight *= weight;
}

static sumi_status open_bracket(parser *p, size_t *stack, size_t *count) {
  if (*count == SUMI__PROMPT_MAX_DEPTH)
    return sumi__fail(p->ctx, SUMI_INVALID, "a prompt with more than %d brackets open at once", SUMI__PROMPT_MAX_DEPTH);
  stack[(*count)++] = p->out->count;
  return SUMI_OK;
}

/* Text without brackets, colons and backslashes. The white space around BREAK stays, since no token comes of it. */
static sumi_status put_text(parser *p, const char *text, size_t bytes) {
  sumi_status status = SUMI_OK;
  size_t begin = 0;
  for (size_t at = 0; at < bytes; at++) {
    if (text[at] != 'B' || !sumi__is_word_at(text, bytes, at, "BREAK")) continue;
    SUMI_TRY(put_run(p, text + begin, at - begin, false));
    SUMI_TRY(put_run(p, NULL, 0, true));
    at += strlen("BREAK") - 1;
    begin = at + 1;
  }
  SUMI_TRY(put_run(p, text + begin, bytes - begin, false));
done:
  return status;
}

/* `: number )` at a colon: its length and the number, or 0. */
static size_t weight_length(const char *text, size_t bytes, double *weight) {
  char number[64];
  size_t at = 1 + sumi__space_length(text + 1, bytes - 1), n = 0;
  while (at + n < bytes && strchr(n ? ".0123456789" : "+-.0123456789", text[at + n])) n++;
  if (n == 0 || n >= sizeof number) return 0;
  memcpy(number, text + at, n);
  number[n] = 0;
  at += n;
  at += sumi__space_length(text + at, bytes - at);
  if (at == bytes || text[at] != ')' || !sumi__parse_f64(number, weight)) return 0;
  return at + 1;
}

/* A backslash: the bracket or backslash behind it is text, and it is gone itself. */
static sumi_status put_escape(parser *p, const char *text, size_t bytes, size_t *taken) {
  const bool escapes = bytes > 1 && strchr("()[]\\", text[1]);
  *taken = escapes ? 2 : 1;
  return put_run(p, text + 1, escapes ? 1 : 0, false);
}

/* Takes what stands at a special character. */
static sumi_status take_special(parser *p, const char *text, size_t bytes, size_t *taken) {
  double weight;
  size_t n;
  *taken = 1;
  switch (text[0]) {
  case '\\': return put_escape(p, text, bytes, taken);
  case '(': return open_bracket(p, p->round, &p->round_count);
  case '[': return open_bracket(p, p->square, &p->square_count);
  case ':':
    n = p->round_count ? weight_length(text, bytes, &weight) : 0;
    if (n == 0) break;
    multiply_from(p, p->round[--p->round_count], weight);
    *taken = n;
    return SUMI_OK;
  case ')':
    if (p->round_count == 0) break;
    multiply_from(p, p->round[--p->round_count], 1.1);
    return SUMI_OK;
  default:
    if (p->square_count == 0) break;
    multiply_from(p, p->square[--p->square_count], 1 / 1.1);
    return SUMI_OK;
  }
  return put_run(p, text, 1, false);
}

/* Runs of one weight become one, so that their words may join. */
static void join_runs(sumi__runs *runs) {
  size_t to = 0;
  for (size_t i = 1; i < runs->count; i++) {
    sumi__run *last = &runs->items[to], *next = &runs->items[i];
    if (!last->is_break && !next->is_break && last->weight == next->weight)
      last->end = next->end;
    else
      runs->items[++to] = *next;
  }
  if (runs->count) runs->count = to + 1;
}

static sumi_status parse(parser *p, sumi__span text) {
  sumi_status status = SUMI_OK;
  for (size_t at = 0; at < text.bytes;) {
    size_t n = 0;
    while (at + n < text.bytes && !strchr("\\()[]:", text.text[at + n])) n++;
    if (n)
      SUMI_TRY(put_text(p, text.text + at, n));
    else
      SUMI_TRY(take_special(p, text.text + at, text.bytes - at, &n));
    at += n;
  }
  for (size_t i = 0; i < p->round_count; i++) multiply_from(p, p->round[i], 1.1);
  for (size_t i = 0; i < p->square_count; i++) multiply_from(p, p->square[i], 1 / 1.1);
done:
  return status;
}

sumi_status sumi__emphasis_parse(sumi_context *ctx, sumi__span text, bool brackets, sumi__runs *out) {
  parser p = {.ctx = ctx, .out = out};
  const sumi_status status = brackets ? parse(&p, text) : put_run(&p, text.text, text.bytes, false);
  if (status == SUMI_OK) join_runs(out);
  return status;
}

void sumi__runs_free(sumi_context *ctx, sumi__runs *runs) {
  sumi__free(ctx, runs->text.text);
  sumi__free(ctx, runs->items);
  *runs = (sumi__runs){0};
}
