/* The reference kernel: what every operator means, without any hurry. */
#include "tensor/backend.h"

#include <string.h>

static bool converts(const sumi_tensor *t) { return t->dtype == SUMI_BF16 || t->dtype == SUMI_F16; }

static size_t converted_bytes(const sumi_tensor *t) {
  return sumi__align_up((size_t)sumi__count(t) * sizeof(float), 64);
}

static sumi_status prepare(sumi__prep *p) {
  for (int i = 0; i < p->node->n_inputs; i++)
    if (converts(p->node->inputs[i])) p->scratch_bytes += converted_bytes(p->node->inputs[i]);
  for (int i = 0; i < p->node->n_outputs; i++)
    if (converts(p->node->outputs[i])) p->scratch_bytes += converted_bytes(p->node->outputs[i]);
  return SUMI_OK;
}

/* An elementwise operator, element by element with broadcasting. Operands may be of any type: a cast reads integers. */
static void run_elementwise(const sumi__call *c) {
  const sumi__node *n = c->node;
  const sumi_shape *shape = &n->outputs[0]->shape;
  int64_t strides[3][SUMI_MAX_RANK];
  for (int i = 0; i < n->n_inputs; i++) sumi__broadcast_strides(&n->inputs[i]->shape, shape, strides[i]);
  const int64_t count = sumi_shape_count(shape);
  for (int64_t e = 0; e < count; e++) {
    float x[3] = {0};
    for (int i = 0; i < n->n_inputs; i++) {
      int64_t rest = e, at = 0;
      for (int d = shape->rank - 1; d >= 0; d--) {
        at += rest % shape->dims[d] * strides[i][d];
        rest /= shape->dims[d];
      }
      const sumi_tensor *t = n->inputs[i];
      const sumi_dtype dtype = converts(t) ? SUMI_F32 : t->dtype;
      sumi__to_f32(&x[i], (const char *)c->in[i] + (size_t)at * sumi_dtype_bytes(dtype), dtype, 1);
    }
    ((float *)c->out[0])[e] = n->op->scalar(x, n->attrs);
  }
}

static void add_rows(const sumi__node *n, float *y, const float *addend) {
  const sumi_shape *shape = &n->outputs[0]->shape;
  const int64_t width = shape->dims[shape->rank - 1], repeats = sumi__addend_repeats(n);
  const int64_t rows = sumi_shape_count(shape) / width;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < width; i++) y[r * width + i] += addend[r / repeats * width + i];
}

static sumi_status run(const sumi__call *c) {
  const sumi__node *n = c->node;
  const void *in[SUMI__MAX_INPUTS];
  void *out[SUMI__MAX_OUTPUTS];
  char *scratch = c->scratch;
  for (int i = 0; i < n->n_inputs; i++) {
    in[i] = c->in[i];
    if (!converts(n->inputs[i])) continue;
    sumi__to_f32((float *)(void *)scratch, c->in[i], n->inputs[i]->dtype, sumi__count(n->inputs[i]));
    in[i] = scratch;
    scratch += converted_bytes(n->inputs[i]);
  }
  for (int i = 0; i < n->n_outputs; i++) {
    out[i] = c->out[i];
    if (!converts(n->outputs[i])) continue;
    out[i] = scratch;
    scratch += converted_bytes(n->outputs[i]);
  }
  sumi__call inner = *c;
  inner.in = in;
  inner.out = out;
  sumi_status status = SUMI_OK;
  if (n->op->reference)
    status = n->op->reference(&inner);
  else
    run_elementwise(&inner);
  if (status == SUMI_OK && n->adds) add_rows(n, out[0], in[n->n_inputs - 1]);
  for (int i = 0; i < n->n_outputs; i++)
    if (converts(n->outputs[i])) sumi__from_f32(c->out[i], n->outputs[i]->dtype, out[i], sumi__count(n->outputs[i]));
  return status;
}

const sumi__kernel sumi__reference_kernel = {.prepare = prepare, .run = run};
