/* softmax and log_softmax over the last dimension; cross_entropy and its gradient. */
#include "cpu/rows.h"

#include "cpu/cpu.h"
#include "ops/ops.h"

#include <inttypes.h>

static int64_t rows_for_a_thread(int64_t width) { return 4096 / width + 1; }

static sumi_status over_rows(const sumi__call *c, sumi__range_fn body) {
  const sumi_shape *shape = &c->node->outputs[0]->shape;
  const int64_t width = shape->dims[shape->rank - 1];
  sumi__parallel_for(c->threads, sumi_shape_count(shape) / width, rows_for_a_thread(width), body, (void *)c);
  return SUMI_OK;
}

static sumi_status run_softmax(const sumi__call *c) {
  return over_rows(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_softmax_range));
}
static sumi_status run_log_softmax(const sumi__call *c) {
  return over_rows(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_log_softmax_range));
}

const sumi__kernel sumi__cpu_softmax = {.run = run_softmax, .in_place = true};
const sumi__kernel sumi__cpu_log_softmax = {.run = run_log_softmax, .in_place = true};

/* ---- Cross-entropy ---- */

static int64_t label_at(const sumi_tensor *t, const void *labels, int64_t i) {
  return t->dtype == SUMI_I32 ? ((const int32_t *)labels)[i] : ((const int64_t *)labels)[i];
}

static sumi_status check_labels(const sumi__call *c, int logits_at) {
  const sumi_tensor *labels = c->node->inputs[logits_at + 1];
  const sumi_shape *shape = &c->node->inputs[logits_at]->shape;
  for (int64_t i = 0; i < shape->dims[0]; i++) {
    const int64_t label = label_at(labels, c->in[logits_at + 1], i);
    if (label < 0 || label >= shape->dims[1])
      return sumi__fail(c->ctx, SUMI_INVALID,
                        "cross_entropy: label %" PRId64 " of item %" PRId64 ", expected 0 to %" PRId64, label, i,
                        shape->dims[1] - 1);
  }
  return SUMI_OK;
}

/* The loss of each item, which are then added in order. */
static void loss_range(void *arg, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = arg;
  const int64_t classes = c->node->inputs[0]->shape.dims[1];
  const double smoothing = (double)*(const float *)c->node->attrs;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const float *x = (const float *)c->in[0] + i * classes;
    double target = (1.0 - smoothing) * (double)x[label_at(c->node->inputs[1], c->in[1], i)], mean = 0.0;
    for (int64_t k = 0; k < classes && smoothing > 0.0; k++) mean += (double)x[k];
    if (smoothing > 0.0) target += smoothing * mean / (double)classes;
    ((double *)c->scratch)[i] = SUMI__ISA_PICK(c->ctx, sumi__cpu_log_sum_exp)(x, classes) - target;
  }
}

static sumi_status prepare_loss(sumi__prep *p) {
  p->scratch_bytes = (size_t)p->node->inputs[0]->shape.dims[0] * sizeof(double);
  return SUMI_OK;
}

static sumi_status run_loss(const sumi__call *c) {
  const sumi_shape *shape = &c->node->inputs[0]->shape;
  const sumi_status status = check_labels(c, 0);
  if (status != SUMI_OK) return status;
  sumi__parallel_for(c->threads, shape->dims[0], rows_for_a_thread(shape->dims[1]), loss_range, (void *)c);
  double loss = 0.0;
  for (int64_t i = 0; i < shape->dims[0]; i++) loss += ((const double *)c->scratch)[i];
  *(float *)c->out[0] = (float)(loss / (double)shape->dims[0]);
  return SUMI_OK;
}

static void grad_range(void *arg, int64_t begin, int64_t end, int worker) {
  const sumi__call *c = arg;
  const sumi_shape *shape = &c->node->inputs[1]->shape;
  const int64_t classes = shape->dims[1];
  const float smoothing = *(const float *)c->node->attrs, shift = smoothing / (float)classes;
  const float scale = *(const float *)c->in[0] / (float)shape->dims[0];
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    const float *x = (const float *)c->in[1] + i * classes;
    float *dx = (float *)c->out[0] + i * classes;
    const int64_t label = label_at(c->node->inputs[2], c->in[2], i);
    const float total = (float)SUMI__ISA_PICK(c->ctx, sumi__cpu_log_sum_exp)(x, classes);
    SUMI__ISA_PICK(c->ctx, sumi__cpu_exp_minus)(dx, x, total, scale, shift, classes);
    dx[label] -= scale * (1.0f - smoothing);
  }
}

static sumi_status run_grad(const sumi__call *c) {
  const sumi_shape *shape = &c->node->inputs[1]->shape;
  const sumi_status status = check_labels(c, 1);
  if (status != SUMI_OK) return status;
  sumi__parallel_for(c->threads, shape->dims[0], rows_for_a_thread(shape->dims[1]), grad_range, (void *)c);
  return SUMI_OK;
}

const sumi__kernel sumi__cpu_cross_entropy = {.prepare = prepare_loss, .run = run_loss};
const sumi__kernel sumi__cpu_cross_entropy_grad = {.run = run_grad};
