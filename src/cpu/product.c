/* How convolutions and matrix products run a plan: operands are widened before it, and after it bias and addend are
 * added to f32 sums, which are rounded once. */
#include "cpu/product.h"

#include "cpu/convert.h"
#include "cpu/lent.h"

#include <string.h>

typedef struct product {
  sumi__product_plan plan;
  bool widen;                          /* operands in f32 for want of bf16 */
  bool narrow;                         /* the result in f32 first, for that or to be rounded after the bias */
  bool bias_after, adds_after;         /* bias and addend are added here */
  size_t offset_a, offset_b, offset_c; /* of widened operands in the scratch memory */
} product;

void sumi__product_destroy(sumi_context *ctx, void *state) {
  product *s = state;
  if (!s) return;
  sumi__dnn_free(s->plan.dnn);
  sumi__taps_free(s->plan.taps);
  sumi__free(ctx, s);
}

static size_t f32_bytes(const sumi_tensor *t) { return sumi__align_up((size_t)sumi__count(t) * sizeof(float), 64); }

/* Room for f32 operands behind the plan's own scratch memory. A packed operand needs it while it is packed. */
static void plan_scratch(sumi__prep *p, product *s) {
  const size_t own = s->plan.taps ? sumi__taps_scratch_bytes(s->plan.taps) : sumi__dnn_scratch_bytes(s->plan.dnn);
  s->offset_a = sumi__align_up(own, 64);
  s->offset_b = s->offset_a + (s->widen ? f32_bytes(p->node->inputs[0]) : 0);
  s->offset_c = s->offset_b + (s->widen ? f32_bytes(p->node->inputs[1]) : 0);
  p->scratch_bytes = s->offset_c + (s->narrow ? f32_bytes(p->node->outputs[0]) : 0);
}

sumi_status sumi__product_prepare(sumi__prep *p, sumi__product_planner planner, bool bias_after) {
  const sumi_dtype dtype = p->node->inputs[0]->dtype, c_dtype = p->node->outputs[0]->dtype;
  sumi_status status = SUMI_UNSUPPORTED;
  product *s = sumi__alloc_zero(p->ctx, sizeof *s);
  if (!s) return SUMI_NO_MEMORY;
  s->bias_after = bias_after && sumi__operands(p->node) == 3;
  s->adds_after = p->node->adds && !sumi__product_adds_inside(p, c_dtype);
  s->narrow = (s->bias_after || s->adds_after) && c_dtype != SUMI_F32;
  if (dtype != SUMI_BF16 || p->ctx->isa >= SUMI__ISA_AVX512_BF16)
    status = planner(p, dtype, s->narrow ? SUMI_F32 : c_dtype, &s->plan);
  if (status == SUMI_UNSUPPORTED && dtype == SUMI_BF16) {
    s->widen = true;
    s->narrow = c_dtype != SUMI_F32;
    s->adds_after = p->node->adds && !sumi__product_adds_inside(p, SUMI_F32);
    status = planner(p, SUMI_F32, SUMI_F32, &s->plan);
  }
  if (status != SUMI_OK) {
    sumi__product_destroy(p->ctx, s);
    return status;
  }
  p->packed_bytes[1] = s->plan.taps ? sumi__taps_packed_bytes(s->plan.taps) : sumi__dnn_packed_bytes(s->plan.dnn);
  p->packed_layout[1] = s->plan.taps ? sumi__taps_packed_layout(s->plan.taps) : sumi__dnn_packed_layout(s->plan.dnn);
  plan_scratch(p, s);
  p->adds_in_place = s->narrow || !s->adds_after;
  p->state = s;
  return SUMI_OK;
}

typedef struct widen_task {
  const sumi__call *c;
  float *to;
  const uint16_t *from;
} widen_task;

static void widen_range(void *arg, int64_t begin, int64_t end, int worker) {
  const widen_task *t = arg;
  (void)worker;
  SUMI__ISA_PICK(t->c->ctx, sumi__cpu_to_f32)(t->to + begin, t->from + begin, SUMI_BF16, end - begin);
}

/* An operand as the plan gets it. */
static const void *widened(const sumi__call *c, const sumi_tensor *tensor, const void *values, size_t offset) {
  const product *s = c->state;
  if (!s->widen || tensor->dtype != SUMI_BF16) return values;
  widen_task t = {c, (float *)(void *)((char *)c->scratch + offset), values};
  sumi__parallel_for(c->threads, sumi__count(tensor), 4096, widen_range, &t);
  return t.to;
}

sumi_status sumi__product_pack(const sumi__call *c, int input, const void *values, void *packed) {
  const product *s = c->state;
  const void *b = widened(c, c->node->inputs[input], values, s->offset_b);
  if (!s->plan.taps) return sumi__dnn_pack(s->plan.dnn, b, packed, c->scratch);
  sumi__taps_pack(s->plan.taps, b, packed);
  return SUMI_OK;
}

sumi_status sumi__product_pack_lent(const sumi__call *c, int input, const sumi__load_attrs *lent, void *packed) {
  const product *s = c->state;
  if (input != 1 || s->widen || !s->plan.dnn) return SUMI_UNSUPPORTED;
  return sumi__lent_pack_dnn(c, lent, s->plan.dnn, packed);
}

typedef struct narrow_task {
  const sumi__call *c;
  const float *from;  /* NULL: values are where they belong, and lack the rest */
  const float *bias;  /* over the last dimension; may be NULL */
  const char *addend; /* of the result's type; may be NULL */
  int64_t addend_repeats;
  int64_t channels;
} narrow_task;

enum { BLOCK = 256 };

static void finish_block(const narrow_task *t, char *out, const float *from, const char *addend, int64_t channel,
                         int64_t count) {
  const sumi_dtype dtype = t->c->node->outputs[0]->dtype;
  float block[BLOCK], more[BLOCK];
  if (from)
    for (int64_t i = 0; i < count; i++) block[i] = from[i];
  else
    SUMI__ISA_PICK(t->c->ctx, sumi__cpu_to_f32)(block, out, dtype, count);
  if (t->bias)
    for (int64_t i = 0; i < count; i++) block[i] += t->bias[channel + i];
  if (addend) {
    SUMI__ISA_PICK(t->c->ctx, sumi__cpu_to_f32)(more, addend, dtype, count);
    for (int64_t i = 0; i < count; i++) block[i] += more[i];
  }
  SUMI__ISA_PICK(t->c->ctx, sumi__cpu_from_f32)(out, dtype, block, count);
}

/* Whole pixels, in pieces of up to BLOCK channels. */
static void finish_range(void *arg, int64_t begin, int64_t end, int worker) {
  const narrow_task *t = arg;
  const size_t item = sumi_dtype_bytes(t->c->node->outputs[0]->dtype);
  char *out = t->c->out[0];
  (void)worker;
  for (int64_t pixel = begin; pixel < end; pixel++)
    for (int64_t channel = 0; channel < t->channels; channel += BLOCK) {
      const int64_t at = pixel * t->channels + channel, count = sumi__min_i64(BLOCK, t->channels - channel);
      const int64_t more = pixel / t->addend_repeats * t->channels + channel;
      finish_block(t, out + (size_t)at * item, t->from ? t->from + at : NULL,
                   t->addend ? t->addend + (size_t)more * item : NULL, channel, count);
    }
}

/* Puts the addend where the plan adds to it. */
typedef struct place_task {
  char *to;
  const char *from;
  size_t row_bytes;
  int64_t repeats;
} place_task;

static void place_range(void *arg, int64_t begin, int64_t end, int worker) {
  const place_task *t = arg;
  (void)worker;
  if (t->repeats == 1) {
    memcpy(t->to + (size_t)begin * t->row_bytes, t->from + (size_t)begin * t->row_bytes,
           (size_t)(end - begin) * t->row_bytes);
    return;
  }
  for (int64_t r = begin; r < end; r++)
    memcpy(t->to + (size_t)r * t->row_bytes, t->from + (size_t)(r / t->repeats) * t->row_bytes, t->row_bytes);
}

static void place_addend(const sumi__call *c) {
  const sumi__node *n = c->node;
  const sumi_shape *shape = &n->outputs[0]->shape;
  const int64_t width = shape->dims[shape->rank - 1];
  place_task t = {.to = c->out[0],
                  .from = c->in[n->n_inputs - 1],
                  .row_bytes = (size_t)width * sumi_dtype_bytes(n->outputs[0]->dtype),
                  .repeats = sumi__addend_repeats(n)};
  if (t.to == t.from) return; /* the memory was taken over */
  sumi__parallel_for(c->threads, sumi_shape_count(shape) / width, 16, place_range, &t);
}

sumi_status sumi__product_run(const sumi__call *c) {
  const product *s = c->state;
  const sumi__node *n = c->node;
  const void *a = widened(c, n->inputs[0], c->in[0], s->offset_a);
  const void *b = c->packed[1] ? c->packed[1] : widened(c, n->inputs[1], c->in[1], s->offset_b);
  const float *bias = sumi__operands(n) == 3 ? c->in[2] : NULL;
  float *wide = (float *)(void *)((char *)c->scratch + s->offset_c);
  void *to = s->narrow ? (void *)wide : c->out[0];
  sumi_status status = SUMI_OK;
  if (n->adds && !s->adds_after) place_addend(c);
  if (s->plan.taps)
    sumi__taps_run(s->plan.taps, a, b, s->bias_after ? NULL : bias, to, c->scratch);
  else
    status = sumi__dnn_run(s->plan.dnn, a, b, s->bias_after ? NULL : bias, to, c->scratch);
  if (status != SUMI_OK || !(s->narrow || s->bias_after || s->adds_after)) return status;
  const sumi_shape *shape = &n->outputs[0]->shape;
  const int64_t channels = shape->dims[shape->rank - 1], pixels = sumi__count(n->outputs[0]) / channels;
  narrow_task t = {.c = c,
                   .from = s->narrow ? wide : NULL,
                   .bias = s->bias_after ? bias : NULL,
                   .addend = s->adds_after ? c->in[n->n_inputs - 1] : NULL,
                   .addend_repeats = sumi__addend_repeats(n),
                   .channels = channels};
  sumi__parallel_for(c->threads, pixels, 16, finish_range, &t);
  return SUMI_OK;
}
