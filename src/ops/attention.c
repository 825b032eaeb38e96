/* Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762), for each picture n and head a:
 *   y[t] = sum over s of P[t, s] v[s],  P = softmax over s of (scale q[t] . k[s] + mask[t, s])
 * Kept for the gradient is the logarithm of each row's sum of exponentials, from which P is made again (Dao et al.
 * 2022, arXiv:2205.14135). In a causal attention the position t sees s <= t. A row whose mask is -infinity throughout
 * has no weights to give and is NaN, as PyTorch's is. */
#include "ops/attention.h"

#include <math.h>

bool sumi__attention_check(sumi_graph *g, const sumi__node *n, int first) {
  const sumi__attention_attrs *a = n->attrs;
  const char *who = n->op->name;
  const sumi_tensor *q = n->inputs[first], *k = n->inputs[first + 1], *v = n->inputs[first + 2];
  SUMI__INFER(g, (q->dtype == SUMI_F32 || q->dtype == SUMI_BF16) && k->dtype == q->dtype && v->dtype == q->dtype,
              SUMI_SHAPE, "%s: q, k and v are %s, %s and %s, expected all f32 or all bf16", who,
              sumi_dtype_name(q->dtype), sumi_dtype_name(k->dtype), sumi_dtype_name(v->dtype));
  SUMI__INFER(g, q->shape.rank == 4 && k->shape.rank == 4 && v->shape.rank == 4, SUMI_SHAPE,
              "%s: q, k and v are %s, %s and %s, expected (N, tokens, heads, width) each", who,
              SUMI__SHAPE_STR(&q->shape), SUMI__SHAPE_STR(&k->shape), SUMI__SHAPE_STR(&v->shape));
  const int64_t *dq = q->shape.dims, *dk = k->shape.dims;
  SUMI__INFER(g, dq[0] == dk[0] && dq[2] == dk[2] && dq[3] == dk[3] && sumi_shape_equal(&k->shape, &v->shape),
              SUMI_SHAPE, "%s: q %s, k %s and v %s differ in more than q's tokens", who, SUMI__SHAPE_STR(&q->shape),
              SUMI__SHAPE_STR(&k->shape), SUMI__SHAPE_STR(&v->shape));
  SUMI__INFER(g, isfinite(a->scale), SUMI_INVALID, "%s: the scale is not a finite number", who);
  if (!a->has_mask) return true;
  const sumi_tensor *mask = n->inputs[first + 3];
  const sumi_shape scores = SUMI_SHAPE(dq[0], dq[2], dq[1], dk[1]);
  sumi_shape joined;
  SUMI__INFER(g,
              mask->dtype == SUMI_F32 && sumi__broadcast_shapes(&mask->shape, &scores, &joined) &&
                  sumi_shape_equal(&joined, &scores),
              SUMI_SHAPE, "%s: the mask is %s %s, expected f32 that broadcasts to %s", who,
              sumi_dtype_name(mask->dtype), SUMI__SHAPE_STR(&mask->shape), SUMI__SHAPE_STR(&scores));
  return true;
}

sumi__attention_view sumi__attention_at(const sumi__call *c, int first) {
  const sumi__attention_attrs *a = c->node->attrs;
  const int64_t *dq = c->node->inputs[first]->shape.dims;
  sumi__attention_view view = {.batch = dq[0],
                               .queries = dq[1],
                               .keys = c->node->inputs[first + 1]->shape.dims[1],
                               .heads = dq[2],
                               .width = dq[3],
                               .q = c->in[first],
                               .k = c->in[first + 1],
                               .v = c->in[first + 2],
                               .scale = (double)a->scale,
                               .causal = a->causal};
  if (!a->has_mask) return view;
  const sumi_shape scores = SUMI_SHAPE(view.batch, view.heads, view.queries, view.keys);
  view.mask = c->in[first + 3];
  sumi__broadcast_strides(&c->node->inputs[first + 3]->shape, &scores, view.mask_strides);
  return view;
}

double sumi__attention_score(const sumi__attention_view *a, int64_t n, int64_t head, int64_t t, int64_t s) {
  if (a->causal && s > t) return -INFINITY;
  const float *q = a->q + sumi__attention_token(a, n, a->queries, t, head);
  const float *k = a->k + sumi__attention_token(a, n, a->keys, s, head);
  const int64_t *m = a->mask_strides;
  double dot = 0.0;
  for (int64_t i = 0; i < a->width; i++) dot += (double)q[i] * (double)k[i];
  return a->scale * dot + (a->mask ? (double)a->mask[n * m[0] + head * m[1] + t * m[2] + s * m[3]] : 0.0);
}

double sumi__attention_flops(const sumi__node *n, int first, double products) {
  return 2.0 * products * (double)sumi__count(n->inputs[first]) * (double)n->inputs[first + 1]->shape.dims[1];
}

static bool infer(sumi_graph *g, sumi__node *n) {
  if (!sumi__attention_check(g, n, 0)) return false;
  const sumi_tensor *q = n->inputs[0];
  const int64_t *d = q->shape.dims;
  return sumi__declare(g, n, 0, q->dtype, q->shape) && sumi__declare(g, n, 1, SUMI_F32, SUMI_SHAPE(d[0], d[2], d[1]));
}

/* One query's row; returns the logarithm of the sum of exponentials. */
static double one_row(const sumi__attention_view *a, int64_t n, int64_t head, int64_t t, float *y) {
  double highest = -INFINITY, total = 0.0;
  for (int64_t s = 0; s < a->keys; s++) highest = fmax(highest, sumi__attention_score(a, n, head, t, s));
  for (int64_t s = 0; s < a->keys; s++) total += exp(sumi__attention_score(a, n, head, t, s) - highest);
  const double lse = highest + log(total);
  for (int64_t i = 0; i < a->width; i++) y[i] = 0.0f;
  for (int64_t s = 0; s < a->keys; s++) {
    const double p = exp(sumi__attention_score(a, n, head, t, s) - lse);
    const float *v = a->v + sumi__attention_token(a, n, a->keys, s, head);
    for (int64_t i = 0; i < a->width; i++) y[i] += (float)(p * (double)v[i]);
  }
  return lse;
}

static sumi_status reference(const sumi__call *c) {
  const sumi__attention_view a = sumi__attention_at(c, 0);
  float *y = c->out[0], *lse = c->out[1];
  for (int64_t n = 0; n < a.batch; n++)
    for (int64_t head = 0; head < a.heads; head++)
      for (int64_t t = 0; t < a.queries; t++)
        *lse++ = (float)one_row(&a, n, head, t, y + sumi__attention_token(&a, n, a.queries, t, head));
  return SUMI_OK;
}

static void grad(sumi_graph *g, const sumi__node *n, sumi_tensor *const *dy, const bool *need, sumi_tensor **dx) {
  const sumi__attention_attrs *a = n->attrs;
  if (!dy[0] || dy[1]) {
    sumi__graph_fail(g, SUMI_UNSUPPORTED, "attention: no gradient flows through the sums of exponentials");
    return;
  }
  sumi_tensor *inputs[7] = {dy[0], n->outputs[0], n->outputs[1]};
  for (int i = 0; i < n->n_inputs; i++) inputs[3 + i] = n->inputs[i];
  sumi_tensor *t = sumi__build(g, &sumi__op_attention_grad, n->n_inputs + 3, inputs, a, sizeof *a);
  for (int i = 0; t && i < 3; i++)
    if (need[i]) dx[i] = t->node->outputs[i];
}

static double flops(const sumi__node *n) { return sumi__attention_flops(n, 0, 2.0); }

const sumi__op sumi__op_attention = {
    .name = "attention", .infer = infer, .reference = reference, .grad = grad, .flops = flops};

sumi_tensor *sumi_attention(sumi_graph *g, sumi_tensor *q, sumi_tensor *k, sumi_tensor *v, sumi_tensor *mask,
                            float scale, bool causal) {
  if (!sumi__inputs_given(g, "attention", 3, (sumi_tensor *[]){q, k, v})) return NULL;
  const int64_t width = q->shape.rank > 0 ? q->shape.dims[q->shape.rank - 1] : 1;
  const sumi__attention_attrs a = {
      .scale = scale != 0.0f ? scale : (float)(1.0 / sqrt((double)width)), .causal = causal, .has_mask = mask};
  sumi_tensor *inputs[4] = {sumi__compute_cast(g, q), sumi__compute_cast(g, k), sumi__compute_cast(g, v), mask};
  return sumi__build(g, &sumi__op_attention, mask ? 4 : 3, inputs, &a, sizeof a);
}
