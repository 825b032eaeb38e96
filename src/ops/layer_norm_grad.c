/* The gradient of layer_norm. With h = (x - mean) rstd and dh = dy gamma, means over the last dimension:
 *   dx     = rstd (dh - mean of dh - h * mean of dh h)
 *   dgamma = sum of dy h, dbeta = sum of dy, over all rows */
#include "ops/layer_norm.h"

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__layer_norm_attrs *a = n->attrs;
  const sumi_tensor *x = n->inputs[1];
  if (!sumi__check_float(g, n, 1, "the operand") || !sumi__check_input(g, n, 0, "dy", x->dtype, x->shape)) return false;
  const sumi_shape width = SUMI_SHAPE(x->shape.dims[x->shape.rank - 1]);
  if (!sumi__declare(g, n, 0, x->dtype, x->shape)) return false;
  if (!a->affine) return true;
  return sumi__check_input(g, n, 2, "gamma", SUMI_F32, width) && sumi__declare(g, n, 1, SUMI_F32, width) &&
         sumi__declare(g, n, 2, SUMI_F32, width);
}

static void row_dx(const float *dy, const float *x, const float *gamma, int64_t width, double eps, float *dx) {
  const sumi__row_moments m = sumi__layer_norm_measure(x, width, eps);
  double sum = 0.0, sum_h = 0.0;
  for (int64_t i = 0; i < width; i++) {
    const double dh = (double)dy[i] * (gamma ? (double)gamma[i] : 1.0);
    sum += dh;
    sum_h += dh * ((double)x[i] - m.mean) * m.rstd;
  }
  for (int64_t i = 0; i < width; i++) {
    const double dh = (double)dy[i] * (gamma ? (double)gamma[i] : 1.0), h = ((double)x[i] - m.mean) * m.rstd;
    dx[i] = (float)(m.rstd * (dh - sum / (double)width - h * sum_h / (double)width));
  }
}

static void column_grads(const float *dy, const float *x, int64_t rows, int64_t width, int64_t column, double eps,
                         float *dgamma, float *dbeta) {
  double gamma = 0.0, beta = 0.0;
  for (int64_t r = 0; r < rows; r++) { /* measures every row for every column: slow, but plain */
    const sumi__row_moments m = sumi__layer_norm_measure(x + r * width, width, eps);
    const double d = (double)dy[r * width + column];
    gamma += d * ((double)x[r * width + column] - m.mean) * m.rstd;
    beta += d;
  }
  dgamma[column] = (float)gamma;
  dbeta[column] = (float)beta;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__layer_norm_attrs *a = c->node->attrs;
  const sumi_shape *s = &c->node->inputs[1]->shape;
  const int64_t width = s->dims[s->rank - 1], rows = sumi_shape_count(s) / width;
  const float *dy = c->in[0], *x = c->in[1], *gamma = a->affine ? c->in[2] : NULL;
  float *dx = c->out[0];
  for (int64_t r = 0; r < rows; r++)
    row_dx(dy + r * width, x + r * width, gamma, width, (double)a->eps, dx + r * width);
  for (int64_t i = 0; a->affine && i < width; i++)
    column_grads(dy, x, rows, width, i, (double)a->eps, c->out[1], c->out[2]);
  return SUMI_OK;
}

const sumi__op sumi__op_layer_norm_grad = {.name = "layer_norm_grad", .infer = infer, .reference = reference};
