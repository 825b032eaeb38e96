#include "models/score_unet.h"

#include <math.h>
#include <string.h>

static const char *const variant_names[SUMI__SCORE_UNET_VARIANTS] = {"concat", "add", "attention"};
static const float norm_eps = 1e-5f; /* torch.nn's default for both norms */
static const double fourier_scale = 30.0;

const char *sumi__score_unet_variant_name(sumi__score_unet_variant variant) { return variant_names[variant]; }

bool sumi__score_unet_variant_find(const char *name, sumi__score_unet_variant *out) {
  for (int i = 0; i < SUMI__SCORE_UNET_VARIANTS; i++)
    if (strcmp(name, variant_names[i]) == 0) {
      *out = (sumi__score_unet_variant)i;
      return true;
    }
  return false;
}

sumi__score_unet_config sumi__score_unet_defaults(sumi__score_unet_variant variant) {
  return (sumi__score_unet_config){.variant = variant,
                                   .channels = {32, 64, 128, 256},
                                   .embed_dim = 256,
                                   .text_dim = 256,
                                   .classes = 10,
                                   .guidance = 1.0,
                                   .sigma = 25.0};
}

sumi_status sumi__score_unet_check(sumi_context *ctx, const sumi__score_unet_config *c) {
  enum { WIDEST = 4096, MOST_CLASSES = 100000 };
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, (unsigned)c->variant < SUMI__SCORE_UNET_VARIANTS, SUMI_INVALID, "score U-Net: unknown variant %d",
             (int)c->variant);
  for (int i = 0; i < 4; i++) {
    const int64_t n = c->channels[i], step = n < 32 ? 4 : 32;
    SUMI_CHECK(ctx, n > 0 && n <= WIDEST && n % step == 0, SUMI_INVALID,
               "score U-Net: channels[%d] is %lld, expected a multiple of 32 up to %d, or of 4 below 32", i,
               (long long)n, (int)WIDEST);
  }
  SUMI_CHECK(ctx, c->embed_dim >= 2 && c->embed_dim <= WIDEST && c->embed_dim % 2 == 0, SUMI_INVALID,
             "score U-Net: embed_dim is %lld, expected an even number from 2 to %d", (long long)c->embed_dim,
             (int)WIDEST);
  SUMI_CHECK(ctx, c->sigma > 1.0 && c->sigma <= 1e4, SUMI_INVALID,
             "score U-Net: sigma is %g, expected a number above 1 and at most 10000", c->sigma);
  if (c->variant != SUMI__SCORE_UNET_ATTENTION) goto done;
  SUMI_CHECK(ctx, c->text_dim >= 1 && c->text_dim <= WIDEST, SUMI_INVALID,
             "score U-Net: text_dim is %lld, expected 1 to %d", (long long)c->text_dim, (int)WIDEST);
  SUMI_CHECK(ctx, c->classes >= 1 && c->classes <= MOST_CLASSES, SUMI_INVALID,
             "score U-Net: classes is %lld, expected 1 to %d", (long long)c->classes, (int)MOST_CLASSES);
  SUMI_CHECK(ctx, c->guidance >= 0.0 && c->guidance <= 100.0 && (c->null_class || c->guidance == 1.0), SUMI_INVALID,
             "score U-Net: guidance is %g, expected 0 to 100, and 1 without a null class", c->guidance);
done:
  return status;
}

sumi_tensor *sumi__ve_std(sumi_graph *g, sumi_tensor *t, double sigma) {
  const double l = log(sigma);
  sumi_tensor *difference =
      sumi_mul(g, sumi_tanh(g, sumi_affine(g, t, (float)l, 0.0f)),
               sumi_affine(g, sumi_exp(g, sumi_affine(g, t, (float)(2.0 * l), 0.0f)), 1.0f, 1.0f));
  return sumi_sqrt(g, sumi_affine(g, difference, (float)(0.5 / l), 0.0f));
}

/* ---- The spatial transformer ---- */

/* tokens (N, T, D) look at context (N, S, E), or at themselves where that is NULL -> (N, T, D). */
static sumi_tensor *attend(const sumi__nn *nn, const char *name, sumi_tensor *tokens, sumi_tensor *context) {
  if (!tokens) return NULL;
  sumi_graph *g = nn->g;
  const sumi__nn scope = sumi__nn_scope(nn, name);
  const int64_t n = tokens->shape.dims[0], length = tokens->shape.dims[1], width = tokens->shape.dims[2];
  sumi_tensor *q = sumi__nn_linear(&scope, "query", tokens, width, false);
  sumi_tensor *k = sumi__nn_linear(&scope, "key", context ? context : tokens, width, false);
  sumi_tensor *v = sumi__nn_linear(&scope, "value", context ? context : tokens, width, false);
  if (!q || !k || !v) return NULL;
  const int64_t seen = k->shape.dims[1];
  /* With one token to look at, the softmax is 1 whatever query and key say; they stay parameters, without gradient. */
  if (seen == 1) return sumi_broadcast(g, v, SUMI_SHAPE(n, length, width));
  q = sumi_reshape(g, q, SUMI_SHAPE(n, length, 1, width));
  k = sumi_reshape(g, k, SUMI_SHAPE(n, seen, 1, width));
  v = sumi_reshape(g, v, SUMI_SHAPE(n, seen, 1, width));
  return sumi_reshape(g, sumi_attention(g, q, k, v, NULL, 0.0f, false), SUMI_SHAPE(n, length, width));
}

static sumi_tensor *feed_forward(const sumi__nn *nn, sumi_tensor *x) {
  if (!x) return NULL;
  const int64_t width = x->shape.dims[2];
  const sumi__nn scope = sumi__nn_scope(nn, "ffn");
  sumi_tensor *h = sumi_gelu(nn->g, sumi__nn_linear(&scope, "0", x, 3 * width, true));
  return sumi__nn_linear(&scope, "2", h, width, true);
}

/* x (N, H, W, C), context (N, S, E) -> (N, H, W, C). */
static sumi_tensor *spatial_transformer(const sumi__nn *nn, const char *name, sumi_tensor *x, sumi_tensor *context) {
  if (!x || !context) return NULL;
  sumi_graph *g = nn->g;
  const sumi__nn outer = sumi__nn_scope(nn, name), scope = sumi__nn_scope(&outer, "transformer");
  const int64_t *d = x->shape.dims;
  sumi_tensor *h = sumi_reshape(g, x, SUMI_SHAPE(d[0], d[1] * d[2], d[3])), *normed;
  normed = sumi__nn_layer_norm(&scope, "norm1", h, norm_eps);
  h = sumi_add(g, h, attend(&scope, "attn_self", normed, NULL));
  normed = sumi__nn_layer_norm(&scope, "norm2", h, norm_eps);
  h = sumi_add(g, h, attend(&scope, "attn_cross", normed, context));
  normed = sumi__nn_layer_norm(&scope, "norm3", h, norm_eps);
  h = sumi_add(g, h, feed_forward(&scope, normed));
  return sumi_add(g, sumi_reshape(g, h, x->shape), x);
}

/* ---- The U-Net ---- */

static int groups_of(int64_t width) { return width >= 32 ? 32 : 4; }

/* SiLU(GroupNorm(h + Linear(e))). */
static sumi_tensor *timed_norm(const sumi__nn *nn, const char *dense, const char *norm, sumi_tensor *h,
                               sumi_tensor *embed, int groups) {
  if (!h || !embed) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, dense);
  const int64_t width = h->shape.dims[3];
  sumi_tensor *shift = sumi_cast(nn->g, sumi__nn_linear(&scope, "dense", embed, width, true), SUMI_F32);
  if (!shift) return NULL;
  return sumi__nn_group_norm_silu(nn, norm, h, shift, groups, norm_eps);
}

/* What the decoder hands on, joined with the encoder's map of the same size. */
static sumi_tensor *skip(const sumi__nn *nn, const sumi__score_unet_config *config, sumi_tensor *h, sumi_tensor *from) {
  if (config->variant != SUMI__SCORE_UNET_CONCAT) return sumi_add(nn->g, h, from);
  return sumi_concat(nn->g, 2, (sumi_tensor *[]){h, from}, 3);
}

/* The class as a context of one token (N, 1, text_dim). */
static sumi_tensor *class_token(const sumi__nn *nn, const sumi__score_unet_config *config, sumi_tensor *labels,
                                sumi_tensor *drop) {
  sumi_graph *g = nn->g;
  const int64_t rows = config->classes + (config->null_class ? 1 : 0), width = config->text_dim;
  sumi_tensor *token = sumi__nn_embedding(nn, "cond_embed", labels, rows, width);
  if (!token) return NULL;
  if (drop && config->null_class) {
    sumi_tensor *null = sumi_slice(g, sumi__nn_embedding_table(nn, "cond_embed", rows, width), 0, rows - 1, rows);
    sumi_tensor *mask = sumi_reshape(g, drop, SUMI_SHAPE(token->shape.dims[0], 1));
    token = sumi_add(g, token, sumi_mul(g, mask, sumi_sub(g, null, token)));
  }
  return token ? sumi_reshape(g, token, SUMI_SHAPE(token->shape.dims[0], 1, width)) : NULL;
}

sumi_tensor *sumi__score_unet(const sumi__nn *nn, const sumi__score_unet_config *config, sumi_tensor *x, sumi_tensor *t,
                              sumi_tensor *labels) {
  return sumi__score_unet_dropped(nn, config, x, t, labels, NULL);
}

sumi_tensor *sumi__score_unet_dropped(const sumi__nn *nn, const sumi__score_unet_config *config, sumi_tensor *x,
                                      sumi_tensor *t, sumi_tensor *labels, sumi_tensor *drop) {
  static const char *const
      conv[4] = {"conv1", "conv2", "conv3", "conv4"},
      *const dense[7] = {"dense1", "dense2", "dense3", "dense4", "dense5", "dense6", "dense7"},
      *const gnorm[4] = {"gnorm1", "gnorm2", "gnorm3", "gnorm4"}, *const attn[4] = {NULL, NULL, "attn3", "attn4"},
      *const tconv[3] = {"tconv4", "tconv3", "tconv2"}, *const tgnorm[3] = {"tgnorm4", "tgnorm3", "tgnorm2"};
  sumi_graph *g = nn->g;
  const sumi_status status = sumi__score_unet_check(g->ctx, config);
  if (status != SUMI_OK) {
    sumi__graph_fail(g, status, "%s", sumi_context_error(g->ctx));
    return NULL;
  }
  const bool attends = config->variant == SUMI__SCORE_UNET_ATTENTION;
  const int64_t *channels = config->channels;
  const sumi__nn time = sumi__nn_scope(nn, "time_embed");
  sumi_tensor *embed = sumi__nn_fourier_features(&time, "0", t, config->embed_dim, fourier_scale), *context = NULL;
  embed = sumi_silu(g, sumi__nn_linear(&time, "1", embed, config->embed_dim, true));
  if (attends) context = class_token(nn, config, labels, drop);

  sumi_tensor *levels[4], *h = x;
  for (int i = 0; i < 4; i++) {
    const sumi_conv_options stride = {.stride_h = i > 0 ? 2 : 1, .stride_w = i > 0 ? 2 : 1};
    h = sumi__nn_conv2d(nn, conv[i], h, channels[i], 3, &stride, false);
    h = timed_norm(nn, dense[i], gnorm[i], h, embed, i > 0 ? groups_of(channels[i]) : 4);
    if (attends && attn[i]) h = spatial_transformer(nn, attn[i], h, context);
    levels[i] = h;
  }
  for (int i = 0; i < 3; i++) {
    const sumi_conv_options stride = {.stride_h = 2, .stride_w = 2};
    if (i > 0) h = skip(nn, config, h, levels[3 - i]);
    h = sumi__nn_conv_transpose2d(nn, tconv[i], h, channels[2 - i], 3, &stride, i > 0 ? 1 : 0, false);
    h = timed_norm(nn, dense[4 + i], tgnorm[i], h, embed, groups_of(channels[2 - i]));
  }
  h = sumi__nn_conv_transpose2d(nn, "tconv1", skip(nn, config, h, levels[0]), 1, 3, NULL, 0, true);
  if (!h) return NULL;
  sumi_tensor *std = sumi_reshape(g, sumi__ve_std(g, t, config->sigma), SUMI_SHAPE(h->shape.dims[0], 1, 1, 1));
  return sumi_div(g, sumi_cast(g, h, SUMI_F32), std);
}
