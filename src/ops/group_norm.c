/* Group normalisation (Wu and He 2018, arXiv:1803.08494) with what surrounds it in diffusion networks, so that a
 * feature map is read and written once:
 *   z = x + shift, u = (z - mean) / sqrt(variance + eps) * gamma + beta, y = u, or SiLU(u) = u * sigmoid(u)
 * Mean and (biased) variance are over the positions and channels of a picture within a group of C / groups channels,
 * as in PyTorch's GroupNorm. The gradient is group_norm_grad, from x and the statistics. */
#include "ops/group_norm.h"

#include <math.h>

bool sumi__group_norm_check(sumi_graph *g, const sumi__node *n, int first) {
  const sumi__group_norm_attrs *a = n->attrs;
  const char *who = n->op->name;
  const sumi_tensor *x = n->inputs[first];
  if (!sumi__check_float(g, n, first, "the operand")) return false;
  SUMI__INFER(g, x->shape.rank >= 2, SUMI_SHAPE, "%s: the operand is %s, expected (N, ..., C)", who,
              SUMI__SHAPE_STR(&x->shape));
  const int64_t batch = x->shape.dims[0], channels = x->shape.dims[x->shape.rank - 1];
  SUMI__INFER(g, a->groups >= 1 && channels % a->groups == 0, SUMI_SHAPE,
              "%s: %d groups do not divide the %lld channels of %s", who, a->groups, (long long)channels,
              SUMI__SHAPE_STR(&x->shape));
  SUMI__INFER(g, a->eps >= 0.0f && a->eps < INFINITY, SUMI_INVALID, "%s: eps %g: expected 0 or more", who,
              (double)a->eps);
  if (a->has_shift && !sumi__check_input(g, n, ++first, "the shift", SUMI_F32, SUMI_SHAPE(batch, channels)))
    return false;
  if (!a->affine) return true;
  return sumi__check_input(g, n, first + 1, "gamma", SUMI_F32, SUMI_SHAPE(channels)) &&
         sumi__check_input(g, n, first + 2, "beta", SUMI_F32, SUMI_SHAPE(channels));
}

sumi__group_norm_view sumi__group_norm_at(const sumi__call *c, int first) {
  const sumi__group_norm_attrs *a = c->node->attrs;
  const sumi_shape *s = &c->node->inputs[first]->shape;
  sumi__group_norm_view v = {.batch = s->dims[0], .channels = s->dims[s->rank - 1], .x = c->in[first++]};
  v.positions = sumi_shape_count(s) / v.batch / v.channels;
  v.per_group = v.channels / a->groups;
  v.shift = a->has_shift ? c->in[first++] : NULL;
  v.gamma = a->affine ? c->in[first++] : NULL;
  v.beta = a->affine ? c->in[first] : NULL;
  return v;
}

static bool infer(sumi_graph *g, sumi__node *n) {
  const sumi__group_norm_attrs *a = n->attrs;
  if (!sumi__group_norm_check(g, n, 0)) return false;
  const sumi_tensor *x = n->inputs[0];
  return sumi__declare(g, n, 0, x->dtype, x->shape) &&
         sumi__declare(g, n, 1, SUMI_F32, SUMI_SHAPE(x->shape.dims[0], a->groups, 2));
}

static void measure(const sumi__group_norm_view *v, int64_t n, int64_t from, float eps, float *stats) {
  const double count = (double)(v->positions * v->per_group);
  double sum = 0.0, squares = 0.0;
  for (int64_t p = 0; p < v->positions; p++)
    for (int64_t ch = from; ch < from + v->per_group; ch++) sum += sumi__group_norm_z(v, n, p, ch);
  const double mean = sum / count;
  for (int64_t p = 0; p < v->positions; p++)
    for (int64_t ch = from; ch < from + v->per_group; ch++) {
      const double d = sumi__group_norm_z(v, n, p, ch) - mean;
      squares += d * d;
    }
  stats[0] = (float)mean;
  stats[1] = (float)(1.0 / sqrt(squares / count + (double)eps));
}

static sumi_status reference(const sumi__call *c) {
  const sumi__group_norm_attrs *a = c->node->attrs;
  const sumi__group_norm_view v = sumi__group_norm_at(c, 0);
  float *y = c->out[0], *stats = c->out[1];
  for (int64_t n = 0; n < v.batch; n++)
    for (int64_t group = 0; group < a->groups; group++)
      measure(&v, n, group * v.per_group, a->eps, stats + (n * a->groups + group) * 2);
  for (int64_t n = 0; n < v.batch; n++)
    for (int64_t p = 0; p < v.positions; p++)
      for (int64_t ch = 0; ch < v.channels; ch++) {
        const float *s = stats + (n * a->groups + ch / v.per_group) * 2;
        double u = (sumi__group_norm_z(&v, n, p, ch) - (double)s[0]) * (double)s[1];
        if (a->affine) u = u * (double)v.gamma[ch] + (double)v.beta[ch];
        *y++ = (float)(a->silu ? u / (1.0 + exp(-u)) : u);
      }
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__group_norm_attrs *a = n->attrs;
  sumi_tensor *inputs[6] = {dy[0], n->outputs[1]};
  if (!dy[0] || dy[1]) {
    sumi__graph_fail(g, SUMI_UNSUPPORTED, "group_norm: no gradient flows through its statistics");
    return;
  }
  for (int i = 0; i < n->n_inputs; i++) inputs[2 + i] = n->inputs[i];
  sumi_tensor *t = sumi__build(g, &sumi__op_group_norm_grad, n->n_inputs + 2, inputs, a, sizeof *a);
  if (!t) return;
  sumi_tensor *const *out = t->node->outputs;
  const int gamma = 1 + a->has_shift;
  if (need[0]) dx[0] = out[0];
  if (a->affine && need[gamma]) dx[gamma] = out[1];
  if (a->affine && need[gamma + 1]) dx[gamma + 1] = out[2];
  if (a->has_shift && need[1]) dx[1] = out[a->affine ? 3 : 1];
}

const sumi__op sumi__op_group_norm = {.name = "group_norm", .infer = infer, .reference = reference, .grad = grad};

static sumi_tensor *build(sumi_graph *g, sumi_tensor *x, sumi_tensor *shift, sumi_tensor *gamma, sumi_tensor *beta,
                          const sumi__group_norm_attrs *a) {
  sumi_tensor *inputs[4] = {x};
  int n = 1;
  if (!gamma != !beta) {
    sumi__graph_fail(g, SUMI_INVALID, "group_norm: gamma and beta go together, and one of them is NULL");
    return NULL;
  }
  if (shift) inputs[n++] = sumi__float_cast(g, shift, SUMI_F32);
  if (gamma) inputs[n++] = gamma, inputs[n++] = beta;
  return sumi__build(g, &sumi__op_group_norm, n, inputs, a, sizeof *a);
}

sumi_tensor *sumi_group_norm(sumi_graph *g, sumi_tensor *x, sumi_tensor *gamma, sumi_tensor *beta, int groups,
                             float eps) {
  return build(g, x, NULL, gamma, beta, &(sumi__group_norm_attrs){.groups = groups, .eps = eps, .affine = gamma});
}

sumi_tensor *sumi_group_norm_silu(sumi_graph *g, sumi_tensor *x, sumi_tensor *shift, sumi_tensor *gamma,
                                  sumi_tensor *beta, int groups, float eps) {
  return build(
      g, x, shift, gamma, beta,
      &(sumi__group_norm_attrs){.groups = groups, .eps = eps, .has_shift = shift, .affine = gamma, .silu = true});
}
