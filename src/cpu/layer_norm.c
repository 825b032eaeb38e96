/* Layer normalisation and its gradient; the loops are in isa/layer_norm.c. */
#include "cpu/layer_norm.h"

#include "cpu/cpu.h"
#include "ops/attrs.h"

#include <string.h>

enum { WIDEST = 16, ROWS = 8 }; /* channels of a vector; rows that go to a thread together */

static int64_t padded(int64_t width) { return (width + WIDEST - 1) / WIDEST * WIDEST; }

static sumi__layer_norm_task task_for(const sumi__node *n, const sumi_tensor *x) {
  const sumi__layer_norm_attrs *a = n->attrs;
  const int64_t width = x->shape.dims[x->shape.rank - 1];
  return (sumi__layer_norm_task){
      .dtype = x->dtype, .eps = a->eps, .rows = sumi__count(x) / width, .width = width, .padded_width = padded(width)};
}

static sumi_status run_forward(const sumi__call *c) {
  const sumi__layer_norm_attrs *a = c->node->attrs;
  sumi__layer_norm_task t = task_for(c->node, c->node->inputs[0]);
  t.x = c->in[0];
  t.gamma = a->affine ? c->in[1] : NULL;
  t.beta = a->affine ? c->in[2] : NULL;
  t.y = c->out[0];
  sumi__parallel_for(c->threads, t.rows, ROWS, SUMI__ISA_PICK(c->ctx, sumi__cpu_layer_norm_rows), &t);
  return SUMI_OK;
}

static sumi_status prepare_backward(sumi__prep *p) {
  const sumi_shape *shape = &p->node->inputs[1]->shape;
  p->scratch_bytes =
      (size_t)(p->threads * SUMI__LAYER_NORM_WORK * padded(shape->dims[shape->rank - 1])) * sizeof(float);
  return SUMI_OK;
}

static sumi_status run_backward(const sumi__call *c) {
  const sumi__layer_norm_attrs *a = c->node->attrs;
  sumi__layer_norm_task t = task_for(c->node, c->node->inputs[1]);
  const int64_t of_worker = SUMI__LAYER_NORM_WORK * t.padded_width;
  t.dy = c->in[0];
  t.x = c->in[1];
  t.gamma = a->affine ? c->in[2] : NULL;
  t.dx = c->out[0];
  t.work = c->scratch;
  memset(t.work, 0, (size_t)(c->threads * of_worker) * sizeof(float));
  sumi__parallel_for(c->threads, t.rows, ROWS, SUMI__ISA_PICK(c->ctx, sumi__cpu_layer_norm_grad_rows), &t);
  for (int k = 0; a->affine && k < 2; k++) {
    float *sum = c->out[1 + k];
    for (int64_t i = 0; i < t.width; i++) sum[i] = 0.0f;
    for (int w = 0; w < c->threads; w++)
      for (int64_t i = 0; i < t.width; i++) sum[i] += t.work[w * of_worker + (2 + k) * t.padded_width + i];
  }
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_layer_norm = {.run = run_forward};
const sumi__kernel sumi__cpu_layer_norm_grad = {.prepare = prepare_backward, .run = run_backward};
