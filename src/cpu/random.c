/* random_uniform, random_normal, dropout: any range of elements can be made alone, so threads share them. */
#include "cpu/random.h"

#include "cpu/cpu.h"

static sumi_status over_elements(const sumi__call *c, sumi__range_fn body) {
  sumi__parallel_for(c->threads, sumi__count(c->node->outputs[0]), 4096, body, (void *)c);
  return SUMI_OK;
}

static sumi_status run_uniform(const sumi__call *c) {
  return over_elements(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_random_uniform_range));
}
static sumi_status run_normal(const sumi__call *c) {
  return over_elements(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_random_normal_range));
}
static sumi_status run_dropout(const sumi__call *c) {
  return over_elements(c, SUMI__ISA_PICK(c->ctx, sumi__cpu_dropout_range));
}

const sumi__kernel sumi__cpu_random_uniform = {.run = run_uniform};
const sumi__kernel sumi__cpu_random_normal = {.run = run_normal};
const sumi__kernel sumi__cpu_dropout = {.run = run_dropout, .in_place = true};
