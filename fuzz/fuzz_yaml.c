/* Configurations: the input as a file, and its first line as an assignment on the command line. */
#include "fuzz.h"

#include "io/yaml.h"

#include <math.h>

static void use_entry(sumi_context *ctx, const sumi__yaml *yaml, const sumi__yaml_entry *entry) {
  fuzz_require(sumi__yaml_find(yaml, entry->key) == entry, "an entry is found by its key, which is given once");
  for (size_t i = 0; i < entry->count; i++) {
    int64_t integer;
    double number;
    bool truth;
    const char *text;
    if (sumi__yaml_i64(ctx, entry, i, -1000, 1000, &integer) == SUMI_OK)
      fuzz_require(integer >= -1000 && integer <= 1000, "integers keep their range");
    if (sumi__yaml_f64(ctx, entry, i, -INFINITY, 1, &number) == SUMI_OK)
      fuzz_require(number <= 1, "numbers keep their range");
    (void)sumi__yaml_bool(ctx, entry, i, &truth);
    if (sumi__yaml_string(ctx, entry, i, &text) == SUMI_OK) fuzz_touch(text, strlen(text));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  sumi__yaml *yaml = NULL;
  const sumi_status status = sumi__yaml_parse(ctx, "fuzz.yaml", (const char *)data, bytes, &yaml);
  if (status != SUMI_OK) return fuzz_end(ctx, &live, status);
  char line[256] = "";
  for (size_t i = 0; i < bytes && i + 1 < sizeof line && data[i] != '\n' && data[i] != 0; i++) line[i] = (char)data[i];
  (void)sumi__yaml_override(yaml, line);
  (void)sumi__yaml_override(yaml, "a.b=[1, 2]");
  for (size_t i = 0; i < sumi__yaml_count(yaml); i++) use_entry(ctx, yaml, sumi__yaml_at(yaml, i));
  sumi__yaml_free(yaml);
  return fuzz_end(ctx, &live, status);
}
