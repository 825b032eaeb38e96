/* Classes, lower case and NFC (the Unicode Standard, section 3.11) over tables of our own: the tokenizer that is to be
 * matched joins three versions of Unicode, which no one library has (tools/make-unicode-tables.py). */
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

typedef struct range {
  uint32_t first, last;
} range;
typedef struct lower_run {
  uint32_t first, last, step; /* every step-th code point */
  int32_t delta;              /* to the lower case */
} lower_run;
typedef struct combining_run {
  uint32_t first, last;
  uint8_t class;
} combining_run;
typedef struct decomposition {
  uint32_t code, first, second; /* second is 0 where one code point becomes another */
} decomposition;

#include "text/unicode_tables.inc"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

static int compare_range(const void *key, const void *item) {
  const uint32_t code = *(const uint32_t *)key;
  const range *r = item;
  return code < r->first ? -1 : code > r->last;
}

static int compare_lower(const void *key, const void *item) {
  const uint32_t code = *(const uint32_t *)key;
  const lower_run *r = item;
  return code < r->first ? -1 : code > r->last;
}

static int compare_combining(const void *key, const void *item) {
  const uint32_t code = *(const uint32_t *)key;
  const combining_run *r = item;
  return code < r->first ? -1 : code > r->last;
}

static int compare_decomposition(const void *key, const void *item) {
  const uint32_t code = *(const uint32_t *)key;
  const decomposition *d = item;
  return code < d->code ? -1 : code > d->code;
}

static int compare_composition(const void *key, const void *item) {
  const uint32_t *pair = key;
  const decomposition *d = &decompositions[*(const uint16_t *)item];
  if (pair[0] != d->first) return pair[0] < d->first ? -1 : 1;
  return pair[1] < d->second ? -1 : pair[1] > d->second;
}

bool sumi__is_letter(uint32_t code) {
  if (code < 0x80) return (code | 0x20) - 'a' < 26;
  return bsearch(&code, letters, COUNT(letters), sizeof *letters, compare_range) != NULL;
}

bool sumi__is_number(uint32_t code) {
  if (code < 0x80) return code - '0' < 10;
  return bsearch(&code, numbers, COUNT(numbers), sizeof *numbers, compare_range) != NULL;
}

bool sumi__is_space(uint32_t code) {
  if (code < 0x80) return code == ' ' || code - '\t' < 5;
  return bsearch(&code, spaces, COUNT(spaces), sizeof *spaces, compare_range) != NULL;
}

size_t sumi__lower(uint32_t code, uint32_t out[2]) {
  out[0] = code;
  if (code < 0x80) {
    if (code - 'A' < 26) out[0] = code + 32;
    return 1;
  }
  if (code == 0x130) { /* I with a dot: the only one that becomes two */
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
  }
  const lower_run *r = bsearch(&code, lower_runs, COUNT(lower_runs), sizeof *lower_runs, compare_lower);
  if (r && (code - r->first) % r->step == 0) out[0] = (uint32_t)((int32_t)code + r->delta);
  return 1;
}

static uint8_t combining_class(uint32_t code) {
  if (code < 0x300) return 0;
  const combining_run *r =
      bsearch(&code, combining_runs, COUNT(combining_runs), sizeof *combining_runs, compare_combining);
  return r ? r->class : 0;
}

/* ---- Hangul, whose syllables are computed (the Unicode Standard, section 3.12) -------------------------------------
 */

enum { HANGUL_S = 0xAC00, HANGUL_L = 0x1100, HANGUL_V = 0x1161, HANGUL_T = 0x11A7 };
enum { HANGUL_LS = 19, HANGUL_VS = 21, HANGUL_TS = 28, HANGUL_SS = HANGUL_LS * HANGUL_VS * HANGUL_TS };

static size_t decompose_hangul(uint32_t code, uint32_t out[3]) {
  const uint32_t s = code - HANGUL_S;
  out[0] = HANGUL_L + s / (HANGUL_VS * HANGUL_TS);
  out[1] = HANGUL_V + s % (HANGUL_VS * HANGUL_TS) / HANGUL_TS;
  out[2] = HANGUL_T + s % HANGUL_TS;
  return out[2] == HANGUL_T ? 2 : 3;
}

/* 0 if the two do not compose. */
static uint32_t compose_hangul(uint32_t a, uint32_t b) {
  if (a - HANGUL_L < HANGUL_LS && b - HANGUL_V < HANGUL_VS)
    return HANGUL_S + ((a - HANGUL_L) * HANGUL_VS + (b - HANGUL_V)) * HANGUL_TS;
  if (a - HANGUL_S < HANGUL_SS && (a - HANGUL_S) % HANGUL_TS == 0 && b - HANGUL_T - 1 < HANGUL_TS - 1)
    return a + (b - HANGUL_T);
  return 0;
}

/* ---- NFC -------------------------------------------------------------------------------------------------------- */

static uint32_t compose(uint32_t a, uint32_t b) {
  const uint32_t hangul = compose_hangul(a, b);
  if (hangul) return hangul;
  const uint32_t pair[2] = {a, b};
  const uint16_t *i = bsearch(pair, compositions, COUNT(compositions), sizeof *compositions, compare_composition);
  return i ? decompositions[*i].code : 0;
}

/* No code point becomes more than four. */
enum { DECOMPOSED_MAX = 4 };

static size_t decompose(uint32_t code, uint32_t out[DECOMPOSED_MAX]) {
  if (code - HANGUL_S < HANGUL_SS) return decompose_hangul(code, out);
  size_t count = 1;
  out[0] = code;
  for (;;) { /* only the first of two can go on */
    if (out[0] < 0xC0) return count;
    const decomposition *d =
        bsearch(&out[0], decompositions, COUNT(decompositions), sizeof *decompositions, compare_decomposition);
    if (!d) return count;
    out[0] = d->first;
    if (!d->second) continue;
    memmove(out + 2, out + 1, (count - 1) * sizeof *out);
    out[1] = d->second;
    count++;
  }
}

typedef struct mark {
  uint32_t code;
  uint8_t class;
} mark;

/* A run of marks in the order of their classes, equal ones as they were. Runs have no bound, so long ones are counted
 * into place. */
static sumi_status sort_marks(sumi_context *ctx, mark *marks, size_t count) {
  if (count <= 16) {
    for (size_t i = 1; i < count; i++) {
      const mark moving = marks[i];
      size_t at = i;
      for (; at > 0 && marks[at - 1].class > moving.class; at--) marks[at] = marks[at - 1];
      marks[at] = moving;
    }
    return SUMI_OK;
  }
  size_t next[257] = {0};
  mark *sorted = sumi__alloc_array(ctx, count, sizeof *sorted);
  if (!sorted) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < count; i++) next[marks[i].class + 1]++;
  for (size_t c = 1; c < COUNT(next); c++) next[c] += next[c - 1];
  for (size_t i = 0; i < count; i++) sorted[next[marks[i].class]++] = marks[i];
  memcpy(marks, sorted, count * sizeof *marks);
  sumi__free(ctx, sorted);
  return SUMI_OK;
}

/* Composes what is decomposed and in order; writes over out's items. */
static void compose_all(const mark *marks, size_t count, sumi__codes *out) {
  size_t starter = 0;
  int last = -1; /* class of what stands between the starter and here; -1: nothing */
  bool has_starter = false;
  out->count = 0;
  for (size_t i = 0; i < count; i++) {
    const int class = marks[i].class;
    const uint32_t composite = has_starter && last < class ? compose(out->items[starter], marks[i].code) : 0;
    if (composite) {
      out->items[starter] = composite;
      continue;
    }
    if (class == 0) {
      starter = out->count;
      has_starter = true;
    }
    last = class == 0 ? -1 : class;
    out->items[out->count++] = marks[i].code;
  }
}

sumi_status sumi__nfc(sumi_context *ctx, const uint32_t *codes, size_t count, sumi__codes *out) {
  sumi_status status = SUMI_OK;
  mark *marks = NULL;
  size_t total = 0, plain = 0, room = 0;
  uint32_t parts[DECOMPOSED_MAX];
  out->count = 0;
  while (plain < count && codes[plain] < 0x300) plain++;
  if (plain == count) { /* nothing below U+0300 composes with its like */
    SUMI_TRY(sumi__codes_reserve(ctx, out, count));
    if (count) memcpy(out->items, codes, count * sizeof *codes);
    out->count = count;
    goto done;
  }
  for (size_t i = 0; i < count; i++) {
    const size_t made = decompose(codes[i], parts);
    SUMI_TRY(sumi__grow(ctx, (void **)&marks, &room, total + made, sizeof *marks));
    for (size_t k = 0; k < made; k++) marks[total++] = (mark){parts[k], combining_class(parts[k])};
  }
  for (size_t i = 0; i < total; i++) {
    size_t end = i;
    while (end < total && marks[end].class) end++;
    if (end - i > 1) SUMI_TRY(sort_marks(ctx, marks + i, end - i));
    if (end > i) i = end - 1;
  }
  SUMI_TRY(sumi__codes_reserve(ctx, out, total));
  compose_all(marks, total, out);
done:
  sumi__free(ctx, marks);
  return status;
}
