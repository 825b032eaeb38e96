/* The conditional U-Net's configurations: those that are known by name, and what any of them may hold. */
#include "models/unet2d_condition.h"

sumi__unet2d_config sumi__unet2d_sd1(void) {
  return (sumi__unet2d_config){.in_channels = 4,
                               .out_channels = 4,
                               .sample_size = 64,
                               .levels = 4,
                               .block_out_channels = {320, 640, 1280, 1280},
                               .down_attention = {true, true, true, false},
                               .up_attention = {true, true, true, false},
                               .mid_block = true,
                               .layers_per_block = 2,
                               .num_attention_heads = {8, 8, 8, 8},
                               .transformer_layers_per_block = {1, 1, 1, 1},
                               .cross_attention_dim = 768,
                               .norm_num_groups = 32,
                               .norm_eps = 1e-5,
                               .flip_sin_to_cos = true};
}

sumi__unet2d_config sumi__unet2d_sd2(void) {
  sumi__unet2d_config c = sumi__unet2d_sd1();
  c.sample_size = 96;
  c.num_attention_heads[0] = 5;
  c.num_attention_heads[1] = 10;
  c.num_attention_heads[2] = c.num_attention_heads[3] = 20;
  c.cross_attention_dim = 1024;
  c.use_linear_projection = true;
  c.upcast_attention = true;
  return c;
}

sumi__unet2d_config sumi__unet2d_sdxl(void) {
  return (sumi__unet2d_config){.in_channels = 4,
                               .out_channels = 4,
                               .sample_size = 128,
                               .levels = 3,
                               .block_out_channels = {320, 640, 1280},
                               .down_attention = {false, true, true},
                               .up_attention = {false, true, true},
                               .mid_block = true,
                               .layers_per_block = 2,
                               .num_attention_heads = {5, 10, 20},
                               .transformer_layers_per_block = {1, 2, 10},
                               .cross_attention_dim = 2048,
                               .use_linear_projection = true,
                               .norm_num_groups = 32,
                               .norm_eps = 1e-5,
                               .flip_sin_to_cos = true,
                               .addition_text_time = true,
                               .addition_time_embed_dim = 256,
                               .projection_class_embeddings_input_dim = 2816};
}

/* XL has 80 blocks; what is made of each, before a weight is looked at, takes time and memory. */
enum { WIDEST = 1 << 16, MOST_CLASSES = 1 << 20, MOST_BLOCKS = 512 };

static sumi_status check_size(sumi_context *ctx, const char *member, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return SUMI_OK;
  return sumi__fail(ctx, SUMI_INVALID, "U-Net: %s is %lld, expected %lld to %lld", member, (long long)value,
                    (long long)low, (long long)high);
}

static sumi_status check_level(sumi_context *ctx, const sumi__unet2d_config *c, int i) {
  sumi_status status = SUMI_OK;
  const int64_t width = c->block_out_channels[i], heads = c->num_attention_heads[i];
  SUMI_CHECK(ctx, width > 0 && width <= WIDEST && width % c->norm_num_groups == 0, SUMI_INVALID,
             "U-Net: block_out_channels[%d] is %lld, expected a multiple of norm_num_groups (%d) up to %d", i,
             (long long)width, c->norm_num_groups, (int)WIDEST);
  const bool attends = c->down_attention[i] || c->up_attention[i] || (c->mid_block && i == c->levels - 1);
  if (!attends) goto done;
  SUMI_CHECK(ctx, heads > 0 && width % heads == 0, SUMI_INVALID,
             "U-Net: num_attention_heads[%d] is %lld, expected a divisor of block_out_channels[%d] (%lld)", i,
             (long long)heads, i, (long long)width);
  SUMI_TRY(check_size(ctx, "a transformer_layers_per_block", c->transformer_layers_per_block[i], 1,
                      SUMI__UNET2D_LAYERS_MAX));
done:
  return status;
}

static sumi_status check_embeddings(sumi_context *ctx, const sumi__unet2d_config *c) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(check_size(ctx, "time_cond_proj_dim", c->time_cond_proj_dim, 0, WIDEST));
  SUMI_TRY(check_size(ctx, "class_embed_type", (int64_t)c->class_embed_type, 0, SUMI__UNET2D_CLASS_PROJECTION));
  if (c->class_embed_type == SUMI__UNET2D_CLASS_EMBEDDING)
    SUMI_TRY(check_size(ctx, "num_class_embeds", c->num_class_embeds, 1, MOST_CLASSES));
  if (c->addition_text_time) {
    SUMI_TRY(check_size(ctx, "addition_time_embed_dim", c->addition_time_embed_dim, 4, WIDEST));
    SUMI_CHECK(ctx, c->addition_time_embed_dim % 2 == 0, SUMI_INVALID,
               "U-Net: addition_time_embed_dim is %lld, expected an even number",
               (long long)c->addition_time_embed_dim);
  }
  if (c->addition_text_time || c->class_embed_type == SUMI__UNET2D_CLASS_PROJECTION)
    SUMI_TRY(
        check_size(ctx, "projection_class_embeddings_input_dim", c->projection_class_embeddings_input_dim, 1, WIDEST));
done:
  return status;
}

sumi_status sumi__unet2d_check(sumi_context *ctx, const sumi__unet2d_config *c) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(check_size(ctx, "in_channels", c->in_channels, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "out_channels", c->out_channels, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "the length of block_out_channels", c->levels, 1, SUMI__UNET2D_LEVELS_MAX));
  SUMI_TRY(check_size(ctx, "layers_per_block", c->layers_per_block, 1, SUMI__UNET2D_LAYERS_MAX));
  SUMI_TRY(check_size(ctx, "norm_num_groups", c->norm_num_groups, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "cross_attention_dim", c->cross_attention_dim, 1, WIDEST));
  SUMI_CHECK(ctx, c->norm_eps > 0.0 && c->norm_eps < 1.0, SUMI_INVALID, "U-Net: norm_eps is %g, expected (0, 1)",
             c->norm_eps);
  SUMI_CHECK(ctx, c->freq_shift >= 0.0 && c->freq_shift <= 1.0, SUMI_INVALID,
             "U-Net: freq_shift is %g, expected 0 to 1", c->freq_shift);
  int64_t blocks = 0;
  for (int i = 0; i < c->levels; i++) {
    SUMI_TRY(check_level(ctx, c, i));
    blocks += (2 * c->layers_per_block + 1) * (1 + (int64_t)c->transformer_layers_per_block[i]);
  }
  SUMI_CHECK(ctx, blocks <= MOST_BLOCKS, SUMI_INVALID,
             "U-Net: layers_per_block and transformer_layers_per_block make %lld blocks, expected at most %d",
             (long long)blocks, (int)MOST_BLOCKS);
  SUMI_CHECK(ctx, c->block_out_channels[0] % 2 == 0 && c->block_out_channels[0] >= 4, SUMI_INVALID,
             "U-Net: block_out_channels[0] is %lld, expected an even number of at least 4: the time is embedded in it",
             (long long)c->block_out_channels[0]);
  SUMI_TRY(check_embeddings(ctx, c));
done:
  return status;
}
