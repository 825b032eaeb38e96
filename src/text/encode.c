/* Text to ids, as transformers 5's CLIPTokenizer does it (transformers/models/clip/tokenization_clip.py, on the Rust
 * package `tokenizers`): special tokens are cut out, the rest is normalised, split into words, and each word's bytes
 * are merged. */
#include "text/bpe.h"

#include <string.h>

typedef struct encoder {
  sumi_context *ctx;
  const sumi_tokenizer *t;
  sumi__bpe bpe;
  sumi__codes raw, normal, composed;
  uint8_t *word; /* one word's bytes */
  size_t word_room;
} encoder;

/* ---- Normalisation ---------------------------------------------------------------------------------------------- */

/* From `composed`, runs of white space become one space, and all of it lower case. */
static sumi_status fold(sumi_context *ctx, const sumi__codes *composed, sumi__codes *out) {
  out->count = 0;
  const sumi_status status = sumi__codes_reserve(ctx, out, 2 * composed->count);
  if (status != SUMI_OK) return status;
  bool in_space = false;
  for (size_t i = 0; i < composed->count; i++) {
    const uint32_t code = composed->items[i];
    const bool space = sumi__is_space(code);
    if (!space)
      out->count += sumi__lower(code, out->items + out->count);
    else if (!in_space)
      out->items[out->count++] = ' ';
    in_space = space;
  }
  return SUMI_OK;
}

sumi_status sumi__normalize(sumi_context *ctx, const uint32_t *codes, size_t count, sumi__codes *out) {
  sumi__codes composed = {0};
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi__nfc(ctx, codes, count, &composed));
  SUMI_TRY(fold(ctx, &composed, out));
done:
  sumi__codes_free(ctx, &composed);
  return status;
}

/* ---- Words ------------------------------------------------------------------------------------------------------ */

static sumi_status put_word(encoder *e, const uint32_t *codes, size_t count) {
  sumi_status status = SUMI_OK;
  size_t bytes = 0;
  SUMI_TRY(sumi__grow(e->ctx, (void **)&e->word, &e->word_room, 4 * count, 1));
  for (size_t i = 0; i < count; i++) bytes += sumi__utf8_put(codes[i], e->word + bytes);
  SUMI_TRY(sumi__bpe_word(e->ctx, &e->bpe, e->t, e->word, bytes));
done:
  return status;
}

static bool is_other(uint32_t code) {
  return !sumi__is_space(code) && !sumi__is_letter(code) && !sumi__is_number(code);
}

/* How many of the codes are the text; 0 if they do not begin with it. */
static size_t match_text(const uint32_t *codes, size_t count, const char *text) {
  size_t n = 0;
  for (; text[n]; n++)
    if (n == count || codes[n] != (uint8_t)text[n]) return 0;
  return n;
}

static size_t match_any(const uint32_t *codes, size_t count, const char *const *texts) {
  for (; *texts; texts++) {
    const size_t n = match_text(codes, count, *texts);
    if (n) return n;
  }
  return 0;
}

/* Splits normalised text: <|startoftext|> and <|endoftext|> (those that are no special tokens), English contractions,
 * runs of letters, single digits, runs of what is none of these nor white space. */
static sumi_status put_words(encoder *e, const uint32_t *codes, size_t count) {
  static const char *const specials[] = {"<|startoftext|>", "<|endoftext|>", NULL};
  static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d", NULL};
  sumi_status status = SUMI_OK;
  for (size_t i = 0; i < count;) {
    const uint32_t *at = codes + i;
    const size_t left = count - i;
    size_t n = 0;
    if (*at == '<' && (n = match_any(at, left, specials))) {
      /* A second split, of the byte level, takes it apart again. */
      SUMI_TRY(put_word(e, at, 2));
      SUMI_TRY(put_word(e, at + 2, n - 4));
      SUMI_TRY(put_word(e, at + n - 2, 2));
      i += n;
      continue;
    }
    if (*at == '\'') n = match_any(at, left, contractions);
    if (n == 0 && sumi__is_number(*at)) n = 1;
    if (n == 0)
      while (n < left && sumi__is_letter(at[n])) n++;
    if (n == 0)
      while (n < left && is_other(at[n])) n++;
    if (n) SUMI_TRY(put_word(e, at, n));
    i += n ? n : 1;
  }
done:
  return status;
}

/* ---- Special tokens --------------------------------------------------------------------------------------------- */

/* The longest special token that the codes begin with, or NULL. */
static const sumi__special *match_special(const encoder *e, bool normalized, const uint32_t *codes, size_t count) {
  const sumi__special *best = NULL;
  for (int i = 0; i < e->t->special_count; i++) {
    const sumi__special *s = &e->t->specials[i];
    const size_t n = s->codes.count;
    if (s->normalized != normalized || n == 0 || n > count || s->codes.items[0] != codes[0]) continue;
    if (memcmp(s->codes.items, codes, n * sizeof *codes) != 0) continue;
    if (!best || n > best->codes.count) best = s;
  }
  return best;
}

typedef sumi_status (*put_fn)(encoder *e, const uint32_t *codes, size_t count);

/* Cuts the special tokens of one kind out; what stands between them goes to `put`. */
static sumi_status cut_specials(encoder *e, bool normalized, const uint32_t *codes, size_t count, put_fn put) {
  sumi_status status = SUMI_OK;
  size_t begin = 0;
  for (size_t i = 0; i < count;) {
    const sumi__special *special = match_special(e, normalized, codes + i, count - i);
    if (!special) {
      i++;
      continue;
    }
    if (i > begin) SUMI_TRY(put(e, codes + begin, i - begin));
    SUMI_TRY(sumi__bpe_put(e->ctx, &e->bpe, special->id));
    i += special->codes.count;
    begin = i;
  }
  if (count > begin) SUMI_TRY(put(e, codes + begin, count - begin));
done:
  return status;
}

static sumi_status put_text(encoder *e, const uint32_t *codes, size_t count) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi__nfc(e->ctx, codes, count, &e->composed));
  SUMI_TRY(fold(e->ctx, &e->composed, &e->normal));
  SUMI_TRY(cut_specials(e, true, e->normal.items, e->normal.count, put_words));
done:
  return status;
}

/* ---- The whole -------------------------------------------------------------------------------------------------- */

sumi_status sumi_tokenizer_encode(const sumi_tokenizer *tokenizer, sumi_context *ctx, const char *text, size_t bytes,
                                  int32_t **ids, size_t *count) {
  sumi_status status = SUMI_OK;
  encoder e = {.ctx = ctx, .t = tokenizer};
  *ids = NULL;
  *count = 0;
  SUMI_CHECK(ctx, bytes <= SUMI__ENCODE_MAX_BYTES, SUMI_INVALID, "a text of %zu bytes: at most %d can be tokenized",
             bytes, SUMI__ENCODE_MAX_BYTES);
  SUMI_TRY(sumi__grow(ctx, (void **)&e.bpe.ids, &e.bpe.id_room, 1, sizeof *e.bpe.ids)); /* never NULL */
  SUMI_TRY(sumi__codes_of_utf8(ctx, text, bytes, &e.raw));
  SUMI_TRY(cut_specials(&e, false, e.raw.items, e.raw.count, put_text));
  *ids = e.bpe.ids;
  *count = e.bpe.id_count;
  e.bpe.ids = NULL;
done:
  sumi__codes_free(ctx, &e.raw);
  sumi__codes_free(ctx, &e.normal);
  sumi__codes_free(ctx, &e.composed);
  sumi__free(ctx, e.word);
  sumi__bpe_free(ctx, &e.bpe);
  return status;
}

void sumi_ids_free(sumi_context *ctx, int32_t *ids) { sumi__free(ctx, ids); }
