/* Numbers as text whatever the locale, and names from files made fit for one line of an error. */
#ifndef SUMI_SRC_IO_TEXT_H
#define SUMI_SRC_IO_TEXT_H

#include "base/base.h"

/* Room for any number that the functions below write, with the final zero. */
enum { SUMI__NUMBER_MAX = 32 };

/* The shortest decimal that reads back as the same value: "0.1", "1e-05", "128", "nan", "-inf". Whole numbers below
 * 2^53 have no exponent. Returns `out`. */
char *sumi__format_f64(char out[SUMI__NUMBER_MAX], double value);
char *sumi__format_f32(char out[SUMI__NUMBER_MAX], float value);

/* The whole text as a decimal number with a point: "-3", "1e-4", ".5", "inf", "nan" (any case). False if anything is
 * left over, if it is empty, or if it overflows. */
bool sumi__parse_f64(const char *text, double *out);
/* The whole text as a decimal integer, or a hexadecimal one after "0x". False as above. */
bool sumi__parse_i64(const char *text, int64_t *out);

/* A name or value that came from a file, for an error's line: between backquotes, control characters and broken UTF-8
 * as '?', shortened with "..." beyond 80 bytes. Returns `out`. */
enum { SUMI__QUOTE_MAX = 96 };
char *sumi__quote(char out[SUMI__QUOTE_MAX], const char *text);
char *sumi__quote_bytes(char out[SUMI__QUOTE_MAX], const char *text, size_t bytes);

/* True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool sumi__is_utf8(const char *text, size_t bytes);

#endif
