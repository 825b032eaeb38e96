#include "models/autoencoder_kl.h"

#include "models/blocks.h"

static const double eps = 1e-6; /* of every norm */
static const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};

static sumi_tensor *res_block(const sumi__nn *nn, const sumi__autoencoder_kl_config *c, int i, sumi_tensor *h,
                              int64_t out) {
  const sumi__nn scope = sumi__nn_item(nn, "resnets", i);
  return sumi__resnet_block(&scope, h, NULL, out, c->norm_num_groups, eps);
}

/* x (N, H, W, C) -> x + attention of its pixels to each other, by one head. */
static sumi_tensor *attention(const sumi__nn *nn, const sumi__autoencoder_kl_config *c, sumi_tensor *x) {
  if (!x) return NULL;
  sumi_graph *g = nn->g;
  const sumi__nn scope = sumi__nn_item(nn, "attentions", 0);
  const int64_t *d = x->shape.dims;
  sumi_tensor *h = sumi__nn_group_norm(&scope, "group_norm", x, c->norm_num_groups, (float)eps);
  h = sumi_reshape(g, h, SUMI_SHAPE(d[0], d[1] * d[2], d[3]));
  sumi_tensor *q = sumi__nn_linear(&scope, "to_q", h, d[3], true);
  sumi_tensor *k = sumi__nn_linear(&scope, "to_k", h, d[3], true);
  sumi_tensor *v = sumi__nn_linear(&scope, "to_v", h, d[3], true);
  return sumi_add(g, x, sumi_reshape(g, sumi__attend(&scope, q, k, v, 1), x->shape));
}

static sumi_tensor *middle(const sumi__nn *nn, const sumi__autoencoder_kl_config *c, sumi_tensor *h) {
  const sumi__nn block = sumi__nn_scope(nn, "mid_block");
  const int64_t width = c->block_out_channels[c->levels - 1];
  h = res_block(&block, c, 0, h, width);
  if (c->mid_block_add_attention) h = attention(&block, c, h);
  return res_block(&block, c, 1, h, width);
}

static sumi_tensor *finish(const sumi__nn *nn, const sumi__autoencoder_kl_config *c, sumi_tensor *h, int64_t out) {
  h = sumi__nn_group_norm_silu(nn, "conv_norm_out", h, NULL, c->norm_num_groups, (float)eps);
  return sumi__nn_conv2d(nn, "conv_out", h, out, 3, &same, true);
}

static sumi_tensor *encoder(const sumi__nn *nn, const sumi__autoencoder_kl_config *c, sumi_tensor *x) {
  sumi_tensor *h = sumi__nn_conv2d(nn, "conv_in", x, c->block_out_channels[0], 3, &same, true);
  for (int level = 0; level < c->levels; level++) {
    const sumi__nn block = sumi__nn_item(nn, "down_blocks", level), half = sumi__nn_scope(&block, "downsamplers.0");
    for (int i = 0; i < c->layers_per_block; i++) h = res_block(&block, c, i, h, c->block_out_channels[level]);
    if (level < c->levels - 1) h = sumi__downsample_block(&half, h, true);
  }
  return finish(nn, c, middle(nn, c, h), 2 * c->latent_channels);
}

static sumi_tensor *decoder(const sumi__nn *nn, const sumi__autoencoder_kl_config *c, sumi_tensor *z) {
  const int last = c->levels - 1;
  sumi_tensor *h = middle(nn, c, sumi__nn_conv2d(nn, "conv_in", z, c->block_out_channels[last], 3, &same, true));
  for (int level = last; h && level >= 0; level--) {
    const sumi__nn block = sumi__nn_item(nn, "up_blocks", last - level), twice = sumi__nn_scope(&block, "upsamplers.0");
    for (int i = 0; i <= c->layers_per_block; i++) h = res_block(&block, c, i, h, c->block_out_channels[level]);
    if (h && level > 0) h = sumi__upsample_block(&twice, h, 2 * h->shape.dims[1], 2 * h->shape.dims[2]);
  }
  return finish(nn, c, h, c->out_channels);
}

static bool check_input(const sumi__nn *nn, const sumi__autoencoder_kl_config *c, const sumi_tensor *x,
                        const char *what, int64_t channels) {
  sumi_graph *g = nn->g;
  const sumi_status status = sumi__autoencoder_kl_check(g->ctx, c);
  if (status != SUMI_OK) return sumi__graph_fail(g, status, "%s", sumi_context_error(g->ctx));
  if (!x) return false;
  SUMI__INFER(g, x->shape.rank == 4 && x->shape.dims[3] == channels, SUMI_SHAPE,
              "VAE: the %s is %s, expected (N, H, W, %lld)", what, SUMI__SHAPE_STR(&x->shape), (long long)channels);
  return true;
}

sumi_tensor *sumi__autoencoder_kl_moments(const sumi__nn *nn, const sumi__autoencoder_kl_config *config,
                                          sumi_tensor *picture) {
  if (!check_input(nn, config, picture, "picture", config->in_channels)) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, "encoder");
  sumi_tensor *moments = encoder(&scope, config, picture);
  if (config->use_quant_conv)
    moments = sumi__nn_conv2d(nn, "quant_conv", moments, 2 * config->latent_channels, 1, NULL, true);
  return moments ? sumi_cast(nn->g, moments, SUMI_F32) : NULL;
}

sumi_tensor *sumi__autoencoder_kl_encode(const sumi__nn *nn, const sumi__autoencoder_kl_config *config,
                                         sumi_tensor *picture, sumi_tensor **logvar) {
  const int64_t z = config->latent_channels;
  sumi_tensor *moments = sumi__autoencoder_kl_moments(nn, config, picture);
  if (logvar)
    *logvar = sumi_clamp(nn->g, sumi_slice(nn->g, moments, 3, z, 2 * z), SUMI__VAE_LOGVAR_MIN, SUMI__VAE_LOGVAR_MAX);
  return sumi_slice(nn->g, moments, 3, 0, z);
}

sumi_tensor *sumi__autoencoder_kl_decode(const sumi__nn *nn, const sumi__autoencoder_kl_config *config,
                                         sumi_tensor *latent) {
  const int64_t z = config->latent_channels;
  if (!check_input(nn, config, latent, "latent", z)) return NULL;
  if (config->use_post_quant_conv) latent = sumi__nn_conv2d(nn, "post_quant_conv", latent, z, 1, NULL, true);
  const sumi__nn scope = sumi__nn_scope(nn, "decoder");
  sumi_tensor *picture = decoder(&scope, config, latent);
  return picture ? sumi_cast(nn->g, picture, SUMI_F32) : NULL;
}
