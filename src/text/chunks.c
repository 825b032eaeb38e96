/* Weighted text to chunks of 75 tokens: a chunk that is full breaks behind a comma, if one is near its end. */
#include "text/prompt.h"

#include <stdlib.h>
#include <string.h>

/* ---- Names of embeddings ---------------------------------------------------------------------------------------- */

static int compare_names(const void *left, const void *right) {
  const sumi__prompt_name *a = left, *b = right;
  if (a->ids[0] != b->ids[0]) return a->ids[0] < b->ids[0] ? -1 : 1;
  if (a->count != b->count) return a->count > b->count ? -1 : 1;
  return a->embedding < b->embedding ? -1 : a->embedding > b->embedding;
}

sumi_status sumi__chunker_init(sumi__chunker *c, sumi_context *ctx, const sumi_tokenizer *tokenizer,
                               const sumi_prompt_options *options) {
  sumi_status status = SUMI_OK;
  *c = (sumi__chunker){.ctx = ctx, .tokenizer = tokenizer};
  c->bos = sumi_tokenizer_bos(tokenizer);
  c->eos = sumi_tokenizer_eos(tokenizer);
  c->pad = options->pad >= 0 ? options->pad : sumi_tokenizer_pad(tokenizer);
  c->comma = sumi_tokenizer_find(tokenizer, ",</w>");
  c->comma_backtrack = options->comma_backtrack == 0 ? 20 : options->comma_backtrack < 0 ? 0 : options->comma_backtrack;
  c->weigh = options->emphasis != SUMI_EMPHASIS_IGNORE;
  if (options->embedding_count == 0) return SUMI_OK;
  c->names = sumi__alloc_array(ctx, options->embedding_count, sizeof *c->names);
  if (!c->names) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < options->embedding_count; i++) {
    const sumi_prompt_embedding *e = &options->embeddings[i];
    sumi__prompt_name *name = &c->names[c->name_count];
    SUMI_TRY(sumi_tokenizer_encode(tokenizer, ctx, e->name, strlen(e->name), &name->ids, &name->count));
    name->embedding = (int32_t)i;
    name->vectors = e->vectors;
    c->name_count++;
    if (name->count == 0) { /* nothing can name it */
      sumi__free(ctx, name->ids);
      c->name_count--;
    }
  }
  qsort(c->names, c->name_count, sizeof *c->names, compare_names);
done:
  return status;
}

void sumi__chunker_free(sumi__chunker *c) {
  for (size_t i = 0; i < c->name_count; i++) sumi__free(c->ctx, c->names[i].ids);
  sumi__free(c->ctx, c->names);
  c->names = NULL;
  c->name_count = 0;
}

/* The longest name that the ids begin with, or NULL. */
static const sumi__prompt_name *match_name(const sumi__chunker *c, const int32_t *ids, size_t count) {
  size_t low = 0, high = c->name_count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (c->names[middle].ids[0] < ids[0])
      low = middle + 1;
    else
      high = middle;
  }
  for (; low < c->name_count && c->names[low].ids[0] == ids[0]; low++) {
    const sumi__prompt_name *name = &c->names[low];
    if (name->count <= count && memcmp(name->ids, ids, name->count * sizeof *ids) == 0) return name;
  }
  return NULL;
}

/* ---- Filling a chunk -------------------------------------------------------------------------------------------- */

typedef struct slot {
  int32_t id;
  float weight;
  int32_t embedding, row; /* embedding is -1 for a token */
} slot;

typedef struct filler {
  const sumi__chunker *c;
  sumi__arena *arena;
  sumi__chunks *out;
  size_t limit;
  slot slots[SUMI_CHUNK_ROOM];
  int count, last_comma; /* last_comma is -1 if the chunk has none */
  size_t finished;       /* chunks of this text */
} filler;

static sumi_status make_chunk(filler *f, sumi_prompt_chunk *chunk) {
  const sumi__chunker *c = f->c;
  sumi_prompt_row *rows = NULL;
  *chunk = (sumi_prompt_chunk){.used = f->count};
  for (int i = 0; i < f->count; i++) chunk->row_count += f->slots[i].embedding >= 0;
  if (chunk->row_count) {
    rows = sumi__arena_alloc(f->arena, chunk->row_count * sizeof *rows);
    if (!rows) return SUMI_NO_MEMORY;
  }
  chunk->rows = rows;
  for (int i = 0; i < SUMI_CHUNK_TOKENS; i++) {
    const slot *s = i >= 1 && i <= f->count ? &f->slots[i - 1] : NULL;
    chunk->ids[i] = s ? s->id : i == 0 ? c->bos : c->eos;
    chunk->weights[i] = s && c->weigh ? s->weight : 1;
    if (s && s->embedding >= 0) *rows++ = (sumi_prompt_row){i, s->embedding, s->row};
  }
  if (c->pad == c->eos) return SUMI_OK;
  /* Padding of its own begins behind the first end token, wherever that came from. */
  int end = 0;
  while (chunk->ids[end] != c->eos) end++;
  for (int i = end + 1; i < SUMI_CHUNK_TOKENS; i++) chunk->ids[i] = c->pad;
  return SUMI_OK;
}

/* Ends the chunk after its first `keep` slots; the others begin the next one. */
static sumi_status finish_chunk(filler *f, int keep) {
  sumi_status status = SUMI_OK;
  const int rest = f->count - keep;
  SUMI_CHECK(f->c->ctx, f->finished < f->limit, SUMI_INVALID,
             "a prompt of more than %d chunks of %d tokens over all steps", SUMI__PROMPT_MAX_CHUNKS, SUMI_CHUNK_ROOM);
  SUMI_TRY(sumi__grow(f->c->ctx, (void **)&f->out->items, &f->out->capacity, f->out->count + 1, sizeof *f->out->items));
  f->count = keep;
  SUMI_TRY(make_chunk(f, &f->out->items[f->out->count]));
  f->out->count++;
  f->finished++;
  memmove(f->slots, f->slots + keep, (size_t)rest * sizeof *f->slots);
  f->count = rest;
  f->last_comma = -1;
done:
  return status;
}

/* Room for one more token, which is `id`. */
static sumi_status make_room(filler *f, int32_t id) {
  const int backtrack = f->c->comma_backtrack;
  sumi_status status = SUMI_OK;
  if (id == f->c->comma)
    f->last_comma = f->count;
  else if (backtrack && f->count == SUMI_CHUNK_ROOM && f->last_comma >= 0 && f->count - f->last_comma <= backtrack)
    status = finish_chunk(f, f->last_comma + 1);
  if (status == SUMI_OK && f->count == SUMI_CHUNK_ROOM) status = finish_chunk(f, f->count);
  return status;
}

static sumi_status put_ids(filler *f, const int32_t *ids, size_t count, float weight) {
  sumi_status status = SUMI_OK;
  for (size_t i = 0; i < count;) {
    SUMI_TRY(make_room(f, ids[i]));
    const sumi__prompt_name *name = match_name(f->c, ids + i, count - i);
    if (!name) {
      f->slots[f->count++] = (slot){ids[i++], weight, -1, 0};
      continue;
    }
    if (f->count + name->vectors > SUMI_CHUNK_ROOM) SUMI_TRY(finish_chunk(f, f->count));
    for (int32_t row = 0; row < name->vectors; row++) f->slots[f->count++] = (slot){0, weight, name->embedding, row};
    i += name->count;
  }
done:
  return status;
}

sumi_status sumi__chunks_append(sumi__chunker *c, sumi__arena *arena, const sumi__runs *runs, size_t limit,
                                sumi__chunks *out) {
  sumi_status status = SUMI_OK;
  int32_t *ids = NULL;
  size_t count;
  filler f = {.c = c, .arena = arena, .out = out, .limit = limit, .last_comma = -1};
  for (size_t i = 0; i < runs->count; i++) {
    const sumi__run *run = &runs->items[i];
    if (run->is_break) {
      SUMI_TRY(finish_chunk(&f, f.count));
      continue;
    }
    if (run->end == run->begin) continue;
    SUMI_TRY(
        sumi_tokenizer_encode(c->tokenizer, c->ctx, runs->text.text + run->begin, run->end - run->begin, &ids, &count));
    SUMI_TRY(put_ids(&f, ids, count, sumi__prompt_weight(run->weight)));
    sumi__free(c->ctx, ids);
    ids = NULL;
  }
  if (f.count || f.finished == 0) SUMI_TRY(finish_chunk(&f, f.count));
done:
  sumi__free(c->ctx, ids);
  return status;
}
