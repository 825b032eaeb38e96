/* Layer normalisation over the last dimension (Ba, Kiros and Hinton 2016, arXiv:1607.06450), as PyTorch's LayerNorm:
 *   y = (x - mean) / sqrt(variance + eps) * gamma + beta, the variance biased.
 * The gradient is layer_norm_grad, which measures mean and variance again. */
#include "ops/layer_norm.h"

#include <math.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__layer_norm_attrs *a = n->attrs;
  const sumi_tensor *x = n->inputs[0];
  if (!sumi__check_float(g, n, 0, "the operand")) return false;
  SUMI__INFER(g, x->shape.rank >= 1, SUMI_SHAPE, "layer_norm: the operand is a scalar, expected (..., D)");
  SUMI__INFER(g, a->eps >= 0.0f && a->eps < INFINITY, SUMI_INVALID, "layer_norm: eps %g: expected 0 or more",
              (double)a->eps);
  const sumi_shape width = SUMI_SHAPE(x->shape.dims[x->shape.rank - 1]);
  if (a->affine &&
      (!sumi__check_input(g, n, 1, "gamma", SUMI_F32, width) || !sumi__check_input(g, n, 2, "beta", SUMI_F32, width)))
    return false;
  return sumi__declare(g, n, 0, x->dtype, x->shape);
}

sumi__row_moments sumi__layer_norm_measure(const float *x, int64_t width, double eps) {
  double mean = 0.0, variance = 0.0;
  for (int64_t i = 0; i < width; i++) mean += (double)x[i];
  mean /= (double)width;
  for (int64_t i = 0; i < width; i++) variance += ((double)x[i] - mean) * ((double)x[i] - mean);
  return (sumi__row_moments){mean, 1.0 / sqrt(variance / (double)width + eps)};
}

static void one_row(const float *x, const float *gamma, const float *beta, int64_t width, double eps, float *y) {
  const sumi__row_moments m = sumi__layer_norm_measure(x, width, eps);
  for (int64_t i = 0; i < width; i++) {
    const double h = ((double)x[i] - m.mean) * m.rstd;
    y[i] = (float)(gamma ? h * (double)gamma[i] + (double)beta[i] : h);
  }
}

static sumi_status reference(const sumi__call *c) {
  const sumi__layer_norm_attrs *a = c->node->attrs;
  const sumi_shape *s = &c->node->inputs[0]->shape;
  const int64_t width = s->dims[s->rank - 1], rows = sumi_shape_count(s) / width;
  const float *x = c->in[0], *gamma = a->affine ? c->in[1] : NULL, *beta = a->affine ? c->in[2] : NULL;
  float *y = c->out[0];
  for (int64_t r = 0; r < rows; r++) one_row(x + r * width, gamma, beta, width, (double)a->eps, y + r * width);
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__layer_norm_attrs *a = n->attrs;
  sumi_tensor *t = sumi__build(g, &sumi__op_layer_norm_grad, a->affine ? 3 : 2,
                               (sumi_tensor *[]){dy[0], n->inputs[0], a->affine ? n->inputs[1] : NULL}, a, sizeof *a);
  for (int i = 0; t && i < n->n_inputs; i++)
    if (need[i]) dx[i] = t->node->outputs[i];
}

const sumi__op sumi__op_layer_norm = {.name = "layer_norm", .infer = infer, .reference = reference, .grad = grad};

sumi_tensor *sumi_layer_norm(sumi_graph *g, sumi_tensor *x, sumi_tensor *gamma, sumi_tensor *beta, float eps) {
  if (!gamma != !beta) {
    sumi__graph_fail(g, SUMI_INVALID, "layer_norm: gamma and beta go together, and one of them is NULL");
    return NULL;
  }
  return sumi__build(g, &sumi__op_layer_norm, gamma ? 3 : 1, (sumi_tensor *[]){x, gamma, beta},
                     &(sumi__layer_norm_attrs){.eps = eps, .affine = gamma}, sizeof(sumi__layer_norm_attrs));
}
