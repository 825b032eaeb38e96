/* The vocabulary of OpenAI's CLIP: 256 bytes, the same at the end of a word, what 48894 merges make of them, and the
 * tokens that begin and end a text. */
#include "text/tokenizer.h"

#include "text/clip_merges.inc"

#include <string.h>

enum { MERGES = sizeof clip_merges / sizeof *clip_merges / 2, LETTERS = 256, VOCABULARY = 2 * LETTERS + MERGES + 2 };

/* `left` and `right` joined, in the tokenizer's arena. */
static const char *join(sumi_tokenizer *t, const char *left, const char *right) {
  const size_t n = strlen(left), m = strlen(right);
  char *piece = sumi__arena_alloc(&t->arena, n + m + 1);
  if (!piece) return NULL;
  memcpy(piece, left, n);
  memcpy(piece + n, right, m);
  return piece;
}

/* Single letters, those of printable bytes first, then all of them at a word's end. */
static sumi_status make_letters(sumi_tokenizer *t) {
  int32_t id = 0;
  for (int own = 1; own >= 0; own--) {
    for (int byte = 0; byte < LETTERS; byte++) {
      const uint32_t letter = sumi__byte_letter((uint8_t)byte);
      if ((letter < 0x100) != own) continue;
      char text[5] = {0};
      sumi__utf8_put(letter, (uint8_t *)text);
      t->pieces[id] = join(t, text, "");
      t->pieces[id + LETTERS] = join(t, text, "</w>");
      if (!t->pieces[id] || !t->pieces[id + LETTERS]) return SUMI_NO_MEMORY;
      id++;
    }
  }
  return SUMI_OK;
}

sumi_status sumi__tokenizer_load_builtin(sumi_tokenizer *t) {
  sumi_status status = SUMI_OK;
  static const char name[] = "the built-in tokenizer";
  sumi__merge *merges = sumi__alloc_array(t->ctx, MERGES, sizeof *merges);
  t->pieces = sumi__alloc_array(t->ctx, VOCABULARY, sizeof *t->pieces);
  SUMI_CHECK(t->ctx, merges && t->pieces, SUMI_NO_MEMORY, "out of memory for %s", name);
  SUMI_TRY(make_letters(t));
  for (int32_t i = 0; i < MERGES; i++) {
    const int32_t left = clip_merges[2 * i], right = clip_merges[2 * i + 1], made = 2 * LETTERS + i;
    merges[i] = (sumi__merge){left, right, made, (uint32_t)i};
    t->pieces[made] = join(t, t->pieces[left], t->pieces[right]);
    SUMI_CHECK(t->ctx, t->pieces[made], SUMI_NO_MEMORY, "out of memory for %s", name);
  }
  t->bos = VOCABULARY - 2;
  t->eos = t->pad = t->unk = VOCABULARY - 1;
  t->pieces[t->bos] = "<|startoftext|>";
  t->pieces[t->eos] = "<|endoftext|>";
  t->vocabulary = VOCABULARY;
  SUMI_TRY(sumi__tokenizer_index_pieces(t, name));
  SUMI_TRY(sumi__tokenizer_index_merges(t, merges, MERGES));
  sumi__tokenizer_index_bytes(t);
  SUMI_TRY(sumi__tokenizer_add_special(t, name, t->pieces[t->bos], false));
  SUMI_TRY(sumi__tokenizer_add_special(t, name, t->pieces[t->eos], false));
done:
  sumi__free(t->ctx, merges);
  return status;
}
