/* The configurations of a folder in diffusers' layout. Keys that this code does not know say something about training,
 * or have one value in every model of these families; those whose other values would change the network are checked. */
#include "models/families/files.h"

#include "io/file.h"
#include "io/json.h"
#include "io/text.h"

#include <stdio.h>
#include <string.h>

/* A config.json while it is read. */
typedef struct reader {
  sumi_context *ctx;
  char path[SUMI__MODEL_PATH_MAX];
  sumi__json *json;
  const sumi__json_node *root;
} reader;

static sumi_status open_config(reader *r, sumi_context *ctx, const char *folder, const char *name) {
  *r = (reader){.ctx = ctx};
  const int n = snprintf(r->path, sizeof r->path, "%s/%s", folder, name);
  if (n < 0 || (size_t)n >= sizeof r->path)
    return sumi__fail(ctx, SUMI_INVALID, "the path of the model folder is longer than %d characters",
                      (int)SUMI__MODEL_PATH_MAX);
  const sumi_status status = sumi__json_read(ctx, r->path, &r->json);
  if (status == SUMI_OK) r->root = sumi__json_root(r->json);
  return status;
}

static const sumi__json_node *present(const reader *r, const char *key) {
  const sumi__json_node *node = sumi__json_find(r->root, key);
  return node && sumi__json_kind_of(node) != SUMI__JSON_NULL ? node : NULL;
}

static sumi_status get_int(const reader *r, const char *key, int64_t low, int64_t high, int *out) {
  int64_t value = *out;
  const sumi_status status = sumi__json_get_i64(r->json, r->root, key, SUMI__JSON_OPTIONAL, low, high, &value);
  *out = (int)value;
  return status;
}

static sumi_status get_i64(const reader *r, const char *key, int64_t high, int64_t *out) {
  return sumi__json_get_i64(r->json, r->root, key, SUMI__JSON_OPTIONAL, 1, high, out);
}

static sumi_status unsupported(const reader *r, const char *key, const char *value, const char *expected) {
  char shown[SUMI__QUOTE_MAX];
  return sumi__fail(r->ctx, SUMI_UNSUPPORTED, "%s: `%s` is %s, supported: %s", r->path, key, sumi__quote(shown, value),
                    expected);
}

/* A string that must be one of these if it is there; *out is its number, 0 if it is not. */
static sumi_status get_choice(const reader *r, const char *key, const char *const *choices, const char *expected,
                              int *out) {
  const char *value = NULL;
  *out = 0;
  const sumi_status status = sumi__json_get_string(r->json, r->root, key, SUMI__JSON_OPTIONAL, &value);
  if (status != SUMI_OK || !value) return status;
  for (int i = 0; choices[i]; i++)
    if (strcmp(choices[i], value) == 0) {
      *out = i;
      return SUMI_OK;
    }
  return unsupported(r, key, value, expected);
}

static sumi_status expect(const reader *r, const char *key, const char *value) {
  int ignored;
  return get_choice(r, key, (const char *const[]){value, NULL}, value, &ignored);
}

/* One integer for all levels, or one for each. */
static sumi_status get_levels(const reader *r, const char *key, int levels, int64_t high, int64_t *out) {
  sumi_status status = SUMI_OK;
  const sumi__json_node *node = present(r, key);
  if (!node) return SUMI_OK;
  if (sumi__json_kind_of(node) == SUMI__JSON_INTEGER) {
    int64_t value;
    SUMI_TRY(sumi__json_get_i64(r->json, r->root, key, SUMI__JSON_REQUIRED, 1, high, &value));
    for (int i = 0; i < levels; i++) out[i] = value;
    goto done;
  }
  SUMI_TRY(sumi__json_get_array(r->json, r->root, key, SUMI__JSON_REQUIRED, &node));
  SUMI_CHECK(r->ctx, sumi__json_count(node) == (size_t)levels, SUMI_FORMAT, "%s: `%s`: expected %d numbers, found %zu",
             r->path, key, levels, sumi__json_count(node));
  for (int i = 0; i < levels; i++) SUMI_TRY(sumi__json_item_i64(r->json, node, (size_t)i, 1, high, &out[i]));
done:
  return status;
}

/* The widths, of which there are as many as levels. */
static sumi_status get_widths(const reader *r, int most, int *levels, int64_t *out) {
  sumi_status status = SUMI_OK;
  const sumi__json_node *array = NULL;
  SUMI_TRY(sumi__json_get_array(r->json, r->root, "block_out_channels", SUMI__JSON_REQUIRED, &array));
  const size_t count = sumi__json_count(array);
  SUMI_CHECK(r->ctx, count >= 1 && count <= (size_t)most, SUMI_FORMAT,
             "%s: `block_out_channels`: expected 1 to %d numbers, found %zu", r->path, most, count);
  *levels = (int)count;
  for (size_t i = 0; i < count; i++) SUMI_TRY(sumi__json_item_i64(r->json, array, i, 1, 65536, &out[i]));
done:
  return status;
}

/* Which levels have transformers; `backwards`: the list begins with the last level. */
static sumi_status get_blocks(const reader *r, const char *key, const char *plain, const char *attending, int levels,
                              bool backwards, bool *out) {
  sumi_status status = SUMI_OK;
  const sumi__json_node *array = NULL;
  SUMI_TRY(sumi__json_get_array(r->json, r->root, key, SUMI__JSON_REQUIRED, &array));
  SUMI_CHECK(r->ctx, sumi__json_count(array) == (size_t)levels, SUMI_FORMAT, "%s: `%s`: expected %d names, found %zu",
             r->path, key, levels, sumi__json_count(array));
  for (int i = 0; i < levels; i++) {
    const char *name = NULL;
    SUMI_TRY(sumi__json_item_string(r->json, array, (size_t)i, &name));
    const bool attends = attending && strcmp(name, attending) == 0;
    if (!attends && strcmp(name, plain) != 0) {
      char expected[128];
      snprintf(expected, sizeof expected, "%s%s%s", plain, attending ? ", " : "", attending ? attending : "");
      return unsupported(r, key, name, expected);
    }
    out[backwards ? levels - 1 - i : i] = attends;
  }
done:
  return status;
}

/* ---- The U-Net ---- */

static sumi_status read_heads(const reader *r, sumi__unet2d_config *c) {
  sumi_status status = SUMI_OK;
  int64_t depths[SUMI__UNET2D_LEVELS_MAX];
  for (int i = 0; i < c->levels; i++) {
    c->num_attention_heads[i] = 8;
    depths[i] = 1;
  }
  const bool named = present(r, "num_attention_heads") != NULL;
  SUMI_TRY(
      get_levels(r, named ? "num_attention_heads" : "attention_head_dim", c->levels, 4096, c->num_attention_heads));
  SUMI_TRY(get_levels(r, "transformer_layers_per_block", c->levels, SUMI__UNET2D_LAYERS_MAX, depths));
  for (int i = 0; i < c->levels; i++) c->transformer_layers_per_block[i] = (int)depths[i];
done:
  return status;
}

static sumi_status read_additions(const reader *r, sumi__unet2d_config *c) {
  static const char *const classes[] = {"", "timestep", "projection", NULL};
  static const sumi__unet2d_class_embed kinds[] = {SUMI__UNET2D_CLASS_NONE, SUMI__UNET2D_CLASS_TIMESTEP,
                                                   SUMI__UNET2D_CLASS_PROJECTION};
  sumi_status status = SUMI_OK;
  int kind, addition;
  SUMI_TRY(get_choice(r, "class_embed_type", classes, "timestep, projection", &kind));
  c->class_embed_type = kinds[kind];
  SUMI_TRY(get_i64(r, "num_class_embeds", 1 << 20, &c->num_class_embeds));
  if (!kind && c->num_class_embeds) c->class_embed_type = SUMI__UNET2D_CLASS_EMBEDDING;
  SUMI_TRY(get_choice(r, "addition_embed_type", (const char *const[]){"", "text_time", NULL}, "text_time", &addition));
  c->addition_text_time = addition == 1;
  SUMI_TRY(get_i64(r, "addition_time_embed_dim", 65536, &c->addition_time_embed_dim));
  SUMI_TRY(get_i64(r, "projection_class_embeddings_input_dim", 65536, &c->projection_class_embeddings_input_dim));
  SUMI_TRY(get_i64(r, "time_cond_proj_dim", 65536, &c->time_cond_proj_dim));
done:
  return status;
}

static sumi_status read_unet_constants(const reader *r) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(expect(r, "_class_name", "UNet2DConditionModel"));
  SUMI_TRY(expect(r, "act_fn", "silu"));
  SUMI_TRY(expect(r, "resnet_time_scale_shift", "default"));
  SUMI_TRY(expect(r, "time_embedding_type", "positional"));
  SUMI_TRY(expect(r, "attention_type", "default"));
done:
  return status;
}

static sumi_status read_unet(sumi_context *ctx, const char *folder, sumi__unet2d_config *c) {
  sumi_status status = SUMI_OK;
  reader r;
  int64_t groups = 32;
  *c = (sumi__unet2d_config){.in_channels = 4,
                             .out_channels = 4,
                             .sample_size = 64,
                             .layers_per_block = 2,
                             .cross_attention_dim = 1280,
                             .norm_eps = 1e-5,
                             .flip_sin_to_cos = true,
                             .mid_block = true};
  SUMI_TRY(open_config(&r, ctx, folder, "unet/config.json"));
  SUMI_TRY(read_unet_constants(&r));
  SUMI_TRY(get_widths(&r, SUMI__UNET2D_LEVELS_MAX, &c->levels, c->block_out_channels));
  SUMI_TRY(
      get_blocks(&r, "down_block_types", "DownBlock2D", "CrossAttnDownBlock2D", c->levels, false, c->down_attention));
  SUMI_TRY(get_blocks(&r, "up_block_types", "UpBlock2D", "CrossAttnUpBlock2D", c->levels, true, c->up_attention));
  SUMI_TRY(get_i64(&r, "in_channels", 4096, &c->in_channels));
  SUMI_TRY(get_i64(&r, "out_channels", 4096, &c->out_channels));
  SUMI_TRY(get_i64(&r, "sample_size", 65536, &c->sample_size));
  SUMI_TRY(get_int(&r, "layers_per_block", 1, SUMI__UNET2D_LAYERS_MAX, &c->layers_per_block));
  SUMI_TRY(get_i64(&r, "cross_attention_dim", 65536, &c->cross_attention_dim));
  SUMI_TRY(get_i64(&r, "norm_num_groups", 65536, &groups));
  c->norm_num_groups = (int)groups;
  SUMI_TRY(sumi__json_get_f64(r.json, r.root, "norm_eps", SUMI__JSON_OPTIONAL, &c->norm_eps));
  SUMI_TRY(sumi__json_get_f64(r.json, r.root, "freq_shift", SUMI__JSON_OPTIONAL, &c->freq_shift));
  SUMI_TRY(sumi__json_get_bool(r.json, r.root, "flip_sin_to_cos", SUMI__JSON_OPTIONAL, &c->flip_sin_to_cos));
  SUMI_TRY(
      sumi__json_get_bool(r.json, r.root, "use_linear_projection", SUMI__JSON_OPTIONAL, &c->use_linear_projection));
  SUMI_TRY(sumi__json_get_bool(r.json, r.root, "upcast_attention", SUMI__JSON_OPTIONAL, &c->upcast_attention));
  if (sumi__json_find(r.root, "mid_block_type")) c->mid_block = present(&r, "mid_block_type") != NULL;
  SUMI_TRY(expect(&r, "mid_block_type", "UNetMidBlock2DCrossAttn"));
  SUMI_TRY(read_heads(&r, c));
  SUMI_TRY(read_additions(&r, c));
  if ((status = sumi__unet2d_check(ctx, c)) != SUMI_OK) status = sumi__fail_in(ctx, status, "%s", r.path);
done:
  sumi__json_free(r.json);
  return status;
}

/* ---- The autoencoder ---- */

static sumi_status read_vae(sumi_context *ctx, const char *folder, const char *name, sumi__autoencoder_kl_config *c) {
  sumi_status status = SUMI_OK;
  reader r;
  int64_t groups = 32;
  bool ignored[SUMI__VAE_LEVELS_MAX];
  *c = sumi__autoencoder_kl_f8();
  SUMI_TRY(open_config(&r, ctx, folder, name));
  SUMI_TRY(expect(&r, "_class_name", "AutoencoderKL"));
  SUMI_TRY(expect(&r, "act_fn", "silu"));
  SUMI_TRY(get_widths(&r, SUMI__VAE_LEVELS_MAX, &c->levels, c->block_out_channels));
  SUMI_TRY(get_blocks(&r, "down_block_types", "DownEncoderBlock2D", NULL, c->levels, false, ignored));
  SUMI_TRY(get_blocks(&r, "up_block_types", "UpDecoderBlock2D", NULL, c->levels, true, ignored));
  SUMI_TRY(get_i64(&r, "in_channels", 4096, &c->in_channels));
  SUMI_TRY(get_i64(&r, "out_channels", 4096, &c->out_channels));
  SUMI_TRY(get_i64(&r, "latent_channels", 4096, &c->latent_channels));
  SUMI_TRY(get_i64(&r, "sample_size", 65536, &c->sample_size));
  SUMI_TRY(get_int(&r, "layers_per_block", 1, 32, &c->layers_per_block));
  SUMI_TRY(get_i64(&r, "norm_num_groups", 65536, &groups));
  c->norm_num_groups = (int)groups;
  SUMI_TRY(sumi__json_get_f64(r.json, r.root, "scaling_factor", SUMI__JSON_OPTIONAL, &c->scaling_factor));
  SUMI_TRY(sumi__json_get_f64(r.json, r.root, "shift_factor", SUMI__JSON_OPTIONAL, &c->shift_factor));
  SUMI_TRY(sumi__json_get_bool(r.json, r.root, "use_quant_conv", SUMI__JSON_OPTIONAL, &c->use_quant_conv));
  SUMI_TRY(sumi__json_get_bool(r.json, r.root, "use_post_quant_conv", SUMI__JSON_OPTIONAL, &c->use_post_quant_conv));
  SUMI_TRY(
      sumi__json_get_bool(r.json, r.root, "mid_block_add_attention", SUMI__JSON_OPTIONAL, &c->mid_block_add_attention));
  SUMI_TRY(sumi__json_get_bool(r.json, r.root, "force_upcast", SUMI__JSON_OPTIONAL, &c->force_upcast));
  if ((status = sumi__autoencoder_kl_check(ctx, c)) != SUMI_OK) status = sumi__fail_in(ctx, status, "%s", r.path);
done:
  sumi__json_free(r.json);
  return status;
}

sumi_status sumi__folder_vae_config(sumi_context *ctx, const char *folder, sumi__autoencoder_kl_config *out) {
  return read_vae(ctx, folder, "config.json", out);
}

/* ---- The text encoder ---- */

static sumi_status get_id(const reader *r, const char *key, int64_t *out) {
  return sumi__json_get_i64(r->json, r->root, key, SUMI__JSON_OPTIONAL, 0, 1 << 24, out);
}

static sumi_status read_text(sumi_context *ctx, const char *folder, sumi__clip_text_config *c) {
  sumi_status status = SUMI_OK;
  reader r;
  const char *act = NULL;
  *c = sumi__clip_text_vit_l();
  SUMI_TRY(open_config(&r, ctx, folder, "text_encoder/config.json"));
  SUMI_TRY(get_i64(&r, "vocab_size", 1 << 24, &c->vocab_size));
  SUMI_TRY(get_i64(&r, "hidden_size", 65536, &c->hidden_size));
  SUMI_TRY(get_i64(&r, "intermediate_size", 1 << 20, &c->intermediate_size));
  SUMI_TRY(get_int(&r, "num_hidden_layers", 1, 1024, &c->num_hidden_layers));
  SUMI_TRY(get_i64(&r, "num_attention_heads", 4096, &c->num_attention_heads));
  SUMI_TRY(get_i64(&r, "max_position_embeddings", 65536, &c->max_position_embeddings));
  SUMI_TRY(sumi__json_get_string(r.json, r.root, "hidden_act", SUMI__JSON_OPTIONAL, &act));
  if (act && !sumi__clip_act_find(act, &c->hidden_act)) {
    status = unsupported(&r, "hidden_act", act, "quick_gelu, gelu");
    goto done;
  }
  SUMI_TRY(sumi__json_get_f64(r.json, r.root, "layer_norm_eps", SUMI__JSON_OPTIONAL, &c->layer_norm_eps));
  SUMI_TRY(get_i64(&r, "projection_dim", 65536, &c->projection_dim));
  SUMI_TRY(get_id(&r, "bos_token_id", &c->bos_token_id));
  SUMI_TRY(get_id(&r, "eos_token_id", &c->eos_token_id));
  SUMI_TRY(get_id(&r, "pad_token_id", &c->pad_token_id));
  if ((status = sumi__clip_text_check(ctx, c)) != SUMI_OK) status = sumi__fail_in(ctx, status, "%s", r.path);
done:
  sumi__json_free(r.json);
  return status;
}

/* ---- The schedule ---- */

/* Options take a 0 for the default, which it is not in a file: so these are checked here. */
static sumi_status read_betas(const reader *r, sumi_betas *betas) {
  sumi_status status = SUMI_OK;
  double start = 0.00085, end = 0.012;
  SUMI_TRY(sumi__json_get_f64(r->json, r->root, "beta_start", SUMI__JSON_OPTIONAL, &start));
  SUMI_TRY(sumi__json_get_f64(r->json, r->root, "beta_end", SUMI__JSON_OPTIONAL, &end));
  SUMI_CHECK(r->ctx, start > 0.0 && start <= end && end < 1.0, SUMI_INVALID,
             "%s: `beta_start` is %g and `beta_end` %g, expected 0 < beta_start <= beta_end < 1", r->path, start, end);
  betas->start = start;
  betas->end = end;
  SUMI_TRY(get_int(r, "num_train_timesteps", 2, 100000, &betas->count));
  SUMI_TRY(sumi__json_get_bool(r->json, r->root, "rescale_betas_zero_snr", SUMI__JSON_OPTIONAL, &betas->zero_snr));
  SUMI_CHECK(r->ctx, !present(r, "trained_betas"), SUMI_UNSUPPORTED, "%s: `trained_betas` is not supported", r->path);
done:
  return status;
}

/* The scheduler's class and the levels that it stops at, for jobs that name no sampler. A class that is not known here
 * is not an error: another sampler does as well. */
static sumi_status read_sampler(const reader *r, sumi__model *m) {
  static const struct {
    const char *key, *schedule;
  } levels[] = {
      {"use_karras_sigmas", "karras"}, {"use_exponential_sigmas", "exponential"}, {"use_beta_sigmas", "beta"}};
  sumi_status status = SUMI_OK;
  const char *name = NULL, *algorithm = NULL;
  SUMI_TRY(sumi__json_get_string(r->json, r->root, "_class_name", SUMI__JSON_OPTIONAL, &name));
  SUMI_TRY(sumi__json_get_string(r->json, r->root, "algorithm_type", SUMI__JSON_OPTIONAL, &algorithm));
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
    bool chosen = false;
    SUMI_TRY(sumi__json_get_bool(r->json, r->root, levels[i].key, SUMI__JSON_OPTIONAL, &chosen));
    if (chosen) m->schedule.schedule = levels[i].schedule;
  }
  if (name && strcmp(name, "DPMSolverMultistepScheduler") == 0 && algorithm &&
      strcmp(algorithm, "sde-dpmsolver++") == 0)
    name = "DPM++ 2M SDE";
  bool skips_runge_kutta = false;
  SUMI_TRY(sumi__json_get_bool(r->json, r->root, "skip_prk_steps", SUMI__JSON_OPTIONAL, &skips_runge_kutta));
  if (name && strcmp(name, "PNDMScheduler") == 0 && !skips_runge_kutta) name = NULL; /* not the sampler pndm */
  if (name && strlen(name) < sizeof m->sampler) strcpy(m->sampler, name);
done:
  return status;
}

static sumi_status read_schedule(sumi_context *ctx, const char *folder, sumi__model *m) {
  static const char *const betas[] = {"linear", "scaled_linear", "squaredcos_cap_v2", NULL};
  static const sumi_beta_schedule kinds[] = {SUMI_BETAS_LINEAR, SUMI_BETAS_SCALED_LINEAR, SUMI_BETAS_COSINE};
  static const char *const predictions[] = {"epsilon", "v_prediction", "sample", NULL};
  static const char *const spacings[] = {"", "leading", "trailing", "linspace", NULL}; /* in sumi_spacing's order */
  sumi_status status = SUMI_OK;
  sumi_schedule_options *o = &m->schedule;
  reader r;
  int beta, prediction, spacing;
  SUMI_TRY(open_config(&r, ctx, folder, "scheduler/scheduler_config.json"));
  SUMI_TRY(get_choice(&r, "beta_schedule", betas, "linear, scaled_linear, squaredcos_cap_v2", &beta));
  o->betas.schedule = kinds[beta];
  SUMI_TRY(get_choice(&r, "prediction_type", predictions, "epsilon, v_prediction, sample", &prediction));
  m->prediction = (sumi_prediction)(SUMI_PREDICTION_EPS + prediction);
  SUMI_TRY(read_betas(&r, &o->betas));
  SUMI_TRY(get_choice(&r, "timestep_spacing", spacings, "leading, trailing, linspace", &spacing));
  o->spacing = (sumi_spacing)spacing;
  SUMI_TRY(get_int(&r, "steps_offset", 0, 1000, &o->steps_offset));
  const sumi__json_node *to_one = sumi__json_find(r.root, "set_alpha_to_one");
  bool ends_at_zero = false;
  SUMI_TRY(sumi__json_get_bool(r.json, r.root, "set_alpha_to_one", SUMI__JSON_OPTIONAL, &ends_at_zero));
  if (to_one) o->final = ends_at_zero ? SUMI_FINAL_ZERO : SUMI_FINAL_MIN;
  SUMI_TRY(read_sampler(&r, m));
  if (o->steps_offset == 0) o->steps_offset = 1; /* as diffusers' pipelines take it, whatever an old file says */
done:
  sumi__json_free(r.json);
  return status;
}

sumi_status sumi__folder_configs(sumi_context *ctx, const char *folder, bool with_vae, sumi__model *m) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(read_unet(ctx, folder, &m->unet));
  char path[SUMI__MODEL_PATH_MAX];
  snprintf(path, sizeof path, "%s/vae/config.json", folder);
  m->vae = sumi__autoencoder_kl_f8();
  if (with_vae || sumi__file_exists(path)) SUMI_TRY(read_vae(ctx, folder, "vae/config.json", &m->vae));
  SUMI_TRY(read_text(ctx, folder, &m->text));
  SUMI_TRY(read_schedule(ctx, folder, m));
  m->family = m->text.hidden_act == SUMI__CLIP_QUICK_GELU ? SUMI__FAMILY_SD1 : SUMI__FAMILY_SD2;
done:
  return status;
}
