/* The gradient of attention. With P = exp(scores - lse) made again and, for each query t,
 * delta[t] = dy[t] . y[t] (Dao et al. 2022, arXiv:2205.14135, section 3 and appendix B.2):
 *   dv[s] = sum over t of P[t, s] dy[t]
 *   dS[t, s] = P[t, s] (dy[t] . v[s] - delta[t])
 *   dq[t] = scale * sum over s of dS[t, s] k[s],  dk[s] = scale * sum over t of dS[t, s] q[t] */
#include "ops/attention.h"

#include <math.h>
#include <string.h>

static bool infer(sumi_graph *g, sumi__node *n) {
  if (!sumi__attention_check(g, n, 3)) return false;
  const sumi_tensor *q = n->inputs[3], *k = n->inputs[4];
  const int64_t *d = q->shape.dims;
  return sumi__check_input(g, n, 0, "dy", q->dtype, q->shape) && sumi__check_input(g, n, 1, "y", q->dtype, q->shape) &&
         sumi__check_input(g, n, 2, "lse", SUMI_F32, SUMI_SHAPE(d[0], d[2], d[1])) &&
         sumi__declare(g, n, 0, q->dtype, q->shape) && sumi__declare(g, n, 1, k->dtype, k->shape) &&
         sumi__declare(g, n, 2, k->dtype, k->shape);
}

static double dot(const float *a, const float *b, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static void add_scaled(float *to, const float *from, double by, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] += (float)(by * (double)from[i]);
}

static void one_row(const sumi__call *c, const sumi__attention_view *a, int64_t n, int64_t head, int64_t t) {
  const int64_t at = sumi__attention_token(a, n, a->queries, t, head);
  const float *dy = (const float *)c->in[0] + at, *y = (const float *)c->in[1] + at;
  const double lse = (double)((const float *)c->in[2])[(n * a->heads + head) * a->queries + t];
  const double delta = dot(dy, y, a->width);
  float *dq = c->out[0], *dk = c->out[1], *dv = c->out[2];
  for (int64_t s = 0; s < a->keys; s++) {
    const int64_t key = sumi__attention_token(a, n, a->keys, s, head);
    const double p = exp(sumi__attention_score(a, n, head, t, s) - lse);
    const double ds = a->scale * p * (dot(dy, a->v + key, a->width) - delta);
    add_scaled(dq + at, a->k + key, ds, a->width);
    add_scaled(dk + key, a->q + at, ds, a->width);
    add_scaled(dv + key, dy, p, a->width);
  }
}

static sumi_status reference(const sumi__call *c) {
  const sumi__attention_view a = sumi__attention_at(c, 3);
  for (int i = 0; i < 3; i++) memset(c->out[i], 0, (size_t)sumi__count(c->node->outputs[i]) * sizeof(float));
  for (int64_t n = 0; n < a.batch; n++)
    for (int64_t head = 0; head < a.heads; head++)
      for (int64_t t = 0; t < a.queries; t++) one_row(c, &a, n, head, t);
  return SUMI_OK;
}

static double flops(const sumi__node *n) { return sumi__attention_flops(n, 3, 5.0); }

const sumi__op sumi__op_attention_grad = {
    .name = "attention_grad", .infer = infer, .reference = reference, .flops = flops};
