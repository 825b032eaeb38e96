/* Prompts that change while a picture is sampled: [from:to:when], [to:when], [from::when], [a|b].
 *
 * A bracket is syntax only if all between it and its partner is: inside of it brackets pair up, and there is no colon
 * or bar that belongs to nothing. What is not syntax is text, brackets included; but a bar outside of [a|b], or a
 * backslash at the very end, makes text of the whole part. One pass with a stack finds that out. */
#include "text/prompt.h"

#include "io/text.h"

#include <math.h>
#include <string.h>

typedef enum item_kind {
  ITEM_TEXT,
  ITEM_COLON,    /* text, unless the bracket that it is in makes it a separator */
  ITEM_BAR,      /* a separator */
  ITEM_SCHEDULE, /* options 0 and 1: until `when`, and after it */
  ITEM_ALTERNATE /* options by step, in turn */
} item_kind;

typedef struct item {
  item_kind kind;
  int when;
  size_t begin, count; /* bytes of the text, or options */
} item;

/* A sequence of items. */
typedef struct option {
  size_t first, count;
} option;

typedef struct frame {
  char bracket;
  size_t first;    /* of the open items, the one behind the bracket's own */
  size_t colon[2]; /* where the first and the last of the open items are a colon */
  size_t colons, bars;
} frame;

struct sumi__prompt_schedule {
  sumi_context *ctx;
  sumi__span text;
  int steps;
  bool *changes; /* [steps + 1]: whether what step s says may differ from what s + 1 says */
  item *open;    /* while reading: of the brackets that are open; then the whole part */
  item *closed;  /* of options */
  option *options;
  size_t open_count, open_room, closed_count, closed_room, option_count, option_room;
  size_t work; /* done by writing */
  frame frames[SUMI__PROMPT_MAX_DEPTH];
  size_t frame_count;
};

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static sumi_status put_item(sumi__prompt_schedule *s, item_kind kind, size_t begin, size_t count) {
  const sumi_status status = sumi__grow(s->ctx, (void **)&s->open, &s->open_room, s->open_count + 1, sizeof *s->open);
  if (status == SUMI_OK) s->open[s->open_count++] = (item){kind, 0, begin, count};
  return status;
}

/* Moves open items [first, end) behind the closed ones, as one more option. */
static sumi_status put_option(sumi__prompt_schedule *s, size_t first, size_t end) {
  sumi_status status = SUMI_OK;
  const size_t count = end - first;
  SUMI_TRY(sumi__grow(s->ctx, (void **)&s->options, &s->option_room, s->option_count + 1, sizeof *s->options));
  SUMI_TRY(sumi__grow(s->ctx, (void **)&s->closed, &s->closed_room, s->closed_count + count, sizeof *s->closed));
  if (count) memcpy(s->closed + s->closed_count, s->open + first, count * sizeof *s->closed);
  s->options[s->option_count++] = (option){s->closed_count, count};
  s->closed_count += count;
done:
  return status;
}

/* Digits with at most one point, an exponent perhaps, white space around: the step, from `steps` down to whatever. */
static bool read_when(const sumi__prompt_schedule *s, const item *number, int *when) {
  const char *text = s->text.text + number->begin;
  size_t bytes = number->count, at = sumi__space_length(text, bytes), n = 0;
  char copy[64];
  double value;
  while (at + n < bytes && strchr("+-.0123456789eE", text[at + n])) n++;
  if (n == 0 || n >= sizeof copy || sumi__space_length(text + at + n, bytes - at - n) != bytes - at - n) return false;
  memcpy(copy, text + at, n);
  copy[n] = 0;
  if (!sumi__parse_f64(copy, &value)) return false;
  if (strchr(copy, '.')) value *= s->steps; /* a fraction of the steps */
  value = trunc(value);
  *when = value >= s->steps ? s->steps : value <= 0 ? 0 : (int)value;
  return true;
}

/* [to:when], [from:to:when]. False if it is neither. */
static bool is_schedule(const sumi__prompt_schedule *s, const frame *f, int *when) {
  if (f->bars || f->colons < 1 || f->colons > 2) return false;
  const size_t last = f->colon[1] + 1;
  return s->open_count == last + 1 && s->open[last].kind == ITEM_TEXT && read_when(s, &s->open[last], when);
}

/* The bracket's open items, and the bracket's own, become one item. */
static sumi_status close_with(sumi__prompt_schedule *s, const frame *f, item_kind kind, int when, size_t first_option) {
  s->open_count = f->first - 1;
  const sumi_status status = put_item(s, kind, first_option, s->option_count - first_option);
  if (status == SUMI_OK) s->open[s->open_count - 1].when = when;
  return status;
}

static sumi_status close_schedule(sumi__prompt_schedule *s, const frame *f, int when) {
  sumi_status status = SUMI_OK;
  const size_t first_option = s->option_count;
  const size_t from_end = f->colons == 2 ? f->colon[0] : f->first, to = f->colons == 2 ? f->colon[0] + 1 : f->first;
  SUMI_TRY(put_option(s, f->first, from_end));
  SUMI_TRY(put_option(s, to, f->colon[1]));
  if (when > 0) s->changes[when] = true;
  SUMI_TRY(close_with(s, f, ITEM_SCHEDULE, when, first_option));
done:
  return status;
}

static sumi_status close_alternate(sumi__prompt_schedule *s, const frame *f) {
  sumi_status status = SUMI_OK;
  const size_t first_option = s->option_count;
  size_t begin = f->first;
  for (size_t i = f->first; i <= s->open_count; i++) {
    if (i < s->open_count && s->open[i].kind != ITEM_BAR) continue;
    SUMI_TRY(put_option(s, begin, i));
    begin = i + 1;
  }
  for (int step = 1; step <= s->steps; step++) s->changes[step] = true;
  SUMI_TRY(close_with(s, f, ITEM_ALTERNATE, 0, first_option));
done:
  return status;
}

/* A closing bracket at `at`. */
static sumi_status close_bracket(sumi__prompt_schedule *s, size_t at) {
  const char partner = s->text.text[at] == ')' ? '(' : '[';
  int when;
  if (s->frame_count) {
    const frame f = s->frames[s->frame_count - 1];
    s->frame_count--;
    if (f.bracket == partner && partner == '[' && is_schedule(s, &f, &when)) return close_schedule(s, &f, when);
    if (f.bracket == partner && partner == '[' && f.bars && !f.colons) return close_alternate(s, &f);
    /* Emphasis stays text, for the next reader. One colon may stand in round brackets. */
    const bool emphasis = f.bracket == partner && !f.bars && f.colons <= (partner == '(' ? 1 : 0);
    if (emphasis && f.colons) s->open[f.colon[0]].kind = ITEM_TEXT;
    if (!emphasis) s->frame_count = 0; /* and what is around it holds a bracket that belongs to nothing */
  }
  return put_item(s, ITEM_TEXT, at, 1);
}

static sumi_status open_bracket(sumi__prompt_schedule *s, size_t at) {
  if (s->frame_count == SUMI__PROMPT_MAX_DEPTH)
    return sumi__fail(s->ctx, SUMI_INVALID, "a prompt with more than %d brackets open at once", SUMI__PROMPT_MAX_DEPTH);
  const sumi_status status = put_item(s, ITEM_TEXT, at, 1);
  s->frames[s->frame_count++] = (frame){.bracket = s->text.text[at], .first = s->open_count};
  return status;
}

static sumi_status put_separator(sumi__prompt_schedule *s, item_kind kind, size_t at) {
  if (s->frame_count) {
    frame *f = &s->frames[s->frame_count - 1];
    if (kind == ITEM_BAR) f->bars++;
    if (kind == ITEM_COLON) {
      if (f->colons++ == 0) f->colon[0] = s->open_count;
      f->colon[1] = s->open_count;
    }
  }
  return put_item(s, kind, at, 1);
}

/* How far plain text goes on. False: a backslash with nothing to escape. */
static bool plain_length(sumi__span text, size_t at, size_t *length) {
  size_t n = 0;
  while (at + n < text.bytes && !strchr("()[]:|", text.text[at + n])) {
    if (text.text[at + n] == '\\') {
      n++;
      if (at + n == text.bytes || text.text[at + n] == '\n') return false;
    }
    n++;
  }
  *length = n;
  return true;
}

/* Items of the whole part; *whole is false if it is nothing but text. */
static sumi_status read_items(sumi__prompt_schedule *s, bool *whole) {
  sumi_status status = SUMI_OK;
  *whole = false;
  for (size_t at = 0; at < s->text.bytes;) {
    size_t n = 1;
    switch (s->text.text[at]) {
    case '(':
    case '[': SUMI_TRY(open_bracket(s, at)); break;
    case ')':
    case ']': SUMI_TRY(close_bracket(s, at)); break;
    case ':': SUMI_TRY(put_separator(s, ITEM_COLON, at)); break;
    case '|': SUMI_TRY(put_separator(s, ITEM_BAR, at)); break;
    default:
      if (!plain_length(s->text, at, &n)) goto done;
      SUMI_TRY(put_item(s, ITEM_TEXT, at, n));
    }
    at += n;
  }
  for (size_t i = 0; i < s->open_count; i++)
    if (s->open[i].kind == ITEM_BAR) goto done;
  *whole = true;
done:
  return status;
}

sumi_status sumi__prompt_schedule_create(sumi_context *ctx, sumi__span text, int steps, sumi__prompt_schedule **out) {
  sumi_status status = SUMI_OK;
  bool whole;
  sumi__prompt_schedule *s = sumi__alloc_zero(ctx, sizeof *s);
  *out = NULL;
  if (!s) return SUMI_NO_MEMORY;
  s->ctx = ctx;
  s->text = text;
  s->steps = steps;
  s->changes = sumi__alloc_array(ctx, (size_t)steps + 1, sizeof *s->changes);
  if (!s->changes) status = SUMI_NO_MEMORY;
  if (!s->changes) goto done;
  SUMI_TRY(read_items(s, &whole));
  if (!whole) {
    s->open_count = 0;
    memset(s->changes, 0, (size_t)steps + 1);
    SUMI_TRY(put_item(s, ITEM_TEXT, 0, text.bytes));
  }
  *out = s;
  s = NULL;
done:
  sumi__prompt_schedule_free(s);
  return status;
}

void sumi__prompt_schedule_free(sumi__prompt_schedule *s) {
  if (!s) return;
  sumi__free(s->ctx, s->changes);
  sumi__free(s->ctx, s->open);
  sumi__free(s->ctx, s->closed);
  sumi__free(s->ctx, s->options);
  sumi__free(s->ctx, s);
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

int sumi__prompt_schedule_until(const sumi__prompt_schedule *s, int step) {
  while (step < s->steps && !s->changes[step]) step++;
  return step;
}

/* No deeper than brackets may be. */
static sumi_status write_items(sumi__prompt_schedule *s, const item *items, size_t count, int step, sumi__buffer *out) {
  sumi_status status = SUMI_OK;
  for (size_t i = 0; i < count; i++) {
    const item *it = &items[i];
    const bool is_text = it->kind == ITEM_TEXT || it->kind == ITEM_COLON;
    s->work += is_text ? it->count : 1;
    SUMI_CHECK(s->ctx, s->work <= SUMI__PROMPT_MAX_WORK, SUMI_INVALID,
               "a prompt that becomes more than %d bytes over its %d steps", SUMI__PROMPT_MAX_WORK, s->steps);
    if (is_text) {
      SUMI_TRY(sumi__buffer_put(s->ctx, out, s->text.text + it->begin, it->count));
      continue;
    }
    const size_t turn = it->kind == ITEM_SCHEDULE ? step > it->when : (size_t)(step - 1) % it->count;
    const option *o = &s->options[it->begin + turn];
    if (o->count) SUMI_TRY(write_items(s, s->closed + o->first, o->count, step, out));
  }
done:
  return status;
}

sumi_status sumi__prompt_schedule_write(sumi__prompt_schedule *s, int step, sumi__buffer *out) {
  return write_items(s, s->open, s->open_count, step, out);
}
