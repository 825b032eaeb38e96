#include "models/blocks.h"

#include <math.h>
#include <stdio.h>

sumi__nn sumi__nn_item(const sumi__nn *nn, const char *name, int i) {
  char item[64];
  snprintf(item, sizeof item, "%s.%d", name, i);
  return sumi__nn_scope(nn, item);
}

static const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};

sumi_tensor *sumi__resnet_block(const sumi__nn *nn, sumi_tensor *x, sumi_tensor *time, int64_t out, int groups,
                                double eps) {
  if (!x) return NULL;
  sumi_tensor *shift = NULL, *h = sumi__nn_group_norm_silu(nn, "norm1", x, NULL, groups, (float)eps);
  h = sumi__nn_conv2d(nn, "conv1", h, out, 3, &same, true);
  if (time && !(shift = sumi__nn_linear(nn, "time_emb_proj", time, out, true))) return NULL;
  h = sumi__nn_group_norm_silu(nn, "norm2", h, shift, groups, (float)eps);
  h = sumi__nn_conv2d(nn, "conv2", h, out, 3, &same, true);
  if (x->shape.dims[3] != out) x = sumi__nn_conv2d(nn, "conv_shortcut", x, out, 1, NULL, true);
  return sumi_add(nn->g, x, h);
}

sumi_tensor *sumi__downsample_block(const sumi__nn *nn, sumi_tensor *x, bool asymmetric) {
  const int before = asymmetric ? 0 : 1;
  const sumi_conv_options half = {
      .stride_h = 2, .stride_w = 2, .pad_top = before, .pad_left = before, .pad_bottom = 1, .pad_right = 1};
  return x ? sumi__nn_conv2d(nn, "conv", x, x->shape.dims[3], 3, &half, true) : NULL;
}

sumi_tensor *sumi__upsample_block(const sumi__nn *nn, sumi_tensor *x, int64_t h, int64_t w) {
  if (!x) return NULL;
  sumi_graph *g = nn->g;
  sumi_tensor *twice = sumi_upsample_nearest(g, x, 2, 2);
  twice = sumi_slice(g, sumi_slice(g, twice, 1, 0, h), 2, 0, w);
  return sumi__nn_conv2d(nn, "conv", twice, x->shape.dims[3], 3, &same, true);
}

/* Tokens (N, T, W) as (N, T, heads, W / heads): a view. */
static sumi_tensor *split_heads(sumi_graph *g, sumi_tensor *x, int64_t heads) {
  const int64_t *d = x->shape.dims;
  return sumi_reshape(g, x, SUMI_SHAPE(d[0], d[1], heads, d[2] / heads));
}

sumi_tensor *sumi__attend(const sumi__nn *nn, sumi_tensor *q, sumi_tensor *k, sumi_tensor *v, int64_t heads) {
  if (!q || !k || !v) return NULL;
  sumi_graph *g = nn->g;
  const sumi_shape tokens = q->shape;
  sumi_tensor *y = sumi_attention(g, split_heads(g, q, heads), split_heads(g, k, heads), split_heads(g, v, heads), NULL,
                                  0.0f, false);
  return sumi__nn_linear(nn, "to_out.0", sumi_reshape(g, y, tokens), tokens.dims[2], true);
}

sumi_tensor *sumi__embedding_mlp(const sumi__nn *nn, sumi_tensor *x, int64_t out) {
  sumi_tensor *h = sumi_silu(nn->g, sumi__nn_linear(nn, "linear_1", x, out, true));
  return sumi__nn_linear(nn, "linear_2", h, out, true);
}

/* The frequencies are rounded once, from double: at t = 1000 an angle is then right to 6e-5. */
sumi_tensor *sumi__sinusoids(sumi_graph *g, sumi_tensor *t, int64_t width, bool cos_first, double shift) {
  if (!t) return NULL;
  const int64_t half = width / 2;
  float *values = sumi__alloc_array(g->ctx, (size_t)half, sizeof *values);
  if (!values) {
    sumi__graph_fail(g, SUMI_NO_MEMORY, "%s", sumi_context_error(g->ctx));
    return NULL;
  }
  for (int64_t i = 0; i < half; i++) values[i] = (float)exp(-log(10000.0) * (double)i / ((double)half - shift));
  sumi_tensor *frequencies = sumi_constant(g, SUMI_F32, SUMI_SHAPE(half), values);
  sumi__free(g->ctx, values);
  sumi_tensor *angle = sumi_mul(g, sumi_reshape(g, t, SUMI_SHAPE(t->shape.dims[0], 1)), frequencies);
  sumi_tensor *sine = sumi_sin(g, angle), *cosine = sumi_cos(g, angle);
  return sumi_concat(g, 2, cos_first ? (sumi_tensor *[]){cosine, sine} : (sumi_tensor *[]){sine, cosine}, 1);
}
