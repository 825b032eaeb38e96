/* A tokenizer's files: vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json, with a byte 0x1E
 * between them; the last two may be missing. What is read must encode. */
#include "fuzz.h"

#include "text/tokenizer.h"

enum { PARTS = 4, SEPARATOR = 0x1E };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes > FUZZ_INPUT_LIMIT) return 0;
  static const char sample[] = "A cafe\xcc\x81 <|STARTOFTEXT|> don't! 42 \xff";
  const char *texts[PARTS] = {"", "", NULL, NULL};
  size_t lengths[PARTS] = {0}, live, count, at = 0;
  for (int i = 0; i < PARTS && at <= bytes; i++) {
    const uint8_t *end = at < bytes ? memchr(data + at, SEPARATOR, bytes - at) : NULL;
    lengths[i] = end ? (size_t)(end - data) - at : bytes - at;
    texts[i] = (const char *)data + at;
    at += lengths[i] + 1;
  }
  sumi_context *ctx = fuzz_begin(&live);
  sumi_tokenizer *t = NULL;
  int32_t *ids;
  const sumi__tokenizer_texts files = {.vocab = texts[0],
                                       .merges = texts[1],
                                       .config = texts[2],
                                       .special_map = texts[3],
                                       .vocab_bytes = lengths[0],
                                       .merges_bytes = lengths[1],
                                       .config_bytes = lengths[2],
                                       .special_map_bytes = lengths[3]};
  sumi_status status = sumi__tokenizer_create(ctx, &t);
  if (status == SUMI_OK) status = sumi__tokenizer_load_texts(t, "fuzz", &files);
  if (status == SUMI_OK) {
    fuzz_require(sumi_tokenizer_encode(t, ctx, sample, sizeof sample - 1, &ids, &count) == SUMI_OK,
                 "what was read encodes");
    for (size_t i = 0; i < count; i++) fuzz_require(sumi_tokenizer_piece(t, ids[i]) != NULL, "ids have pieces");
    sumi_ids_free(ctx, ids);
  }
  sumi_tokenizer_close(t);
  return fuzz_end(ctx, &live, status);
}
