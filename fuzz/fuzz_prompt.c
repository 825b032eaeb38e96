/* Prompts: any text is one, or is refused for its size in one line; what comes of it keeps what text.h promises.
 * Byte 0 chooses the options, byte 1 the steps, the rest is the prompt up to a zero. */
#include "fuzz.h"

#include "sumi/text.h"

#include "io/text.h"

#include <math.h>

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

static const sumi_prompt_embedding embeddings[] = {{"a", 2}, {"a cat", 75}, {"[", 1}};

static void check_chunk(const sumi_prompt_chunk *chunk, int32_t pad) {
  fuzz_require(chunk->ids[0] == 49406 && chunk->used >= 0 && chunk->used <= SUMI_CHUNK_ROOM, "a chunk begins");
  fuzz_require(chunk->used == SUMI_CHUNK_ROOM || chunk->ids[SUMI_CHUNK_TOKENS - 1] == pad, "a chunk is filled up");
  for (int i = 0; i < SUMI_CHUNK_TOKENS; i++) {
    fuzz_require(chunk->ids[i] >= 0 && chunk->ids[i] < 49408, "ids are in the vocabulary");
    fuzz_require(isfinite(chunk->weights[i]) != 0, "weights are finite");
  }
  for (size_t i = 0; i < chunk->row_count; i++) {
    const sumi_prompt_row *row = &chunk->rows[i];
    fuzz_require(row->position >= 1 && row->position <= chunk->used, "rows are in the chunk");
    fuzz_require(row->embedding >= 0 && row->embedding < 3, "rows are of an embedding");
    fuzz_require(row->row >= 0 && row->row < embeddings[row->embedding].vectors, "rows are in the embedding");
    fuzz_require(i == 0 || chunk->rows[i - 1].position < row->position, "rows are in order");
  }
}

static void check_prompt(const sumi_prompt *prompt, const sumi_prompt_options *options) {
  int until = 0;
  for (size_t i = 0; i < prompt->stage_count; i++) {
    const sumi_prompt_stage *stage = &prompt->stages[i];
    fuzz_require(stage->until > until && stage->part_count >= 1, "stages follow each other");
    fuzz_require(stage->part_count == prompt->stages[0].part_count, "stages have the same parts");
    fuzz_require(sumi_prompt_at(prompt, until) == stage, "a step finds its stage");
    until = stage->until;
    for (size_t k = 0; k < stage->part_count; k++) {
      const sumi_prompt_part *part = &stage->parts[k];
      fuzz_require(sumi__is_utf8(part->text, strlen(part->text)) && isfinite(part->weight), "a part is text");
      fuzz_require(part->chunk_count == prompt->stages[0].parts[k].chunk_count, "a part keeps its length");
      for (size_t c = 0; c < part->chunk_count; c++) check_chunk(&part->chunks[c], options->pad < 0 ? 49407 : 0);
    }
  }
  fuzz_require(until == options->steps, "the last stage ends with the last step");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes < 2 || bytes > FUZZ_INPUT_LIMIT) return 0;
  size_t live;
  sumi_context *ctx = fuzz_begin(&live);
  char *text = calloc(1, bytes - 1);
  sumi_prompt *prompt = NULL;
  const sumi_prompt_options options = {.steps = 1 + data[1],
                                       .plain = (data[0] & 1) != 0,
                                       .negative = (data[0] & 2) != 0,
                                       .emphasis = (sumi_emphasis)((data[0] >> 2) % 5),
                                       .pad = data[0] & 0x20 ? 0 : -1,
                                       .comma_backtrack = data[0] & 0x40 ? -1 : 0,
                                       .embeddings = embeddings,
                                       .embedding_count = data[0] & 0x80 ? 3 : 0};
  fuzz_require(text != NULL, "there is memory");
  memcpy(text, data + 2, bytes - 2);
  const sumi_status status = sumi_prompt_parse(tokenizer(), ctx, text, &options, &prompt);
  fuzz_require(status == SUMI_OK || status == SUMI_INVALID, "a prompt is read, or refused for its size");
  if (status == SUMI_OK)
    check_prompt(prompt, &options);
  else
    fuzz_require(!prompt && !strpbrk(sumi_context_error(ctx), "\n\r\x1b"), "an error is one line of plain text");
  sumi_prompt_free(ctx, prompt);
  free(text);
  return fuzz_end(ctx, &live, SUMI_OK);
}
