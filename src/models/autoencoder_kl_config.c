/* The autoencoder's configurations: the one that is known by name, and what any may hold. */
#include "models/autoencoder_kl.h"

sumi__autoencoder_kl_config sumi__autoencoder_kl_f8(void) {
  return (sumi__autoencoder_kl_config){.in_channels = 3,
                                       .out_channels = 3,
                                       .levels = 4,
                                       .block_out_channels = {128, 256, 512, 512},
                                       .layers_per_block = 2,
                                       .latent_channels = 4,
                                       .norm_num_groups = 32,
                                       .sample_size = 512,
                                       .scaling_factor = 0.18215,
                                       .use_quant_conv = true,
                                       .use_post_quant_conv = true,
                                       .mid_block_add_attention = true,
                                       .force_upcast = true};
}

int64_t sumi__autoencoder_kl_factor(const sumi__autoencoder_kl_config *config) {
  return (int64_t)1 << (config->levels - 1);
}

static sumi_status check_size(sumi_context *ctx, const char *member, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return SUMI_OK;
  return sumi__fail(ctx, SUMI_INVALID, "VAE: %s is %lld, expected %lld to %lld", member, (long long)value,
                    (long long)low, (long long)high);
}

sumi_status sumi__autoencoder_kl_check(sumi_context *ctx, const sumi__autoencoder_kl_config *c) {
  enum { WIDEST = 1 << 16, MOST_LAYERS = 64 };
  sumi_status status = SUMI_OK;
  SUMI_TRY(check_size(ctx, "in_channels", c->in_channels, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "out_channels", c->out_channels, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "latent_channels", c->latent_channels, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "the length of block_out_channels", c->levels, 1, SUMI__VAE_LEVELS_MAX));
  SUMI_TRY(check_size(ctx, "layers_per_block", c->layers_per_block, 1, MOST_LAYERS));
  SUMI_TRY(check_size(ctx, "norm_num_groups", c->norm_num_groups, 1, WIDEST));
  SUMI_CHECK(ctx, c->scaling_factor >= 1e-6 && c->scaling_factor <= 1e6, SUMI_INVALID,
             "VAE: scaling_factor is %g, expected 1e-6 to 1e6", c->scaling_factor);
  SUMI_CHECK(ctx, c->shift_factor >= -1e6 && c->shift_factor <= 1e6, SUMI_INVALID,
             "VAE: shift_factor is %g, expected -1e6 to 1e6", c->shift_factor);
  for (int i = 0; i < c->levels; i++) {
    const int64_t width = c->block_out_channels[i];
    SUMI_CHECK(ctx, width > 0 && width <= WIDEST && width % c->norm_num_groups == 0, SUMI_INVALID,
               "VAE: block_out_channels[%d] is %lld, expected a multiple of norm_num_groups (%d) up to %d", i,
               (long long)width, c->norm_num_groups, (int)WIDEST);
  }
done:
  return status;
}
