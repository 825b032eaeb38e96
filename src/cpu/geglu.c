/* geglu and geglu_grad: rows shared among the threads. */
#include "cpu/geglu.h"

#include "cpu/cpu.h"

static sumi_status over_rows(const sumi__call *c, const sumi_shape *shape, sumi__range_fn body) {
  const int64_t width = shape->dims[shape->rank - 1];
  sumi__parallel_for(c->threads, sumi_shape_count(shape) / width, 4096 / width + 1, body, (void *)c);
  return SUMI_OK;
}

static sumi_status run(const sumi__call *c) {
  return over_rows(c, &c->node->outputs[0]->shape, SUMI__ISA_PICK(c->ctx, sumi__cpu_geglu_range));
}
static sumi_status run_grad(const sumi__call *c) {
  return over_rows(c, &c->node->inputs[0]->shape, SUMI__ISA_PICK(c->ctx, sumi__cpu_geglu_grad_range));
}

const sumi__kernel sumi__cpu_geglu = {.run = run};
const sumi__kernel sumi__cpu_geglu_grad = {.run = run_grad};
