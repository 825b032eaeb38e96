/* What convolutions and matrix products share: a plan of oneDNN's, or of our own where the context may not use all of
 * the processor's instruction sets; operands that are widened to f32 where the plan has no bf16; and a bias that the
 * plan cannot add itself. Inputs are a, b, [bias]; one output. */
#ifndef SUMI_SRC_CPU_PRODUCT_H
#define SUMI_SRC_CPU_PRODUCT_H

#include "cpu/onednn.h"
#include "cpu/taps.h"
#include "tensor/backend.h"

/* One of the two. */
typedef struct sumi__product_plan {
  sumi__dnn *dnn;
  sumi__taps *taps;
} sumi__product_plan;

/* Whether oneDNN, which chooses by the processor, might go further than the context allows. */
static inline bool sumi__isa_limited(const sumi_context *ctx) { return ctx->isa < sumi__isa_detect(); }

/* Whether a plan whose result has that type adds the node's addend itself: oneDNN does, where the result is written
 * straight to its place, which then has the addend before. */
static inline bool sumi__product_adds_inside(const sumi__prep *p, sumi_dtype c_dtype) {
  return p->node->adds && p->node->outputs[0]->dtype == c_dtype && !sumi__isa_limited(p->ctx);
}

/* Makes the plan for operands and a result of the given types. */
typedef sumi_status (*sumi__product_planner)(const sumi__prep *p, sumi_dtype dtype, sumi_dtype c_dtype,
                                             sumi__product_plan *out);

/* Kernel functions. `bias_after`: the plan knows nothing of the bias. */
sumi_status sumi__product_prepare(sumi__prep *p, sumi__product_planner planner, bool bias_after);
sumi_status sumi__product_pack(const sumi__call *c, int input, const void *values, void *packed);
sumi_status sumi__product_pack_lent(const sumi__call *c, int input, const struct sumi__load_attrs *lent, void *packed);
sumi_status sumi__product_run(const sumi__call *c);
void sumi__product_destroy(sumi_context *ctx, void *state);

#endif
