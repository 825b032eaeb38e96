/* A tokenizer's life, its indices, and what can be asked of it. */
#include "text/tokenizer.h"

#include "io/text.h"

#include <string.h>

/* ---- Letters for bytes ------------------------------------------------------------------------------------------ */

/* Bytes that stand for themselves: printable and visible in Latin-1. The other 68 follow from U+0100 on. */
static bool is_own_letter(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
}

uint32_t sumi__byte_letter(uint8_t byte) {
  if (is_own_letter(byte)) return byte;
  if (byte <= 0x20) return 0x100u + byte;
  return byte == 0xAD ? 0x143u : 0x121u + (byte - 0x7Fu);
}

int sumi__letter_byte(uint32_t code) {
  if (code <= 0xFF) return is_own_letter(code) ? (int)code : -1;
  if (code <= 0x120) return (int)(code - 0x100);
  if (code <= 0x142) return (int)(code - 0x121 + 0x7F);
  return code == 0x143 ? 0xAD : -1;
}

/* ---- Hashes ----------------------------------------------------------------------------------------------------- */

static uint64_t hash_bytes(const char *text, size_t bytes) {
  uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
  for (size_t i = 0; i < bytes; i++) h = (h ^ (uint8_t)text[i]) * 0x100000001b3u;
  return h ^ h >> 32;
}

static uint64_t hash_pair(int32_t left, int32_t right) {
  const uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
  return h ^ h >> 32;
}

/* A power of two with at least twice as many slots as items. */
static size_t slots_for(size_t items) {
  size_t slots = 16;
  while (slots < 2 * items) slots *= 2;
  return slots;
}

int32_t sumi__tokenizer_find(const sumi_tokenizer *t, const char *piece, size_t bytes) {
  for (size_t slot = (size_t)hash_bytes(piece, bytes);; slot++) {
    const int32_t id = t->piece_slots[slot & t->piece_mask];
    if (id < 0) return -1;
    if (strncmp(t->pieces[id], piece, bytes) == 0 && t->pieces[id][bytes] == 0) return id;
  }
}

const sumi__merge *sumi__tokenizer_merge(const sumi_tokenizer *t, int32_t left, int32_t right) {
  for (size_t slot = (size_t)hash_pair(left, right);; slot++) {
    const sumi__merge *m = &t->merge_slots[slot & t->merge_mask];
    if (m->made < 0) return NULL;
    if (m->left == left && m->right == right) return m;
  }
}

sumi_status sumi__tokenizer_index_pieces(sumi_tokenizer *t, const char *name) {
  const size_t slots = slots_for((size_t)t->vocabulary);
  t->piece_slots = sumi__alloc_array(t->ctx, slots, sizeof *t->piece_slots);
  if (!t->piece_slots) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < slots; i++) t->piece_slots[i] = -1;
  t->piece_mask = slots - 1;
  for (int32_t id = 0; id < t->vocabulary; id++) {
    const char *piece = t->pieces[id];
    char quoted[SUMI__QUOTE_MAX];
    if (!piece) continue;
    const size_t bytes = strlen(piece);
    if (sumi__tokenizer_find(t, piece, bytes) >= 0)
      return sumi__fail(t->ctx, SUMI_FORMAT, "%s: the piece %s is there twice", name, sumi__quote(quoted, piece));
    size_t slot = (size_t)hash_bytes(piece, bytes);
    while (t->piece_slots[slot & t->piece_mask] >= 0) slot++;
    t->piece_slots[slot & t->piece_mask] = id;
  }
  return SUMI_OK;
}

sumi_status sumi__tokenizer_index_merges(sumi_tokenizer *t, const sumi__merge *merges, size_t count) {
  const size_t slots = slots_for(count);
  t->merge_slots = sumi__alloc_array(t->ctx, slots, sizeof *t->merge_slots);
  if (!t->merge_slots) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < slots; i++) t->merge_slots[i].made = -1;
  t->merge_mask = slots - 1;
  for (size_t i = 0; i < count; i++) {
    size_t slot = (size_t)hash_pair(merges[i].left, merges[i].right);
    for (;; slot++) {
      const sumi__merge *m = &t->merge_slots[slot & t->merge_mask];
      if (m->made < 0 || (m->left == merges[i].left && m->right == merges[i].right)) break;
    }
    t->merge_slots[slot & t->merge_mask] = merges[i];
  }
  return SUMI_OK;
}

void sumi__tokenizer_index_bytes(sumi_tokenizer *t) {
  for (int byte = 0; byte < 256; byte++) {
    char piece[8];
    const size_t n = sumi__utf8_put(sumi__byte_letter((uint8_t)byte), (uint8_t *)piece);
    const int32_t inside = sumi__tokenizer_find(t, piece, n);
    memcpy(piece + n, "</w>", 4);
    const int32_t last = sumi__tokenizer_find(t, piece, n + 4);
    t->byte_ids[byte] = inside >= 0 ? inside : t->unk;
    t->last_byte_ids[byte] = last >= 0 ? last : t->unk;
  }
}

sumi_status sumi__tokenizer_add_special(sumi_tokenizer *t, const char *name, const char *text, bool normalized) {
  sumi_status status = SUMI_OK;
  sumi__codes raw = {0};
  char quoted[SUMI__QUOTE_MAX];
  sumi__special *s = NULL;
  const int32_t id = sumi__tokenizer_find(t, text, strlen(text));
  SUMI_CHECK(t->ctx, id >= 0 && *text, SUMI_FORMAT, "%s: the special token %s is not in the vocabulary", name,
             sumi__quote(quoted, text));
  for (int i = 0; i < t->special_count; i++)
    if (t->specials[i].id == id) s = &t->specials[i];
  if (!s) {
    SUMI_CHECK(t->ctx, t->special_count < SUMI__SPECIAL_MAX, SUMI_FORMAT, "%s: more than %d special tokens", name,
               SUMI__SPECIAL_MAX);
    s = &t->specials[t->special_count++];
  }
  s->text = t->pieces[id];
  s->id = id;
  s->normalized = normalized;
  s->codes.count = 0;
  if (normalized) {
    SUMI_TRY(sumi__codes_of_utf8(t->ctx, text, strlen(text), &raw));
    SUMI_TRY(sumi__normalize(t->ctx, raw.items, raw.count, &s->codes));
  } else {
    SUMI_TRY(sumi__codes_of_utf8(t->ctx, text, strlen(text), &s->codes));
  }
done:
  sumi__codes_free(t->ctx, &raw);
  return status;
}

/* ---- The public interface --------------------------------------------------------------------------------------- */

sumi_status sumi__tokenizer_create(sumi_context *ctx, sumi_tokenizer **out) {
  sumi_tokenizer *t = sumi__alloc_zero(ctx, sizeof *t);
  *out = t;
  if (!t) return SUMI_NO_MEMORY;
  t->ctx = ctx;
  sumi__arena_init(&t->arena, ctx);
  return SUMI_OK;
}

sumi_status sumi_tokenizer_open(sumi_context *ctx, const char *folder, sumi_tokenizer **out) {
  sumi_status status = SUMI_OK;
  sumi_tokenizer *t = NULL;
  *out = NULL;
  SUMI_TRY(sumi__tokenizer_create(ctx, &t));
  SUMI_TRY(folder ? sumi__tokenizer_load_folder(t, folder) : sumi__tokenizer_load_builtin(t));
  *out = t;
  t = NULL;
done:
  sumi_tokenizer_close(t);
  return status;
}

void sumi_tokenizer_close(sumi_tokenizer *t) {
  if (!t) return;
  for (int i = 0; i < t->special_count; i++) sumi__codes_free(t->ctx, &t->specials[i].codes);
  sumi__free(t->ctx, t->piece_slots);
  sumi__free(t->ctx, t->merge_slots);
  sumi__free(t->ctx, t->pieces);
  sumi__arena_free(&t->arena);
  sumi__free(t->ctx, t);
}

const char *sumi_tokenizer_piece(const sumi_tokenizer *t, int32_t id) {
  return id >= 0 && id < t->vocabulary ? t->pieces[id] : NULL;
}

int32_t sumi_tokenizer_find(const sumi_tokenizer *t, const char *piece) {
  return sumi__tokenizer_find(t, piece, strlen(piece));
}

int32_t sumi_tokenizer_vocabulary(const sumi_tokenizer *t) { return t->vocabulary; }
int32_t sumi_tokenizer_bos(const sumi_tokenizer *t) { return t->bos; }
int32_t sumi_tokenizer_eos(const sumi_tokenizer *t) { return t->eos; }
int32_t sumi_tokenizer_pad(const sumi_tokenizer *t) { return t->pad; }
