#include "models/transformer2d.h"

#include "models/blocks.h"

static const float group_eps = 1e-6f, layer_eps = 1e-5f;

sumi__kv sumi__transformer2d_context(const sumi__nn *nn, int i, sumi_tensor *context, int64_t width) {
  const sumi__nn block = sumi__nn_item(nn, "transformer_blocks", i), attention = sumi__nn_scope(&block, "attn2");
  return (sumi__kv){sumi__nn_linear(&attention, "to_k", context, width, false),
                    sumi__nn_linear(&attention, "to_v", context, width, false)};
}

static sumi_tensor *look_at_itself(const sumi__nn *nn, sumi_tensor *x, int64_t heads) {
  if (!x) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, "attn1");
  const int64_t width = x->shape.dims[2];
  sumi_tensor *q = sumi__nn_linear(&scope, "to_q", x, width, false);
  sumi_tensor *k = sumi__nn_linear(&scope, "to_k", x, width, false);
  sumi_tensor *v = sumi__nn_linear(&scope, "to_v", x, width, false);
  return sumi__attend(&scope, q, k, v, heads);
}

static sumi_tensor *look_at_context(const sumi__nn *nn, sumi_tensor *x, const sumi__kv *context, int64_t heads) {
  if (!x) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, "attn2");
  sumi_tensor *q = sumi__nn_linear(&scope, "to_q", x, x->shape.dims[2], false);
  return sumi__attend(&scope, q, context->keys, context->values, heads);
}

static sumi_tensor *feed_forward(const sumi__nn *nn, sumi_tensor *x) {
  if (!x) return NULL;
  const int64_t width = x->shape.dims[2];
  const sumi__nn scope = sumi__nn_scope(nn, "ff");
  sumi_tensor *h = sumi_geglu(nn->g, sumi__nn_linear(&scope, "net.0.proj", x, 8 * width, true));
  return sumi__nn_linear(&scope, "net.2", h, width, true);
}

static sumi_tensor *one_layer(const sumi__nn *nn, sumi_tensor *h, const sumi__kv *context, int64_t heads) {
  sumi_graph *g = nn->g;
  h = sumi_add(g, h, look_at_itself(nn, sumi__nn_layer_norm(nn, "norm1", h, layer_eps), heads));
  h = sumi_add(g, h, look_at_context(nn, sumi__nn_layer_norm(nn, "norm2", h, layer_eps), context, heads));
  return sumi_add(g, h, feed_forward(nn, sumi__nn_layer_norm(nn, "norm3", h, layer_eps)));
}

/* A 1x1 convolution and a linear layer compute the same; only the weight's shape in files differs. */
static sumi_tensor *project(const sumi__nn *nn, const char *name, sumi_tensor *x, bool linear) {
  if (!x) return NULL;
  const int64_t width = x->shape.dims[3];
  return linear ? sumi__nn_linear(nn, name, x, width, true) : sumi__nn_conv2d(nn, name, x, width, 1, NULL, true);
}

sumi_tensor *sumi__transformer2d_build(const sumi__nn *nn, const sumi__transformer2d *t, sumi_tensor *x,
                                       const sumi__kv *context) {
  if (!x) return NULL;
  sumi_graph *g = nn->g;
  const int64_t *d = x->shape.dims;
  sumi_tensor *h = sumi__nn_group_norm(nn, "norm", x, t->norm_groups, group_eps);
  h = sumi_reshape(g, project(nn, "proj_in", h, t->linear_projection), SUMI_SHAPE(d[0], d[1] * d[2], d[3]));
  for (int i = 0; i < t->layers; i++) {
    const sumi__nn block = sumi__nn_item(nn, "transformer_blocks", i);
    h = one_layer(&block, h, &context[i], t->heads);
  }
  h = project(nn, "proj_out", sumi_reshape(g, h, x->shape), t->linear_projection);
  return sumi_add(g, x, h);
}
