/* The tokenizer: any bytes become ids of the vocabulary, not many more than bytes, and ids become text. */
#include "fuzz.h"

#include "sumi/io.h"
#include "sumi/text.h"

#include "io/text.h"

/* Made once, since it takes longer than most inputs. */
static const sumi_tokenizer *tokenizer(void) {
  static sumi_tokenizer *made;
  static sumi_context *ctx;
  if (!made) {
    fuzz_require(sumi_context_create(NULL, &ctx) == SUMI_OK, "a context can be made");
    fuzz_require(sumi_tokenizer_open(ctx, NULL, &made) == SUMI_OK, "the built-in tokenizer opens");
  }
  return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live, count;
  sumi_context *ctx = fuzz_begin(&live);
  int32_t *ids;
  char *text;
  fuzz_require(sumi_tokenizer_encode(tokenizer(), ctx, (const char *)data, bytes, &ids, &count) == SUMI_OK,
               "any bytes can be encoded");
  fuzz_require(count <= 3 * bytes, "an id for each byte of what U+FFFD takes, at most");
  for (size_t i = 0; i < count; i++)
    fuzz_require(sumi_tokenizer_piece(tokenizer(), ids[i]) != NULL, "ids are in the vocabulary");
  fuzz_require(sumi_tokenizer_decode(tokenizer(), ctx, ids, count, &text) == SUMI_OK, "ids can be decoded");
  fuzz_require(sumi__is_utf8(text, strlen(text)), "what is decoded is UTF-8");
  sumi_text_free(ctx, text);
  sumi_ids_free(ctx, ids);
  return fuzz_end(ctx, &live, SUMI_OK);
}
