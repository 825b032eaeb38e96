/* CLIP's text transformers: those that are known by name, what a configuration may hold, and where a text ends. */
#include "models/clip_text.h"

#include <string.h>

static const char *const act_names[SUMI__CLIP_ACTS] = {"quick_gelu", "gelu"};

const char *sumi__clip_act_name(sumi__clip_act act) { return act_names[act]; }

bool sumi__clip_act_find(const char *name, sumi__clip_act *out) {
  for (int i = 0; i < SUMI__CLIP_ACTS; i++)
    if (strcmp(name, act_names[i]) == 0) {
      *out = (sumi__clip_act)i;
      return true;
    }
  return false;
}

sumi__clip_text_config sumi__clip_text_vit_l(void) {
  return (sumi__clip_text_config){.vocab_size = 49408,
                                  .hidden_size = 768,
                                  .intermediate_size = 3072,
                                  .num_hidden_layers = 12,
                                  .num_attention_heads = 12,
                                  .max_position_embeddings = 77,
                                  .hidden_act = SUMI__CLIP_QUICK_GELU,
                                  .layer_norm_eps = 1e-5,
                                  .projection_dim = 768,
                                  .bos_token_id = 49406,
                                  .eos_token_id = 49407,
                                  .pad_token_id = 49407};
}

sumi__clip_text_config sumi__clip_text_vit_h(void) {
  sumi__clip_text_config c = sumi__clip_text_vit_l();
  c.hidden_size = 1024;
  c.intermediate_size = 4096;
  c.num_hidden_layers = 23;
  c.num_attention_heads = 16;
  c.hidden_act = SUMI__CLIP_GELU;
  c.projection_dim = 1024;
  c.pad_token_id = 0;
  return c;
}

sumi__clip_text_config sumi__clip_text_big_g(void) {
  sumi__clip_text_config c = sumi__clip_text_vit_h();
  c.hidden_size = 1280;
  c.intermediate_size = 5120;
  c.num_hidden_layers = 32;
  c.num_attention_heads = 20;
  c.projection_dim = 1280;
  c.with_projection = true;
  return c;
}

static sumi_status check_size(sumi_context *ctx, const char *member, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return SUMI_OK;
  return sumi__fail(ctx, SUMI_INVALID, "CLIP text: %s is %lld, expected %lld to %lld", member, (long long)value,
                    (long long)low, (long long)high);
}

sumi_status sumi__clip_text_check(sumi_context *ctx, const sumi__clip_text_config *c) {
  enum { WIDEST = 1 << 16, MOST_TOKENS = 1 << 24, MOST_LAYERS = 256 };
  sumi_status status = SUMI_OK;
  SUMI_TRY(check_size(ctx, "vocab_size", c->vocab_size, 1, MOST_TOKENS));
  SUMI_TRY(check_size(ctx, "hidden_size", c->hidden_size, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "intermediate_size", c->intermediate_size, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "num_hidden_layers", c->num_hidden_layers, 1, MOST_LAYERS));
  SUMI_TRY(check_size(ctx, "max_position_embeddings", c->max_position_embeddings, 1, WIDEST));
  SUMI_TRY(check_size(ctx, "hidden_act", (int64_t)c->hidden_act, 0, SUMI__CLIP_ACTS - 1));
  SUMI_CHECK(ctx, c->num_attention_heads > 0 && c->hidden_size % c->num_attention_heads == 0, SUMI_INVALID,
             "CLIP text: num_attention_heads is %lld, expected a divisor of hidden_size (%lld)",
             (long long)c->num_attention_heads, (long long)c->hidden_size);
  SUMI_CHECK(ctx, c->layer_norm_eps > 0.0 && c->layer_norm_eps < 1.0, SUMI_INVALID,
             "CLIP text: layer_norm_eps is %g, expected (0, 1)", c->layer_norm_eps);
  if (c->with_projection) SUMI_TRY(check_size(ctx, "projection_dim", c->projection_dim, 1, WIDEST));
done:
  return status;
}

/* Early configs of OpenAI's models say 2 where they mean 49407, the largest id there is. */
enum { LEGACY_EOS = 2 };

static int64_t end_of_text(const sumi__clip_text_config *config, const int32_t *ids, int64_t t) {
  int64_t largest = 0;
  for (int64_t i = 0; i < t; i++) {
    if (config->eos_token_id != LEGACY_EOS && ids[i] == config->eos_token_id) return i;
    if (ids[i] > ids[largest]) largest = i;
  }
  return config->eos_token_id == LEGACY_EOS ? largest : 0;
}

void sumi__clip_text_pool_rows(const sumi__clip_text_config *config, const int32_t *ids, int64_t n, int64_t t,
                               int32_t *rows) {
  for (int64_t i = 0; i < n; i++) rows[i] = (int32_t)(i * t + end_of_text(config, ids + i * t, t));
}
