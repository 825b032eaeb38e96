/* The gradient of group_norm. With h = (z - mean) rstd, du = dy, or dy s (1 + u (1 - s)) with s = sigmoid(u) behind a
 * SiLU, and dh = du gamma:
 *   dx     = rstd (dh - mean of dh - h * mean of dh h), the means over the picture's group
 *   dgamma = sum of du h, dbeta = sum of du, over pictures and positions
 *   dshift = sum of dx over positions */
#include "ops/group_norm.h"

#include <math.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__group_norm_attrs *a = n->attrs;
  if (!sumi__group_norm_check(g, n, 2)) return false;
  const sumi_tensor *x = n->inputs[2];
  const int64_t batch = x->shape.dims[0], channels = x->shape.dims[x->shape.rank - 1];
  if (!sumi__check_input(g, n, 0, "dy", x->dtype, x->shape)) return false;
  if (!sumi__check_input(g, n, 1, "the statistics", SUMI_F32, SUMI_SHAPE(batch, a->groups, 2))) return false;
  int out = 0;
  bool ok = sumi__declare(g, n, out++, x->dtype, x->shape);
  for (int i = 0; a->affine && i < 2; i++) ok = ok && sumi__declare(g, n, out++, SUMI_F32, SUMI_SHAPE(channels));
  if (a->has_shift) ok = ok && sumi__declare(g, n, out, SUMI_F32, SUMI_SHAPE(batch, channels));
  return ok;
}

/* What one element contributes: h, the normalised value, and du, the gradient of what follows the norm. */
typedef struct element {
  double h, du;
} element;

static element element_at(const sumi__call *c, const sumi__group_norm_view *v, int64_t n, int64_t p, int64_t ch) {
  const sumi__group_norm_attrs *a = c->node->attrs;
  const float *stats = (const float *)c->in[1] + (n * a->groups + ch / v->per_group) * 2;
  element e;
  e.h = (sumi__group_norm_z(v, n, p, ch) - (double)stats[0]) * (double)stats[1];
  e.du = (double)((const float *)c->in[0])[(n * v->positions + p) * v->channels + ch];
  if (!a->silu) return e;
  const double u = a->affine ? e.h * (double)v->gamma[ch] + (double)v->beta[ch] : e.h, s = 1.0 / (1.0 + exp(-u));
  e.du *= s * (1.0 + u * (1.0 - s));
  return e;
}

static void group_dx(const sumi__call *c, const sumi__group_norm_view *v, int64_t n, int64_t from, double rstd,
                     float *dx) {
  const double count = (double)(v->positions * v->per_group);
  double sum = 0.0, sum_h = 0.0;
  for (int64_t p = 0; p < v->positions; p++)
    for (int64_t ch = from; ch < from + v->per_group; ch++) {
      const element e = element_at(c, v, n, p, ch);
      const double dh = e.du * (v->gamma ? (double)v->gamma[ch] : 1.0);
      sum += dh;
      sum_h += dh * e.h;
    }
  for (int64_t p = 0; p < v->positions; p++)
    for (int64_t ch = from; ch < from + v->per_group; ch++) {
      const element e = element_at(c, v, n, p, ch);
      const double dh = e.du * (v->gamma ? (double)v->gamma[ch] : 1.0);
      dx[(n * v->positions + p) * v->channels + ch] = (float)(rstd * (dh - sum / count - e.h * sum_h / count));
    }
}

static void affine_grads(const sumi__call *c, const sumi__group_norm_view *v, float *dgamma, float *dbeta) {
  for (int64_t ch = 0; ch < v->channels; ch++) {
    double gamma = 0.0, beta = 0.0;
    for (int64_t n = 0; n < v->batch; n++)
      for (int64_t p = 0; p < v->positions; p++) {
        const element e = element_at(c, v, n, p, ch);
        gamma += e.du * e.h;
        beta += e.du;
      }
    dgamma[ch] = (float)gamma;
    dbeta[ch] = (float)beta;
  }
}

static sumi_status reference(const sumi__call *c) {
  const sumi__group_norm_attrs *a = c->node->attrs;
  const sumi__group_norm_view v = sumi__group_norm_at(c, 2);
  const float *stats = c->in[1];
  float *dx = c->out[0];
  for (int64_t n = 0; n < v.batch; n++)
    for (int64_t group = 0; group < a->groups; group++)
      group_dx(c, &v, n, group * v.per_group, (double)stats[(n * a->groups + group) * 2 + 1], dx);
  if (a->affine) affine_grads(c, &v, c->out[1], c->out[2]);
  if (!a->has_shift) return SUMI_OK;
  float *dshift = c->out[a->affine ? 3 : 1];
  for (int64_t n = 0; n < v.batch; n++)
    for (int64_t ch = 0; ch < v.channels; ch++) {
      double sum = 0.0;
      for (int64_t p = 0; p < v.positions; p++) sum += (double)dx[(n * v.positions + p) * v.channels + ch];
      dshift[n * v.channels + ch] = (float)sum;
    }
  return SUMI_OK;
}

const sumi__op sumi__op_group_norm_grad = {.name = "group_norm_grad", .infer = infer, .reference = reference};
