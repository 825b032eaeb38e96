/* The text transformer of CLIP (A. Radford et al., "Learning transferable visual models from natural language
 * supervision", 2021) in the shape of transformers' CLIPTextModel, with its parameter names: OpenAI's ViT-L of SD 1.x
 * and XL, OpenCLIP's ViT-H of SD 2.x and bigG of XL.
 *
 *   tokens + positions -> [x + attention(norm(x)), x + mlp(norm(x))] x layers -> final norm
 *
 * Causal attention; every projection has a bias; activation quick_gelu in ViT-L and the exact GELU in OpenCLIP's. */
#ifndef SUMI_SRC_MODELS_CLIP_TEXT_H
#define SUMI_SRC_MODELS_CLIP_TEXT_H

#include "nn/nn.h"

typedef enum sumi__clip_act { SUMI__CLIP_QUICK_GELU, SUMI__CLIP_GELU, SUMI__CLIP_ACTS } sumi__clip_act;

/* As config.json spells them: "quick_gelu", "gelu". */
const char *sumi__clip_act_name(sumi__clip_act act);
bool sumi__clip_act_find(const char *name, sumi__clip_act *out); /* false for an unknown name */

/* The members have the names that transformers' config.json has for them. */
typedef struct sumi__clip_text_config {
  int64_t vocab_size;
  int64_t hidden_size;
  int64_t intermediate_size;
  int num_hidden_layers;
  int64_t num_attention_heads;
  int64_t max_position_embeddings; /* 77 */
  sumi__clip_act hidden_act;
  double layer_norm_eps;
  int64_t projection_dim; /* with_projection alone looks at it */
  bool with_projection;   /* CLIPTextModelWithProjection: it has text_projection.weight */
  int64_t bos_token_id, eos_token_id, pad_token_id;
} sumi__clip_text_config;

/* ViT-L/14 of SD 1.x: 12 layers of 768; 123,060,480 parameters. */
sumi__clip_text_config sumi__clip_text_vit_l(void);
/* ViT-H/14 of SD 2.x: 23 layers of 1024 (the 24th is never used); 340,387,840 parameters. */
sumi__clip_text_config sumi__clip_text_vit_h(void);
/* bigG/14 of XL: 32 layers of 1280, with the projection; 694,659,840 parameters. */
sumi__clip_text_config sumi__clip_text_big_g(void);

/* Checks the ranges. Errors: INVALID, naming the member. */
sumi_status sumi__clip_text_check(sumi_context *ctx, const sumi__clip_text_config *config);

typedef struct sumi__clip_text_inputs {
  sumi_tensor *ids;        /* (N, T) i32 or i64 in [0, vocab_size); or NULL, and */
  sumi_tensor *embeddings; /* (N, T, hidden_size) f32: token embeddings, some of which may be a textual inversion's */
  sumi_tensor *pool_rows;  /* (N) i32 or i64 from sumi__clip_text_pool_rows; NULL: nothing is pooled */
  int skip;                /* layers left out at the end for `hidden`: 0 the last layer's result, 1 the penultimate's */
} sumi__clip_text_inputs;

/* All f32; what is not asked of a compiled program is not computed. */
typedef struct sumi__clip_text_outputs {
  sumi_tensor *token_embeddings; /* (N, T, D) */
  sumi_tensor *embeddings;       /* (N, T, D): with their positions, what the first layer sees */
  sumi_tensor *hidden;           /* (N, T, D): the result of layer (layers - skip), without the final norm */
  sumi_tensor *normed;           /* (N, T, D): final_layer_norm of it */
  sumi_tensor *pooled;           /* (N, D): the last layer's, normed, at the end of the text; NULL without pool_rows */
  sumi_tensor *projected;        /* (N, projection_dim): through text_projection; NULL without one or pool_rows */
} sumi__clip_text_outputs;

/* T is at most max_position_embeddings. False after a fault, with the outputs NULL. */
bool sumi__clip_text(const sumi__nn *nn, const sumi__clip_text_config *config, const sumi__clip_text_inputs *inputs,
                     sumi__clip_text_outputs *out);

/* The embeddings of `count` tokens, (count, hidden_size), from the weights of a model that has been built under the
 * scope `nn`. A program that takes them as inputs->embeddings needs no table of its own, of which a text wants 77 rows
 * out of 49408. Errors: INVALID (an id that is out of range), NOT_FOUND. */
sumi_status sumi__clip_text_lookup(sumi_context *ctx, const sumi__nn *nn, const sumi__clip_text_config *config,
                                   const int32_t *ids, int64_t count, float *out);

/* For n texts of t ids: the row among all n * t at which each one is pooled, its first eos_token_id (the largest id
 * where a config says 2, as early ones wrongly do), or position 0 where there is none. */
void sumi__clip_text_pool_rows(const sumi__clip_text_config *config, const int32_t *ids, int64_t n, int64_t t,
                               int32_t *rows);

#endif
