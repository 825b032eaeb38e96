/* The whole of a prompt: tags, AND, schedules, emphasis, chunks. */
#include "text/prompt.h"

#include "io/text.h"

#include <string.h>

/* The public struct first, so that a pointer to one is a pointer to the other. */
typedef struct owned_prompt {
  sumi_prompt public;
  sumi__arena arena;
} owned_prompt;

/* What a part says over some steps. */
typedef struct variant {
  const char *text; /* the arena */
  size_t bytes;
  uint64_t hash;
  size_t first, count; /* chunks while they are made */
  bool weighted;
  const sumi_prompt_chunk *chunks; /* the arena */
} variant;

typedef struct span_of_steps {
  int until;
  size_t variant;
} span_of_steps;

/* One of the texts that AND joins. */
typedef struct part {
  float weight;
  variant *variants;
  span_of_steps *spans;
  size_t variant_count, variant_room, span_count, span_room;
  size_t chunk_count; /* of the longest variant */
} part;

typedef struct builder {
  sumi_context *ctx;
  const sumi_prompt_options *options;
  sumi__chunker chunker;
  owned_prompt *out;
  part *parts;
  size_t part_count, chunk_total; /* chunks with those that fill up */
  sumi__buffer text;              /* one variant's */
} builder;

/* ---- Variants --------------------------------------------------------------------------------------------------- */

static uint64_t hash_text(const char *text, size_t bytes) {
  uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
  for (size_t i = 0; i < bytes; i++) h = (h ^ (uint8_t)text[i]) * 0x100000001b3u;
  return h;
}

/* The variant that says b->text, made if there is none. */
static sumi_status find_variant(builder *b, part *p, size_t *out) {
  sumi_status status = SUMI_OK;
  const uint64_t hash = hash_text(b->text.text, b->text.bytes);
  for (*out = 0; *out < p->variant_count; ++*out) {
    const variant *v = &p->variants[*out];
    if (v->hash == hash && v->bytes == b->text.bytes && (!v->bytes || memcmp(v->text, b->text.text, v->bytes) == 0))
      return SUMI_OK;
  }
  SUMI_TRY(sumi__grow(b->ctx, (void **)&p->variants, &p->variant_room, p->variant_count + 1, sizeof *p->variants));
  char *text = sumi__arena_alloc(&b->out->arena, b->text.bytes + 1);
  if (!text) return SUMI_NO_MEMORY;
  if (b->text.bytes) memcpy(text, b->text.text, b->text.bytes);
  p->variants[p->variant_count++] = (variant){.text = text, .bytes = b->text.bytes, .hash = hash};
done:
  return status;
}

static sumi_status put_span(builder *b, part *p, int until, size_t index) {
  if (p->span_count && p->spans[p->span_count - 1].variant == index) {
    p->spans[p->span_count - 1].until = until;
    return SUMI_OK;
  }
  const sumi_status status = sumi__grow(b->ctx, (void **)&p->spans, &p->span_room, p->span_count + 1, sizeof *p->spans);
  if (status == SUMI_OK) p->spans[p->span_count++] = (span_of_steps){until, index};
  return status;
}

static sumi_status take_steps(builder *b, part *p, sumi__span text) {
  sumi_status status = SUMI_OK;
  sumi__prompt_schedule *schedule = NULL;
  const int steps = b->options->steps;
  size_t index;
  SUMI_TRY(sumi__prompt_schedule_create(b->ctx, text, steps, &schedule));
  for (int step = 1; step <= steps;) {
    const int until = sumi__prompt_schedule_until(schedule, step);
    b->text.bytes = 0;
    SUMI_TRY(sumi__prompt_schedule_write(schedule, step, &b->text));
    SUMI_TRY(find_variant(b, p, &index));
    SUMI_TRY(put_span(b, p, until, index));
    step = until + 1;
  }
done:
  sumi__prompt_schedule_free(schedule);
  return status;
}

/* The same without syntax. */
static sumi_status take_plain(builder *b, part *p, sumi__span text) {
  sumi_status status = SUMI_OK;
  size_t index;
  b->text.bytes = 0;
  SUMI_TRY(sumi__buffer_put(b->ctx, &b->text, text.text, text.bytes));
  SUMI_TRY(find_variant(b, p, &index));
  SUMI_TRY(put_span(b, p, b->options->steps, index));
done:
  return status;
}

/* ---- Chunks ----------------------------------------------------------------------------------------------------- */

static bool is_weighted(const sumi_prompt_chunk *chunks, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (int k = 0; k < SUMI_CHUNK_TOKENS; k++)
      if (chunks[i].weights[k] != 1) return true;
  return false;
}

static sumi_status encode_variant(builder *b, part *p, variant *v, sumi__chunks *chunks) {
  sumi_status status = SUMI_OK;
  sumi__runs runs = {0};
  const bool brackets = !b->options->plain && b->options->emphasis != SUMI_EMPHASIS_NONE;
  SUMI_TRY(sumi__emphasis_parse(b->ctx, (sumi__span){v->text, v->bytes}, brackets, &runs));
  v->first = chunks->count;
  SUMI_TRY(sumi__chunks_append(&b->chunker, &b->out->arena, &runs, SUMI__PROMPT_MAX_CHUNKS - chunks->count, chunks));
  v->count = chunks->count - v->first;
  v->weighted = is_weighted(chunks->items + v->first, v->count);
  if (v->count > p->chunk_count) p->chunk_count = v->count;
done:
  sumi__runs_free(b->ctx, &runs);
  return status;
}

/* All variants of a part, filled up to the length of the longest with chunks of no text. */
static sumi_status encode_part(builder *b, part *p) {
  sumi_status status = SUMI_OK;
  const sumi__runs nothing = {0};
  sumi__chunks chunks = {0};
  for (size_t i = 0; i < p->variant_count; i++) SUMI_TRY(encode_variant(b, p, &p->variants[i], &chunks));
  SUMI_TRY(sumi__chunks_append(&b->chunker, &b->out->arena, &nothing, 1, &chunks));
  const sumi_prompt_chunk empty = chunks.items[chunks.count - 1];
  b->chunk_total += p->chunk_count * p->variant_count; /* each at most SUMI__PROMPT_MAX_CHUNKS */
  SUMI_CHECK(b->ctx, b->chunk_total <= SUMI__PROMPT_MAX_CHUNKS, SUMI_INVALID,
             "a prompt of more than %d chunks of %d tokens over all steps", SUMI__PROMPT_MAX_CHUNKS, SUMI_CHUNK_ROOM);
  for (size_t i = 0; i < p->variant_count; i++) {
    variant *v = &p->variants[i];
    sumi_prompt_chunk *copy = sumi__arena_alloc(&b->out->arena, p->chunk_count * sizeof *copy);
    if (!copy) status = SUMI_NO_MEMORY;
    if (!copy) goto done;
    for (size_t k = 0; k < p->chunk_count; k++) copy[k] = k < v->count ? chunks.items[v->first + k] : empty;
    v->chunks = copy;
  }
done:
  sumi__free(b->ctx, chunks.items);
  return status;
}

/* ---- Stages ----------------------------------------------------------------------------------------------------- */

static sumi_status make_stage(builder *b, const size_t *spans, int until, sumi_prompt_stage *out) {
  sumi_prompt_part *parts = sumi__arena_alloc(&b->out->arena, b->part_count * sizeof *parts);
  if (!parts) return SUMI_NO_MEMORY;
  for (size_t i = 0; i < b->part_count; i++) {
    const part *p = &b->parts[i];
    const variant *v = &p->variants[p->spans[spans[i]].variant];
    parts[i] = (sumi_prompt_part){v->text, p->weight, v->weighted, p->chunk_count, v->chunks};
  }
  *out = (sumi_prompt_stage){until, b->part_count, parts};
  return SUMI_OK;
}

/* Walks all parts' spans at once: a stage ends where any of them does. */
static sumi_status make_stages(builder *b) {
  sumi_status status = SUMI_OK;
  sumi_prompt_stage *stages = NULL;
  size_t count = 0, room = 0, work = 0;
  size_t *spans = sumi__alloc_array(b->ctx, b->part_count, sizeof *spans);
  if (!spans) return SUMI_NO_MEMORY;
  for (int until = 0; until < b->options->steps;) {
    until = b->options->steps;
    for (size_t i = 0; i < b->part_count; i++) {
      const int end = b->parts[i].spans[spans[i]].until;
      if (end < until) until = end;
    }
    work += b->part_count;
    SUMI_CHECK(b->ctx, work <= SUMI__PROMPT_MAX_WORK / 16, SUMI_INVALID,
               "a prompt of %zu parts that changes on more than %zu of its steps", b->part_count, count);
    SUMI_TRY(sumi__grow(b->ctx, (void **)&stages, &room, count + 1, sizeof *stages));
    SUMI_TRY(make_stage(b, spans, until, &stages[count]));
    count++;
    for (size_t i = 0; i < b->part_count; i++) spans[i] += b->parts[i].spans[spans[i]].until == until;
  }
  b->out->public.stages = sumi__arena_copy(&b->out->arena, stages, count * sizeof *stages);
  b->out->public.stage_count = count;
  if (!b->out->public.stages) status = SUMI_NO_MEMORY;
done:
  sumi__free(b->ctx, spans);
  sumi__free(b->ctx, stages);
  return status;
}

/* ---- The whole -------------------------------------------------------------------------------------------------- */

static sumi_status build_parts(builder *b, const sumi__prompt_piece *pieces, size_t count) {
  sumi_status status = SUMI_OK;
  b->parts = sumi__alloc_array(b->ctx, count, sizeof *b->parts);
  if (!b->parts) return SUMI_NO_MEMORY;
  b->part_count = count;
  for (size_t i = 0; i < count; i++) {
    part *p = &b->parts[i];
    p->weight = pieces[i].weight;
    SUMI_TRY(b->options->plain ? take_plain(b, p, pieces[i].text) : take_steps(b, p, pieces[i].text));
    SUMI_TRY(encode_part(b, p));
  }
  SUMI_TRY(make_stages(b));
done:
  return status;
}

/* Reads what surrounds the parts. */
static sumi_status build(builder *b, sumi__span text) {
  sumi_status status = SUMI_OK;
  const bool plain = b->options->plain;
  sumi__prompt_piece whole = {text, 1}, *pieces = NULL;
  sumi__buffer untagged = {0};
  sumi_prompt_network *networks = NULL;
  size_t count = 1;
  if (!plain) {
    SUMI_TRY(sumi__prompt_take_tags(&b->out->arena, text, &untagged, &networks, &b->out->public.network_count));
    b->out->public.networks = networks;
    whole.text = (sumi__span){untagged.text ? untagged.text : "", untagged.bytes};
  }
  if (!plain && !b->options->negative) SUMI_TRY(sumi__prompt_split_and(b->ctx, whole.text, &pieces, &count));
  SUMI_TRY(build_parts(b, pieces ? pieces : &whole, count));
done:
  sumi__free(b->ctx, pieces);
  sumi__free(b->ctx, untagged.text);
  return status;
}

/* The text with U+FFFD for what is not UTF-8. */
static sumi_status clean_text(sumi_context *ctx, const char *text, size_t bytes, sumi__buffer *out) {
  sumi_status status = SUMI_OK;
  for (size_t at = 0; at < bytes && status == SUMI_OK;) {
    uint32_t code;
    uint8_t piece[4];
    at += sumi__utf8_get((const uint8_t *)text + at, bytes - at, &code);
    status = sumi__buffer_put(ctx, out, (const char *)piece, sumi__utf8_put(code, piece));
  }
  return status;
}

static sumi_status check_options(sumi_context *ctx, const sumi_tokenizer *tokenizer,
                                 const sumi_prompt_options *options) {
  sumi_status status = SUMI_OK;
  char quoted[SUMI__QUOTE_MAX];
  SUMI_CHECK(ctx, options->steps >= 1 && options->steps <= 10000, SUMI_INVALID,
             "a prompt for %d steps: expected 1 to 10000", options->steps);
  SUMI_CHECK(ctx, options->emphasis >= SUMI_EMPHASIS_ORIGINAL && options->emphasis <= SUMI_EMPHASIS_NONE, SUMI_INVALID,
             "emphasis %d: expected one of the kinds there are", (int)options->emphasis);
  SUMI_CHECK(ctx, options->pad < sumi_tokenizer_vocabulary(tokenizer), SUMI_INVALID,
             "padding with id %d: expected at most %d", options->pad, sumi_tokenizer_vocabulary(tokenizer) - 1);
  for (size_t i = 0; i < options->embedding_count; i++) {
    const sumi_prompt_embedding *e = &options->embeddings[i];
    SUMI_CHECK(ctx, e->vectors >= 1 && e->vectors <= SUMI_CHUNK_ROOM, SUMI_INVALID,
               "the embedding %s has %d vectors: expected 1 to %d", sumi__quote(quoted, e->name), e->vectors,
               SUMI_CHUNK_ROOM);
  }
done:
  return status;
}

static void free_builder(builder *b) {
  for (size_t i = 0; i < b->part_count; i++) {
    sumi__free(b->ctx, b->parts[i].variants);
    sumi__free(b->ctx, b->parts[i].spans);
  }
  sumi__free(b->ctx, b->parts);
  sumi__free(b->ctx, b->text.text);
  sumi__chunker_free(&b->chunker);
}

sumi_status sumi_prompt_parse(const sumi_tokenizer *tokenizer, sumi_context *ctx, const char *text,
                              const sumi_prompt_options *options, sumi_prompt **out) {
  sumi_status status = SUMI_OK;
  builder b = {.ctx = ctx, .options = options};
  sumi__buffer clean = {0};
  const size_t bytes = strlen(text);
  *out = NULL;
  SUMI_TRY(check_options(ctx, tokenizer, options));
  SUMI_CHECK(ctx, bytes <= SUMI__PROMPT_MAX_BYTES, SUMI_INVALID, "a prompt of %zu bytes: at most %d can be read", bytes,
             SUMI__PROMPT_MAX_BYTES);
  b.out = sumi__alloc_zero(ctx, sizeof *b.out);
  if (!b.out) return SUMI_NO_MEMORY;
  sumi__arena_init(&b.out->arena, ctx);
  SUMI_TRY(clean_text(ctx, text, bytes, &clean));
  SUMI_TRY(sumi__chunker_init(&b.chunker, ctx, tokenizer, options));
  SUMI_TRY(build(&b, (sumi__span){clean.text ? clean.text : "", clean.bytes}));
  *out = &b.out->public;
  b.out = NULL;
done:
  free_builder(&b);
  sumi__free(ctx, clean.text);
  sumi_prompt_free(ctx, b.out ? &b.out->public : NULL);
  return status;
}

void sumi_prompt_free(sumi_context *ctx, sumi_prompt *public) {
  if (!public) return;
  owned_prompt *p = (owned_prompt *)(void *)public;
  p->arena.ctx = ctx;
  sumi__arena_free(&p->arena);
  sumi__free(ctx, p);
}

const sumi_prompt_stage *sumi_prompt_at(const sumi_prompt *prompt, int64_t step) {
  size_t i = 0;
  while (i + 1 < prompt->stage_count && prompt->stages[i].until <= step) i++;
  return &prompt->stages[i];
}
