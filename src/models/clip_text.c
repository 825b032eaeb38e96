#include "models/clip_text.h"

#include "models/blocks.h"

/* x (N, T, D) -> (N, T, D). */
static sumi_tensor *attention(const sumi__nn *nn, const sumi__clip_text_config *c, sumi_tensor *x) {
  if (!x) return NULL;
  sumi_graph *g = nn->g;
  const sumi__nn scope = sumi__nn_scope(nn, "self_attn");
  const int64_t width = c->hidden_size, heads = c->num_attention_heads;
  const sumi_shape split = SUMI_SHAPE(x->shape.dims[0], x->shape.dims[1], heads, width / heads);
  sumi_tensor *q = sumi_reshape(g, sumi__nn_linear(&scope, "q_proj", x, width, true), split);
  sumi_tensor *k = sumi_reshape(g, sumi__nn_linear(&scope, "k_proj", x, width, true), split);
  sumi_tensor *v = sumi_reshape(g, sumi__nn_linear(&scope, "v_proj", x, width, true), split);
  if (!q || !k || !v) return NULL;
  sumi_tensor *y = sumi_reshape(g, sumi_attention(g, q, k, v, NULL, 0.0f, true), x->shape);
  return sumi__nn_linear(&scope, "out_proj", y, width, true);
}

static sumi_tensor *mlp(const sumi__nn *nn, const sumi__clip_text_config *c, sumi_tensor *x) {
  const sumi__nn scope = sumi__nn_scope(nn, "mlp");
  sumi_tensor *h = sumi__nn_linear(&scope, "fc1", x, c->intermediate_size, true);
  h = c->hidden_act == SUMI__CLIP_QUICK_GELU ? sumi_quick_gelu(nn->g, h) : sumi_gelu(nn->g, h);
  return sumi__nn_linear(&scope, "fc2", h, c->hidden_size, true);
}

static sumi_tensor *layer(const sumi__nn *nn, const sumi__clip_text_config *c, sumi_tensor *x) {
  const float eps = (float)c->layer_norm_eps;
  x = sumi_add(nn->g, x, attention(nn, c, sumi__nn_layer_norm(nn, "layer_norm1", x, eps)));
  return sumi_add(nn->g, x, mlp(nn, c, sumi__nn_layer_norm(nn, "layer_norm2", x, eps)));
}

static bool check_inputs(const sumi__nn *nn, const sumi__clip_text_config *c, const sumi__clip_text_inputs *in) {
  sumi_graph *g = nn->g;
  const sumi_status status = sumi__clip_text_check(g->ctx, c);
  if (status != SUMI_OK) return sumi__graph_fail(g, status, "%s", sumi_context_error(g->ctx));
  const sumi_tensor *x = in->embeddings ? in->embeddings : in->ids;
  if (!x) return false;
  SUMI__INFER(g,
              x->shape.rank == (in->embeddings ? 3 : 2) && x->shape.dims[1] <= c->max_position_embeddings &&
                  (!in->embeddings || x->shape.dims[2] == c->hidden_size),
              SUMI_SHAPE, "CLIP text: the %s are %s, expected (N, T%s) with at most %lld tokens",
              in->embeddings ? "embeddings" : "ids", SUMI__SHAPE_STR(&x->shape), in->embeddings ? ", hidden_size" : "",
              (long long)c->max_position_embeddings);
  SUMI__INFER(g, in->skip >= 0 && in->skip < c->num_hidden_layers, SUMI_INVALID,
              "CLIP text: %d layers are to be skipped, expected 0 to %d", in->skip, c->num_hidden_layers - 1);
  return true;
}

/* Token embeddings and what the first layer sees. The table is a parameter of the model even where no id is looked up.
 */
static void embed(const sumi__nn *nn, const sumi__clip_text_config *c, const sumi__clip_text_inputs *in,
                  sumi__clip_text_outputs *out) {
  const sumi__nn scope = sumi__nn_scope(nn, "embeddings");
  sumi_tensor *table = sumi__nn_embedding_table(&scope, "token_embedding", c->vocab_size, c->hidden_size);
  out->token_embeddings = in->embeddings ? in->embeddings : table ? sumi_embedding(nn->g, table, in->ids) : NULL;
  sumi_tensor *positions =
      sumi__nn_embedding_table(&scope, "position_embedding", c->max_position_embeddings, c->hidden_size);
  if (!out->token_embeddings || !positions) return;
  positions = sumi_slice(nn->g, positions, 0, 0, out->token_embeddings->shape.dims[1]);
  out->embeddings = sumi_add(nn->g, out->token_embeddings, positions);
}

/* The rows of x (N, T, D) at which the texts end: (N, D). */
static sumi_tensor *pool(sumi_graph *g, sumi_tensor *x, sumi_tensor *rows) {
  if (!x || !rows) return NULL;
  const int64_t *d = x->shape.dims;
  return sumi_embedding(g, sumi_reshape(g, x, SUMI_SHAPE(d[0] * d[1], d[2])), rows);
}

static sumi_tensor *as_f32(sumi_graph *g, sumi_tensor *x) { return x ? sumi_cast(g, x, SUMI_F32) : NULL; }

bool sumi__clip_text(const sumi__nn *nn, const sumi__clip_text_config *config, const sumi__clip_text_inputs *inputs,
                     sumi__clip_text_outputs *out) {
  sumi_graph *g = nn->g;
  const float eps = (float)config->layer_norm_eps;
  *out = (sumi__clip_text_outputs){0};
  if (!check_inputs(nn, config, inputs)) return false;
  const sumi__nn model = sumi__nn_scope(nn, "text_model"), encoder = sumi__nn_scope(&model, "encoder");
  embed(&model, config, inputs, out);
  sumi_tensor *h = out->embeddings;
  for (int i = 0; i < config->num_hidden_layers; i++) {
    const sumi__nn scope = sumi__nn_item(&encoder, "layers", i);
    h = layer(&scope, config, h);
    if (i == config->num_hidden_layers - 1 - inputs->skip) out->hidden = as_f32(g, h);
  }
  out->normed = as_f32(g, sumi__nn_layer_norm(&model, "final_layer_norm", out->hidden, eps));
  sumi_tensor *last = inputs->skip == 0 ? out->normed : sumi__nn_layer_norm(&model, "final_layer_norm", h, eps);
  out->pooled = as_f32(g, pool(g, last, inputs->pool_rows));
  sumi_tensor *end = out->pooled ? out->pooled : out->normed; /* the projection is a parameter of the model anyway */
  if (config->with_projection) {
    sumi_tensor *projected = sumi__nn_linear(nn, "text_projection", end, config->projection_dim, false);
    out->projected = out->pooled ? as_f32(g, projected) : NULL;
  }
  if (sumi_graph_status(g) == SUMI_OK) return true;
  *out = (sumi__clip_text_outputs){0};
  return false;
}
