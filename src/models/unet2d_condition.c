#include "models/unet2d_condition.h"

#include "models/blocks.h"
#include "models/transformer2d.h"

enum { MOST_SKIPS = 1 + SUMI__UNET2D_LEVELS_MAX * (SUMI__UNET2D_LAYERS_MAX + 1) };

/* A network while it is built. */
typedef struct unet {
  const sumi__unet2d_config *config;
  sumi_tensor *time;              /* SiLU of the embedding (N, E) */
  sumi_tensor *context;           /* (N, T, D); not looked at where kv is given */
  sumi_tensor *const *kv;         /* the next attention's keys, then its values, and so on; or NULL */
  sumi_tensor *skips[MOST_SKIPS]; /* what the encoder keeps for the decoder */
  int n_skips;
} unet;

/* ---- Embeddings ---- */

static bool is_vectors(const sumi__nn *nn, const char *what, const sumi_tensor *t, int64_t n, int64_t width) {
  const sumi_shape expected = SUMI_SHAPE(n, width);
  if (t && t->dtype == SUMI_F32 && sumi_shape_equal(&t->shape, &expected)) return true;
  return sumi__graph_fail(nn->g, SUMI_SHAPE, "U-Net: %s is %s, expected f32 %s", what,
                          t ? SUMI__SHAPE_STR(&t->shape) : "missing", SUMI__SHAPE_STR(&expected));
}

static sumi_tensor *class_embedding(const sumi__nn *nn, const sumi__unet2d_config *c, sumi_tensor *labels, int64_t n,
                                    int64_t width) {
  const sumi__nn scope = sumi__nn_scope(nn, "class_embedding");
  if (!labels) {
    sumi__graph_fail(nn->g, SUMI_INVALID, "U-Net: class_labels are missing, which the model's class_embed_type wants");
    return NULL;
  }
  if (c->class_embed_type == SUMI__UNET2D_CLASS_EMBEDDING)
    return sumi__nn_embedding(nn, "class_embedding", labels, c->num_class_embeds, width);
  if (c->class_embed_type == SUMI__UNET2D_CLASS_TIMESTEP)
    labels = sumi__sinusoids(nn->g, labels, c->block_out_channels[0], c->flip_sin_to_cos, c->freq_shift);
  else if (!is_vectors(nn, "class_labels", labels, n, c->projection_class_embeddings_input_dim))
    return NULL;
  return sumi__embedding_mlp(&scope, labels, width);
}

/* The pooled text and the sizes, each number of which is embedded as the time is. */
static sumi_tensor *text_time_embedding(const sumi__nn *nn, const sumi__unet2d_config *c,
                                        const sumi__unet2d_extras *extras, int64_t n, int64_t width) {
  sumi_graph *g = nn->g;
  sumi_tensor *text = extras->text_embeds, *ids = extras->time_ids;
  if (!text || !ids || ids->shape.rank != 2) {
    sumi__graph_fail(g, SUMI_INVALID, "U-Net: the model wants text_embeds (N, D) and time_ids (N, K)");
    return NULL;
  }
  const int64_t rows = ids->shape.dims[0], count = ids->shape.dims[1];
  sumi_tensor *sizes = sumi__sinusoids(g, sumi_reshape(g, ids, SUMI_SHAPE(rows * count)), c->addition_time_embed_dim,
                                       c->flip_sin_to_cos, c->freq_shift);
  sizes = sumi_reshape(g, sizes, SUMI_SHAPE(rows, count * c->addition_time_embed_dim));
  sumi_tensor *joined = sumi_concat(g, 2, (sumi_tensor *[]){text, sizes}, 1);
  if (!joined || !is_vectors(nn, "text_embeds with time_ids", joined, n, c->projection_class_embeddings_input_dim))
    return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, "add_embedding");
  return sumi__embedding_mlp(&scope, joined, width);
}

/* SiLU of the sum of all that the res blocks are told. */
static sumi_tensor *time_embedding(const sumi__nn *nn, const sumi__unet2d_config *c, sumi_tensor *timesteps,
                                   const sumi__unet2d_extras *extras) {
  sumi_graph *g = nn->g;
  const int64_t n = timesteps->shape.dims[0], base = c->block_out_channels[0], width = 4 * base;
  const sumi__nn scope = sumi__nn_scope(nn, "time_embedding");
  sumi_tensor *t = sumi__sinusoids(g, timesteps, base, c->flip_sin_to_cos, c->freq_shift);
  if (c->time_cond_proj_dim > 0) {
    if (!is_vectors(nn, "timestep_cond", extras->timestep_cond, n, c->time_cond_proj_dim)) return NULL;
    t = sumi_add(g, t, sumi__nn_linear(&scope, "cond_proj", extras->timestep_cond, base, false));
  }
  sumi_tensor *e = sumi__embedding_mlp(&scope, t, width);
  if (c->class_embed_type != SUMI__UNET2D_CLASS_NONE)
    e = sumi_add(g, e, class_embedding(nn, c, extras->class_labels, n, width));
  if (c->addition_text_time) e = sumi_add(g, e, text_time_embedding(nn, c, extras, n, width));
  return sumi_silu(g, e);
}

/* ---- Blocks ---- */

static void keep(unet *u, sumi_tensor *h) { u->skips[u->n_skips++] = h; }

/* On what comes up, joined with what the encoder has kept (NULL: nothing). */
static sumi_tensor *res_block(const unet *u, const sumi__nn *nn, int i, sumi_tensor *h, sumi_tensor *kept,
                              int64_t out) {
  const sumi__nn scope = sumi__nn_item(nn, "resnets", i);
  sumi__nn_block_begin(nn);
  if (kept) h = sumi_concat(nn->g, 2, (sumi_tensor *[]){h, kept}, 3);
  h = sumi__resnet_block(&scope, h, u->time, out, u->config->norm_num_groups, u->config->norm_eps);
  sumi__nn_block_end(nn);
  return h;
}

/* The transformer i of a block at that level, with the context's keys and values given or made. */
static sumi_tensor *transformer(unet *u, const sumi__nn *nn, int level, int i, sumi_tensor *h) {
  if (!h) return NULL;
  const sumi__unet2d_config *c = u->config;
  const sumi__nn scope = sumi__nn_item(nn, "attentions", i);
  const sumi__transformer2d t = {c->num_attention_heads[level], c->transformer_layers_per_block[level],
                                 c->use_linear_projection, c->norm_num_groups};
  sumi__kv context[SUMI__UNET2D_LAYERS_MAX];
  sumi__nn_block_begin(nn);
  for (int k = 0; k < t.layers; k++) {
    if (!u->kv) {
      context[k] = sumi__transformer2d_context(&scope, k, u->context, h->shape.dims[3]);
    } else {
      context[k] = (sumi__kv){u->kv[0], u->kv[1]};
      u->kv += 2;
    }
  }
  h = sumi__transformer2d_build(&scope, &t, h, context);
  sumi__nn_block_end(nn);
  return h;
}

static sumi_tensor *down(unet *u, const sumi__nn *nn, int level, sumi_tensor *h) {
  const sumi__unet2d_config *c = u->config;
  const sumi__nn block = sumi__nn_item(nn, "down_blocks", level), half = sumi__nn_scope(&block, "downsamplers.0");
  for (int i = 0; i < c->layers_per_block; i++) {
    h = res_block(u, &block, i, h, NULL, c->block_out_channels[level]);
    if (c->down_attention[level]) h = transformer(u, &block, level, i, h);
    keep(u, h);
  }
  if (level == c->levels - 1) return h;
  h = sumi__downsample_block(&half, h, false);
  keep(u, h);
  return h;
}

static sumi_tensor *middle(unet *u, const sumi__nn *nn, sumi_tensor *h) {
  const int last = u->config->levels - 1;
  const int64_t width = u->config->block_out_channels[last];
  const sumi__nn block = sumi__nn_scope(nn, "mid_block");
  h = res_block(u, &block, 0, h, NULL, width);
  h = transformer(u, &block, last, 0, h);
  return res_block(u, &block, 1, h, NULL, width);
}

static sumi_tensor *up(unet *u, const sumi__nn *nn, int level, sumi_tensor *h) {
  const sumi__unet2d_config *c = u->config;
  const sumi__nn block = sumi__nn_item(nn, "up_blocks", c->levels - 1 - level);
  const sumi__nn twice = sumi__nn_scope(&block, "upsamplers.0");
  for (int i = 0; i <= c->layers_per_block; i++) {
    h = res_block(u, &block, i, h, u->skips[--u->n_skips], c->block_out_channels[level]);
    if (c->up_attention[level]) h = transformer(u, &block, level, i, h);
  }
  const sumi_tensor *meets = level > 0 ? u->skips[u->n_skips - 1] : NULL;
  if (!meets) return h;
  sumi__nn_block_begin(nn);
  h = sumi__upsample_block(&twice, h, meets->shape.dims[1], meets->shape.dims[2]);
  sumi__nn_block_end(nn);
  return h;
}

/* ---- The network ---- */

static bool check_inputs(const sumi__nn *nn, const sumi__unet2d_config *c, const sumi_tensor *sample,
                         const sumi_tensor *timesteps, const sumi_tensor *context) {
  sumi_graph *g = nn->g;
  const sumi_status status = sumi__unet2d_check(g->ctx, c);
  if (status != SUMI_OK) return sumi__graph_fail(g, status, "%s", sumi_context_error(g->ctx));
  if (!sample || !timesteps) return false;
  SUMI__INFER(g, sample->shape.rank == 4 && sample->shape.dims[3] == c->in_channels, SUMI_SHAPE,
              "U-Net: the sample is %s, expected (N, H, W, %lld)", SUMI__SHAPE_STR(&sample->shape),
              (long long)c->in_channels);
  const sumi_shape times = SUMI_SHAPE(sample->shape.dims[0]);
  SUMI__INFER(g, timesteps->dtype == SUMI_F32 && sumi_shape_equal(&timesteps->shape, &times), SUMI_SHAPE,
              "U-Net: the timesteps are %s %s, expected f32 %s", sumi_dtype_name(timesteps->dtype),
              SUMI__SHAPE_STR(&timesteps->shape), SUMI__SHAPE_STR(&times));
  SUMI__INFER(g,
              !context || (context->shape.rank == 3 && context->shape.dims[0] == times.dims[0] &&
                           context->shape.dims[2] == c->cross_attention_dim),
              SUMI_SHAPE, "U-Net: the context is %s, expected (%lld, T, %lld)", SUMI__SHAPE_STR(&context->shape),
              (long long)times.dims[0], (long long)c->cross_attention_dim);
  return true;
}

sumi_tensor *sumi__unet2d(const sumi__nn *nn, const sumi__unet2d_config *config, sumi_tensor *sample,
                          sumi_tensor *timesteps, sumi_tensor *context, const sumi__unet2d_extras *extras) {
  static const sumi_conv_options same = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  static const sumi__unet2d_extras none = {0};
  if (!extras) extras = &none;
  if (!check_inputs(nn, config, sample, timesteps, context)) return NULL;
  if (!context && !extras->context_kv && sumi__unet2d_context_count(config) > 0) {
    sumi__graph_fail(nn->g, SUMI_INVALID, "U-Net: neither a context nor its keys and values are given");
    return NULL;
  }
  unet u = {.config = config, .context = context, .kv = extras->context_kv};
  u.time = time_embedding(nn, config, timesteps, extras);
  sumi_tensor *h = sumi__nn_conv2d(nn, "conv_in", sample, config->block_out_channels[0], 3, &same, true);
  keep(&u, h);
  for (int level = 0; level < config->levels; level++) h = down(&u, nn, level, h);
  if (config->mid_block) h = middle(&u, nn, h);
  for (int level = config->levels - 1; h && level >= 0; level--) h = up(&u, nn, level, h);
  sumi__nn_block_begin(nn);
  h = sumi__nn_group_norm_silu(nn, "conv_norm_out", h, NULL, config->norm_num_groups, (float)config->norm_eps);
  h = sumi__nn_conv2d(nn, "conv_out", h, config->out_channels, 3, &same, true);
  sumi__nn_block_end(nn);
  return h ? sumi_cast(nn->g, h, SUMI_F32) : NULL;
}
