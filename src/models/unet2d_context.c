/* What the conditional U-Net makes of its context, before and apart from any step. */
#include "models/blocks.h"
#include "models/transformer2d.h"
#include "models/unet2d_condition.h"

/* A transformer of the network: attentions.ITEM of the block. */
typedef struct place {
  const char *block; /* "down_blocks", "mid_block" or "up_blocks" */
  int index;         /* of the block; -1 for the middle one */
  int level, item;
} place;

typedef bool (*visit_fn)(void *user, const place *p, int layers);

/* Visits all transformers in order of execution, until one visit says no. */
static bool visit(const sumi__unet2d_config *c, visit_fn fn, void *user) {
  const int last = c->levels - 1;
  for (int level = 0; level <= last; level++)
    for (int i = 0; c->down_attention[level] && i < c->layers_per_block; i++)
      if (!fn(user, &(place){"down_blocks", level, level, i}, c->transformer_layers_per_block[level])) return false;
  if (c->mid_block && !fn(user, &(place){"mid_block", -1, last, 0}, c->transformer_layers_per_block[last]))
    return false;
  for (int level = last; level >= 0; level--)
    for (int i = 0; c->up_attention[level] && i <= c->layers_per_block; i++)
      if (!fn(user, &(place){"up_blocks", last - level, level, i}, c->transformer_layers_per_block[level]))
        return false;
  return true;
}

static bool count_layers(void *user, const place *p, int layers) {
  (void)p;
  *(int *)user += layers;
  return true;
}

int sumi__unet2d_context_count(const sumi__unet2d_config *config) {
  int count = 0;
  visit(config, count_layers, &count);
  return count;
}

typedef struct search {
  int left; /* layers to pass before the one that is looked for */
  int level;
} search;

static bool find_layer(void *user, const place *p, int layers) {
  search *s = user;
  s->level = p->level;
  if (s->left < layers) return false;
  s->left -= layers;
  return true;
}

int64_t sumi__unet2d_context_width(const sumi__unet2d_config *config, int i) {
  search s = {.left = i};
  return visit(config, find_layer, &s) ? 0 : config->block_out_channels[s.level];
}

typedef struct projection {
  const sumi__nn *nn;
  const sumi__unet2d_config *config;
  sumi_tensor *context, **kv;
} projection;

static bool project(void *user, const place *p, int layers) {
  projection *to = user;
  const sumi__nn block = p->index < 0 ? sumi__nn_scope(to->nn, p->block) : sumi__nn_item(to->nn, p->block, p->index);
  const sumi__nn scope = sumi__nn_item(&block, "attentions", p->item);
  for (int i = 0; i < layers; i++) {
    const sumi__kv kv = sumi__transformer2d_context(&scope, i, to->context, to->config->block_out_channels[p->level]);
    if (!kv.keys || !kv.values) return false;
    *to->kv++ = kv.keys;
    *to->kv++ = kv.values;
  }
  return true;
}

bool sumi__unet2d_context(const sumi__nn *nn, const sumi__unet2d_config *config, sumi_tensor *context,
                          sumi_tensor **kv) {
  sumi_graph *g = nn->g;
  const sumi_status status = sumi__unet2d_check(g->ctx, config);
  if (status != SUMI_OK) return sumi__graph_fail(g, status, "%s", sumi_context_error(g->ctx));
  if (!context) return false;
  SUMI__INFER(g, context->shape.rank == 3 && context->shape.dims[2] == config->cross_attention_dim, SUMI_SHAPE,
              "U-Net: the context is %s, expected (N, T, %lld)", SUMI__SHAPE_STR(&context->shape),
              (long long)config->cross_attention_dim);
  return visit(config, project, &(projection){nn, config, context, kv});
}
