/* The parameters of a picture: whatever was taken apart can be put together, and then comes apart the same. */
#include "fuzz.h"

#include "sumi/infotext.h"
#include "sumi/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT / 4) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  sumi_infotext *info = NULL, *again = NULL;
  char *input = malloc(bytes + 1), *text = NULL;
  fuzz_require(input != NULL, "the fuzzer has memory");
  if (bytes) memcpy(input, data, bytes);
  input[bytes] = 0;
  const sumi_status status = sumi_infotext_parse(ctx, input, &info);
  if (status == SUMI_OK) {
    fuzz_require(sumi_infotext_format(ctx, info, &text) == SUMI_OK, "what came apart can be put together");
    fuzz_require(sumi_infotext_parse(ctx, text, &again) == SUMI_OK, "and comes apart again");
    fuzz_require(again->count >= info->count, "with no field less");
    for (size_t i = 0; i < info->count && again->count == info->count; i++)
      fuzz_require(!strcmp(again->fields[i].value, info->fields[i].value), "and the same values");
  }
  sumi_text_free(ctx, text);
  sumi_infotext_free(ctx, info);
  sumi_infotext_free(ctx, again);
  free(input);
  const bool named = status == SUMI_OK || strncmp(sumi_context_error(ctx), "parameters: ", 12) == 0;
  fuzz_require(named, "an error says what it is about");
  return fuzz_end(ctx, &live, SUMI_OK);
}
