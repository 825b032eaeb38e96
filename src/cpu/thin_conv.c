/* conv2d_input_grad to a few channels; the loops are in isa/thin_conv.c. */
#include "cpu/thin_conv.h"

#include "cpu/cpu.h"

enum { MAX_CHANNELS = 4 };

static int64_t columns_of(const sumi__prep *p) {
  const sumi__conv_attrs *a = p->node->attrs;
  return a->kernel_h * a->kernel_w * p->node->outputs[0]->shape.dims[3];
}

/* Pictures go to threads whole, so there must be enough of them. */
static bool supports(const sumi__prep *p) {
  const sumi__conv_attrs *a = p->node->attrs;
  const sumi_shape *x = &p->node->outputs[0]->shape;
  return a->groups == 1 && x->dims[3] <= MAX_CHANNELS && x->dims[0] >= p->threads &&
         columns_of(p) <= SUMI__THIN_CONV_VECTORS * sumi__isa_floats(p->ctx->isa);
}

static size_t floats(int64_t count) { return sumi__align_up((size_t)count * sizeof(float), 64); }

static sumi_status prepare(sumi__prep *p) {
  const sumi__conv_attrs *a = p->node->attrs;
  const sumi_shape *dy = &p->node->inputs[0]->shape;
  const int64_t vector = sumi__isa_floats(p->ctx->isa);
  sumi__thin_conv_task *t = sumi__alloc_zero(p->ctx, sizeof *t);
  if (!t) return SUMI_NO_MEMORY;
  t->attrs = *a;
  t->dtype = p->node->inputs[0]->dtype;
  t->in = p->node->outputs[0]->shape.dims[3];
  t->oh = dy->dims[1], t->ow = dy->dims[2], t->out = dy->dims[3];
  t->columns = columns_of(p);
  t->width = (t->columns + vector - 1) / vector * vector;
  t->inside = !a->pad_top && !a->pad_left && !a->pad_bottom && !a->pad_right;
  t->pairs = t->dtype == SUMI_BF16 && p->ctx->isa >= SUMI__ISA_AVX512_BF16 && t->out % 2 == 0;
  t->picture_offset = floats(SUMI__THIN_CONV_PIXELS * t->width);
  t->wide_offset = t->picture_offset + floats(a->height * a->width * t->in);
  t->work_bytes = t->wide_offset;
  if (t->dtype != SUMI_F32 && !t->pairs) t->work_bytes += floats(SUMI__THIN_CONV_PIXELS * t->out + vector);
  p->scratch_bytes = (size_t)p->threads * t->work_bytes;
  p->packed_bytes[1] = floats(t->out * t->width);
  p->state = t;
  return SUMI_OK;
}

/* w (out, columns) to rows of whole vectors; pairs of rows side by side for bf16. */
static sumi_status pack(const sumi__call *c, int input, const void *values, void *packed) {
  const sumi__thin_conv_task *t = c->state;
  const sumi_dtype dtype = c->node->inputs[input]->dtype;
  const uint16_t *w = values;
  for (int64_t o = 0; o < t->out; o += t->pairs ? 2 : 1)
    for (int64_t k = 0; k < t->width; k++) {
      const bool used = k < t->columns;
      const int64_t at = o * t->columns + k;
      if (t->pairs) {
        uint16_t *pair = (uint16_t *)packed + o * t->width + 2 * k;
        pair[0] = used ? w[at] : 0;
        pair[1] = used ? w[at + t->columns] : 0;
      } else {
        float value = 0.0f;
        if (used) sumi__to_f32(&value, (const char *)values + (size_t)at * sumi_dtype_bytes(dtype), dtype, 1);
        ((float *)packed)[o * t->width + k] = value;
      }
    }
  return SUMI_OK;
}

static sumi_status run(const sumi__call *c) {
  sumi__thin_conv_task t = *(const sumi__thin_conv_task *)c->state;
  t.dy = c->in[0];
  t.w = c->packed[1];
  t.bias = c->node->n_inputs == 3 ? c->in[2] : NULL;
  t.dx = c->out[0];
  t.work = c->scratch;
  sumi__parallel_for(c->threads, c->node->inputs[0]->shape.dims[0], 1,
                     SUMI__ISA_PICK(c->ctx, sumi__cpu_thin_conv_pictures), &t);
  return SUMI_OK;
}

static void destroy(sumi_context *ctx, void *state) { sumi__free(ctx, state); }

const sumi__kernel sumi__cpu_conv2d_input_grad = {
    .supports = supports, .prepare = prepare, .pack = pack, .run = run, .destroy = destroy};
