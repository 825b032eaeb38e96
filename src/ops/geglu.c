/* GEGLU (Shazeer 2020, arXiv:2002.05202): x (..., 2D) with halves a and b -> y = a gelu(b) (..., D), the halves in the
 * order of diffusers. With P and p the normal distribution function and density, gelu(b) = b P(b) and
 * da = dy b P(b), db = dy a (P(b) + b p(b)): one operator for both halves, from x alone. */
#include "ops/ops.h"

#include <math.h>

static float normal_below(float x) { return 0.5f * (1.0f + erff(x * 0.70710678f)); }
static float normal_density(float x) { return 0.39894228f * expf(-0.5f * x * x); }

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi_tensor *x = n->inputs[0];
  sumi_shape shape = x->shape;
  SUMI__INFER(g, sumi__is_float(x->dtype) && shape.rank >= 1 && shape.dims[shape.rank - 1] % 2 == 0, SUMI_SHAPE,
              "geglu: x is %s%s, expected f32, bf16 or f16 with an even last dimension", sumi_dtype_name(x->dtype),
              SUMI__SHAPE_STR(&shape));
  shape.dims[shape.rank - 1] /= 2;
  return sumi__declare(g, n, 0, x->dtype, shape);
}

static sumi_status reference(const sumi__call *c) {
  const sumi_shape *shape = &c->node->outputs[0]->shape;
  const int64_t width = shape->dims[shape->rank - 1], count = sumi_shape_count(shape);
  float *y = c->out[0];
  for (int64_t i = 0; i < count; i++) {
    const float *a = (const float *)c->in[0] + i / width * 2 * width + i % width, b = a[width];
    y[i] = *a * b * normal_below(b);
  }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  sumi_tensor *const inputs[] = {dy[0], n->inputs[0]};
  if (need[0]) dx[0] = sumi__build(g, &sumi__op_geglu_grad, 2, inputs, NULL, 0);
}

const sumi__op sumi__op_geglu = {.name = "geglu", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_geglu(sumi_graph *g, sumi_tensor *x) { return sumi__unary(g, &sumi__op_geglu, x, NULL, 0); }

/* ---- The gradient: dy (..., D), x (..., 2D) -> dx like x ---- */

static bool infer_grad(sumi_graph *g, sumi__node *n) {
  return sumi__declare(g, n, 0, n->inputs[1]->dtype, n->inputs[1]->shape);
}

static sumi_status reference_grad(const sumi__call *c) {
  const sumi_shape *shape = &c->node->inputs[0]->shape;
  const int64_t width = shape->dims[shape->rank - 1], count = sumi_shape_count(shape);
  const float *dy = c->in[0];
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = i / width * 2 * width + i % width;
    const float *a = (const float *)c->in[1] + at, b = a[width];
    float *dx = (float *)c->out[0] + at;
    dx[0] = dy[i] * b * normal_below(b);
    dx[width] = dy[i] * *a * (normal_below(b) + b * normal_density(b));
  }
  return SUMI_OK;
}

const sumi__op sumi__op_geglu_grad = {.name = "geglu_grad", .infer = infer_grad, .reference = reference_grad};
