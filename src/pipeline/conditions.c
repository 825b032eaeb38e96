#include "pipeline/conditions.h"

#include "text/prompt.h"

#include <string.h>

/* ---- Which chunks there are ---- */

static int parts_of(const sumi_prompt *p) { return (int)(p->stage_count * p->stages[0].part_count); }

static int64_t most_chunks(const sumi_prompt *p) {
  size_t most = 1;
  for (size_t s = 0; s < p->stage_count; s++)
    for (size_t i = 0; i < p->stages[s].part_count; i++)
      if (p->stages[s].parts[i].chunk_count > most) most = p->stages[s].parts[i].chunk_count;
  return (int64_t)most;
}

/* Context k of a prompt: its parts, stage by stage. */
static const sumi_prompt_part *part_at(const sumi_prompt *p, int k) {
  const int width = (int)p->stages[0].part_count;
  return &p->stages[k / width].parts[k % width];
}

static sumi_status parse(sumi_session *s, const sumi_generation *job, const char *text, bool negative, int steps,
                         sumi_prompt **out) {
  const sumi_prompt_options options = {.steps = steps,
                                       .plain = job->plain_prompt,
                                       .negative = negative,
                                       .emphasis = job->emphasis,
                                       .pad = sumi__pad_id(s->engine->model, s->engine->tokenizer)};
  return sumi_prompt_parse(s->engine->tokenizer, s->ctx, text ? text : "", &options, out);
}

static bool same_chunk(const sumi_prompt_chunk *a, const sumi_prompt_chunk *b) {
  return memcmp(a->ids, b->ids, sizeof a->ids) == 0 && memcmp(a->weights, b->weights, sizeof a->weights) == 0 &&
         a->row_count == 0 && b->row_count == 0;
}

static bool same_part(const sumi_prompt_part *a, const sumi_prompt_part *b) {
  bool same = a->chunk_count == b->chunk_count;
  for (size_t i = 0; same && i < a->chunk_count; i++) same = same_chunk(&a->chunks[i], &b->chunks[i]);
  return same;
}

static uint64_t hash_part(const sumi_prompt_part *part) {
  uint64_t h = 0;
  for (size_t i = 0; i < part->chunk_count; i++) {
    h = sumi__hash(part->chunks[i].ids, sizeof part->chunks[i].ids, h);
    h = sumi__hash(part->chunks[i].weights, sizeof part->chunks[i].weights, h);
  }
  return h;
}

/* The context of a part: one that there is, or another one. */
static int slot_of(sumi__conditions *c, uint64_t *hashes, const sumi_prompt_part *part) {
  const uint64_t hash = hash_part(part);
  for (int i = 0; i < c->count; i++)
    if (hashes[i] == hash && same_part(c->parts[i], part)) return i;
  hashes[c->count] = hash;
  c->parts[c->count] = part;
  return c->count++;
}

static sumi_status find_slots(sumi__conditions *c) {
  sumi_context *ctx = c->session->ctx;
  const int own = parts_of(c->positive), all = own + parts_of(c->negative);
  uint64_t *hashes = sumi__alloc_array(ctx, (size_t)all, sizeof *hashes);
  c->slots = sumi__alloc_array(ctx, (size_t)all, sizeof *c->slots);
  c->parts = sumi__alloc_array(ctx, (size_t)all, sizeof *c->parts);
  const bool good = hashes && c->slots && c->parts;
  for (int k = 0; good && k < all; k++)
    c->slots[k] = slot_of(c, hashes, k < own ? part_at(c->positive, k) : part_at(c->negative, k - own));
  sumi__free(ctx, hashes);
  return good ? SUMI_OK : SUMI_NO_MEMORY;
}

/* ---- Encoding ---- */

/* Encodes chunks two at a time, which is what a prompt and its negative are. */
typedef struct encoder {
  sumi_session *s;
  const sumi_generation *job;
  sumi_dtype compute;
  int64_t size; /* values of a chunk's encoding */
  const float *empty;
  int pending;
  int32_t ids[SUMI__CONDITIONS_ROWS][SUMI_CHUNK_TOKENS];
  struct {
    const sumi_prompt_chunk *chunk;
    float *to;
  } queue[SUMI__CONDITIONS_ROWS];
} encoder;

static sumi_status flush(encoder *e) {
  sumi_status status = SUMI_OK;
  const float *output = NULL;
  if (!e->pending) return SUMI_OK;
  if (e->pending == 1) memcpy(e->ids[1], e->ids[0], sizeof e->ids[0]);
  const int skip = e->job->clip_skip ? e->job->clip_skip : 1;
  SUMI_TRY(sumi__text_run(&e->s->text, e->ids[0], SUMI__CONDITIONS_ROWS, skip, e->compute, NULL, NULL, &output));
  for (int i = 0; i < e->pending; i++) {
    memcpy(e->queue[i].to, output + i * e->size, (size_t)e->size * sizeof *output);
    sumi__emphasis_apply(e->job->emphasis, e->queue[i].to, e->empty, e->queue[i].chunk->weights, SUMI_CHUNK_TOKENS,
                         e->size / SUMI_CHUNK_TOKENS);
  }
  e->pending = 0;
done:
  return status;
}

static sumi_status push(encoder *e, const sumi_prompt_chunk *chunk, float *to) {
  memcpy(e->ids[e->pending], chunk->ids, sizeof chunk->ids);
  e->queue[e->pending].chunk = chunk;
  e->queue[e->pending++].to = to;
  return e->pending == SUMI__CONDITIONS_ROWS ? flush(e) : SUMI_OK;
}

static sumi_status encode_parts(encoder *e, const sumi__conditions *c, const sumi_prompt_chunk *blank) {
  sumi_status status = SUMI_OK;
  float *to = c->contexts;
  for (int k = 0; k < c->count; k++)
    for (int64_t i = 0; i < c->chunks; i++, to += e->size)
      SUMI_TRY(push(e, i < (int64_t)c->parts[k]->chunk_count ? &c->parts[k]->chunks[i] : blank, to));
done:
  return status;
}

static sumi_status encode(sumi__conditions *c, const sumi_generation *job) {
  sumi_status status = SUMI_OK;
  sumi_prompt *blank = NULL;
  float *empty = NULL;
  encoder e = {.s = c->session,
               .job = job,
               .compute = sumi__precision_dtype(c->session->ctx, job->precision),
               .size = SUMI_CHUNK_TOKENS * c->width};
  SUMI_TRY(parse(c->session, job, "", false, 1, &blank));
  const sumi_prompt_chunk *chunk = blank->stages[0].parts[0].chunks;
  empty = sumi__alloc_array(c->session->ctx, (size_t)e.size, sizeof *empty);
  SUMI_TRY(empty ? SUMI_OK : SUMI_NO_MEMORY);
  if (job->emphasis == SUMI_EMPHASIS_INTERPOLATE) {
    e.empty = empty;
    SUMI_TRY(push(&e, chunk, empty));
    SUMI_TRY(flush(&e));
  }
  SUMI_TRY(encode_parts(&e, c, chunk));
  SUMI_TRY(flush(&e));
done:
  sumi_prompt_free(c->session->ctx, blank);
  sumi__free(c->session->ctx, empty);
  return status;
}

sumi_status sumi__conditions_parse(sumi_session *s, const sumi_generation *job, int steps, sumi__conditions *c) {
  sumi_status status = SUMI_OK;
  *c = (sumi__conditions){.session = s, .width = s->engine->model->text.hidden_size};
  SUMI_TRY(parse(s, job, job->prompt, false, steps, &c->positive));
  SUMI_CHECK(s->ctx, c->positive->stages[0].part_count <= SUMI__CONDITIONS_MAX_PARTS, SUMI_INVALID,
             "the prompt has %zu parts joined by AND, at most %d are possible", c->positive->stages[0].part_count,
             (int)SUMI__CONDITIONS_MAX_PARTS);
  SUMI_TRY(parse(s, job, job->negative_prompt, true, steps, &c->negative));
  for (size_t i = 0; i < c->positive->network_count; i++)
    sumi__log(s->ctx, SUMI_LOG_WARNING,
              "the prompt's <%s:%s> is left out: networks beside the checkpoint are not supported",
              c->positive->networks[i].kind, c->positive->networks[i].name);
  c->chunks = sumi__max_i64(most_chunks(c->positive), most_chunks(c->negative));
  c->tokens = c->chunks * SUMI_CHUNK_TOKENS;
  SUMI_TRY(find_slots(c));
done:
  return status;
}

sumi_status sumi__conditions_encode(sumi__conditions *c, const sumi_generation *job) {
  sumi_status status = SUMI_OK;
  const sumi_session *s = c->session;
  c->contexts = sumi__alloc_array(s->ctx, (size_t)c->count, (size_t)(c->tokens * c->width) * sizeof *c->contexts);
  SUMI_TRY(c->contexts ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(encode(c, job));
done:
  return status;
}

sumi_status sumi__conditions_read(sumi__conditions *c) {
  sumi_status status = SUMI_OK;
  sumi_session *s = c->session;
  sumi__free(s->ctx, c->kv);
  c->kv_bytes = sumi__unet_context_bytes(&s->unet);
  c->kv = sumi__alloc_array(s->ctx, (size_t)c->count, c->kv_bytes);
  SUMI_TRY(c->kv ? SUMI_OK : SUMI_NO_MEMORY);
  for (int k = 0; k < c->count; k++)
    SUMI_TRY(
        sumi__unet_read_context(&s->unet, c->contexts + k * c->tokens * c->width, c->kv + (size_t)k * c->kv_bytes));
done:
  return status;
}

void sumi__conditions_free(sumi__conditions *c) {
  if (!c->session) return;
  sumi_prompt_free(c->session->ctx, c->positive);
  sumi_prompt_free(c->session->ctx, c->negative);
  sumi__free(c->session->ctx, c->slots);
  sumi__free(c->session->ctx, c->parts);
  sumi__free(c->session->ctx, c->contexts);
  sumi__free(c->session->ctx, c->kv);
  *c = (sumi__conditions){0};
}

/* ---- A step's ---- */

/* Where a prompt's stage for a step begins among its contexts. */
static size_t begin_of(const sumi_prompt *p, int step) {
  return (size_t)(sumi_prompt_at(p, step) - p->stages) * p->stages[0].part_count;
}

const sumi_prompt_stage *sumi__conditions_stage(const sumi__conditions *c, int step) {
  return sumi_prompt_at(c->positive, step);
}

const void *sumi__conditions_part(const sumi__conditions *c, int step, size_t i) {
  return c->kv + (size_t)c->slots[begin_of(c->positive, step) + i] * c->kv_bytes;
}

const void *sumi__conditions_none(const sumi__conditions *c, int step) {
  return c->kv + (size_t)c->slots[(size_t)parts_of(c->positive) + begin_of(c->negative, step)] * c->kv_bytes;
}
