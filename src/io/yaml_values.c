/* Types of scalars by YAML 1.2's core schema (https://yaml.org/spec/1.2.2, section 10.3). */
#include "io/yaml.h"

#include "io/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words) {
  for (; *words; words++)
    if (!strcmp(text, *words)) return true;
  return false;
}

bool sumi__yaml_is_null(const sumi__yaml_value *value) {
  static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
  return !value->quoted && is_one_of(value->text, words);
}

/* "digits.yaml:12: train.widths[1]: expected a number, found `wide`". */
static sumi_status wrong(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, const char *expected) {
  char shown[SUMI__QUOTE_MAX], item[32] = "";
  if (entry->is_list) snprintf(item, sizeof item, "[%zu]", i);
  const sumi__yaml_value *value = &entry->values[i];
  return sumi__fail(ctx, SUMI_FORMAT, "%s: %s%s: expected %s, found %s", entry->where, entry->key, item, expected,
                    sumi__yaml_is_null(value) ? "nothing" : sumi__quote(shown, value->text));
}

static sumi_status there(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i) {
  if (i < entry->count) return SUMI_OK;
  return sumi__fail(ctx, SUMI_FORMAT, "%s: %s: expected at least %zu values, found %zu", entry->where, entry->key,
                    i + 1, entry->count);
}

/* An integer, also one written like 1e6. */
static bool whole(const sumi__yaml_value *value, int64_t *out) {
  double number;
  if (value->quoted) return false;
  if (sumi__parse_i64(value->text, out)) return true;
  if (!sumi__parse_f64(value->text, &number) || !(fabs(number) < 0x1p53) || number != floor(number)) return false;
  *out = (int64_t)number;
  return true;
}

sumi_status sumi__yaml_i64(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, int64_t low, int64_t high,
                           int64_t *out) {
  int64_t value = 0;
  const sumi_status status = there(ctx, entry, i);
  if (status != SUMI_OK) return status;
  if (!whole(&entry->values[i], &value) || value < low || value > high) {
    char expected[96];
    if (high < INT64_MAX)
      snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)low, (long long)high);
    else
      snprintf(expected, sizeof expected, "an integer of %lld or more", (long long)low);
    return wrong(ctx, entry, i, low == INT64_MIN ? "an integer" : expected);
  }
  *out = value;
  return SUMI_OK;
}

sumi_status sumi__yaml_f64(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, double low, double high,
                           double *out) {
  double value = 0;
  const sumi_status status = there(ctx, entry, i);
  if (status != SUMI_OK) return status;
  const sumi__yaml_value *found = &entry->values[i];
  int64_t integer = 0;
  bool is_number = !found->quoted && sumi__parse_f64(found->text, &value);
  if (!is_number && whole(found, &integer)) { /* hexadecimal */
    value = (double)integer;
    is_number = true;
  }
  if (!is_number || !(value >= low && value <= high)) {
    char expected[128], a[SUMI__NUMBER_MAX], b[SUMI__NUMBER_MAX];
    sumi__format_f64(a, low);
    sumi__format_f64(b, high);
    if (high < INFINITY)
      snprintf(expected, sizeof expected, "a number from %s to %s", a, b);
    else
      snprintf(expected, sizeof expected, "a number of %s or more", a);
    return wrong(ctx, entry, i, low > -INFINITY ? expected : "a number");
  }
  *out = value;
  return SUMI_OK;
}

sumi_status sumi__yaml_bool(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, bool *out) {
  static const char *const yes[] = {"true", "True", "TRUE", NULL}, *const no[] = {"false", "False", "FALSE", NULL};
  const sumi_status status = there(ctx, entry, i);
  if (status != SUMI_OK) return status;
  const sumi__yaml_value *value = &entry->values[i];
  if (value->quoted || !(is_one_of(value->text, yes) || is_one_of(value->text, no)))
    return wrong(ctx, entry, i, "true or false");
  *out = is_one_of(value->text, yes);
  return SUMI_OK;
}

sumi_status sumi__yaml_string(sumi_context *ctx, const sumi__yaml_entry *entry, size_t i, const char **out) {
  const sumi_status status = there(ctx, entry, i);
  if (status != SUMI_OK) return status;
  if (sumi__yaml_is_null(&entry->values[i])) return wrong(ctx, entry, i, "a text");
  *out = entry->values[i].text;
  return SUMI_OK;
}

sumi_status sumi__yaml_scalar(sumi_context *ctx, const sumi__yaml_entry *entry) {
  if (!entry->is_list) return SUMI_OK;
  return sumi__fail(ctx, SUMI_FORMAT, "%s: %s: expected a single value, found a list of %zu", entry->where, entry->key,
                    entry->count);
}
