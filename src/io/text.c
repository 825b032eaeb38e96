#include "io/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* printf and strtod follow the locale of the program that embeds us, whose decimal point may be a comma. For the
 * length of a call this thread alone uses the "C" locale, which always exists. */
typedef struct c_locale {
  locale_t c, old;
} c_locale;

static c_locale enter_c_locale(void) {
  c_locale l = {newlocale(LC_ALL_MASK, "C", (locale_t)0), (locale_t)0};
  if (l.c) l.old = uselocale(l.c);
  return l;
}

static void leave_c_locale(c_locale l) {
  if (!l.c) return;
  uselocale(l.old);
  freelocale(l.c);
}

static bool is_whole(double value) { return fabs(value) < 9007199254740992.0 && value == (double)(int64_t)value; }

/* Tries more and more digits until the text reads back as the value. single: as a float. */
static char *format_number(char *out, double value, bool single) {
  if (isnan(value)) return strcpy(out, "nan");
  if (isinf(value)) return strcpy(out, value < 0 ? "-inf" : "inf");
  const c_locale l = enter_c_locale();
  if (is_whole(value) && !(value == 0 && signbit(value))) {
    snprintf(out, SUMI__NUMBER_MAX, "%lld", (long long)value);
  } else {
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
      snprintf(out, SUMI__NUMBER_MAX, "%.*g", digits, value);
      if (single ? (strtof(out, NULL) == (float)value) : (strtod(out, NULL) == value)) break;
    }
  }
  leave_c_locale(l);
  return out;
}

char *sumi__format_f64(char out[SUMI__NUMBER_MAX], double value) { return format_number(out, value, false); }
char *sumi__format_f32(char out[SUMI__NUMBER_MAX], float value) { return format_number(out, (double)value, true); }

static bool same_word(const char *text, const char *word) {
  for (; *word; text++, word++)
    if ((*text | 0x20) != *word) return false;
  return *text == 0;
}

/* [+-] digits [. digits] [e [+-] digits] with a digit somewhere: what strtod takes beyond that (hexadecimal, leading
 * space, "infinity(...)") is not ours. */
static bool is_decimal(const char *p) {
  if (*p == '+' || *p == '-') p++;
  size_t digits = 0;
  for (; *p >= '0' && *p <= '9'; p++) digits++;
  if (*p == '.')
    for (p++; *p >= '0' && *p <= '9'; p++) digits++;
  if (!digits) return false;
  if (*p == 'e' || *p == 'E') {
    p++;
    if (*p == '+' || *p == '-') p++;
    if (!(*p >= '0' && *p <= '9')) return false;
    while (*p >= '0' && *p <= '9') p++;
  }
  return *p == 0;
}

bool sumi__parse_f64(const char *text, double *out) {
  const char *word = text + (*text == '+' || *text == '-');
  if (word[0] == '.' && (word[1] | 0x20) >= 'a') word++; /* YAML's .inf and .nan */
  if (same_word(word, "inf")) {
    *out = *text == '-' ? -INFINITY : INFINITY;
    return true;
  }
  if (same_word(word, "nan")) {
    *out = NAN;
    return true;
  }
  if (!is_decimal(text)) return false;
  const c_locale l = enter_c_locale();
  const double value = strtod(text, NULL);
  leave_c_locale(l);
  if (isinf(value)) return false;
  *out = value;
  return true;
}

bool sumi__parse_i64(const char *text, int64_t *out) {
  const char *p = text + (*text == '+' || *text == '-');
  const bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
  const char *digits = p + (hex ? 2 : 0);
  if (!*digits || digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")]) return false;
  errno = 0;
  const long long value = strtoll(text, NULL, hex ? 16 : 10);
  if (errno) return false;
  *out = value;
  return true;
}

/* The length of the well-formed UTF-8 sequence at p, or 0. */
static size_t utf8_length(const unsigned char *p, size_t left) {
  const unsigned char c = p[0];
  if (c < 0x80) return 1;
  const size_t n = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
  if (!n || left < n) return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if (c == 0xe0 && p[1] < 0xa0) return 0; /* overlong */
  if (c == 0xed && p[1] > 0x9f) return 0; /* surrogates */
  if (c == 0xf0 && p[1] < 0x90) return 0; /* overlong */
  if (c == 0xf4 && p[1] > 0x8f) return 0; /* beyond U+10FFFF */
  return n;
}

bool sumi__is_utf8(const char *text, size_t bytes) {
  for (size_t i = 0; i < bytes;) {
    const size_t n = utf8_length((const unsigned char *)text + i, bytes - i);
    if (!n) return false;
    i += n;
  }
  return true;
}

char *sumi__quote_bytes(char out[SUMI__QUOTE_MAX], const char *text, size_t bytes) {
  enum { SHOWN = 80 };
  size_t o = 0;
  out[o++] = '`';
  size_t i = 0;
  while (i < bytes) {
    const size_t n = utf8_length((const unsigned char *)text + i, bytes - i);
    if (o + (n ? n : 1) > 1 + SHOWN) break;
    const unsigned char c = (unsigned char)text[i];
    /* C1 controls (U+0080 to U+009F) steer terminals as C0 ones do. */
    const bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && n == 2 && (unsigned char)text[i + 1] < 0xa0);
    if (!n || control) {
      out[o++] = '?';
      i += n ? n : 1;
    } else {
      memcpy(out + o, text + i, n);
      o += n;
      i += n;
    }
  }
  if (i < bytes) {
    memcpy(out + o, "...", 3);
    o += 3;
  }
  out[o++] = '`';
  out[o] = 0;
  return out;
}

char *sumi__quote(char out[SUMI__QUOTE_MAX], const char *text) { return sumi__quote_bytes(out, text, strlen(text)); }
