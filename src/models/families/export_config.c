/* Configurations as diffusers and transformers write them: the keys that say something about the network. */
#include "models/families/export.h"

#include "io/json.h"
#include "models/families/files.h"

#include <stdio.h>
#include <string.h>

static void put_i64s(sumi__json_writer *w, const char *key, const int64_t *values, int count) {
  sumi__json_begin_array(w, key);
  for (int i = 0; i < count; i++) sumi__json_put_i64(w, NULL, values[i]);
  sumi__json_end_array(w);
}

/* One name for each level; `attends` NULL: all are plain. */
static void put_blocks(sumi__json_writer *w, const char *key, const char *plain, const char *attending,
                       const bool *attends, int levels, bool backwards) {
  sumi__json_begin_array(w, key);
  for (int i = 0; i < levels; i++) {
    const int level = backwards ? levels - 1 - i : i;
    sumi__json_put_string(w, NULL, attends && attends[level] ? attending : plain);
  }
  sumi__json_end_array(w);
}

static bool all_equal(const int64_t *values, int count) {
  for (int i = 1; i < count; i++)
    if (values[i] != values[0]) return false;
  return true;
}

/* A number where all levels have the same, as most configurations do. */
static void put_levels(sumi__json_writer *w, const char *key, const int64_t *values, int count) {
  if (all_equal(values, count))
    sumi__json_put_i64(w, key, values[0]);
  else
    put_i64s(w, key, values, count);
}

static void put_unet_additions(sumi__json_writer *w, const sumi__unet2d_config *c) {
  if (c->class_embed_type == SUMI__UNET2D_CLASS_TIMESTEP) sumi__json_put_string(w, "class_embed_type", "timestep");
  if (c->class_embed_type == SUMI__UNET2D_CLASS_PROJECTION) sumi__json_put_string(w, "class_embed_type", "projection");
  if (c->num_class_embeds) sumi__json_put_i64(w, "num_class_embeds", c->num_class_embeds);
  if (c->addition_text_time) sumi__json_put_string(w, "addition_embed_type", "text_time");
  if (c->addition_time_embed_dim) sumi__json_put_i64(w, "addition_time_embed_dim", c->addition_time_embed_dim);
  if (c->projection_class_embeddings_input_dim)
    sumi__json_put_i64(w, "projection_class_embeddings_input_dim", c->projection_class_embeddings_input_dim);
  if (c->time_cond_proj_dim) sumi__json_put_i64(w, "time_cond_proj_dim", c->time_cond_proj_dim);
}

static void put_unet(sumi__json_writer *w, const sumi__unet2d_config *c) {
  int64_t depths[SUMI__UNET2D_LEVELS_MAX];
  for (int i = 0; i < c->levels; i++) depths[i] = c->transformer_layers_per_block[i];
  sumi__json_put_string(w, "_class_name", "UNet2DConditionModel");
  sumi__json_put_string(w, "act_fn", "silu");
  put_levels(w, "attention_head_dim", c->num_attention_heads, c->levels);
  put_i64s(w, "block_out_channels", c->block_out_channels, c->levels);
  sumi__json_put_i64(w, "cross_attention_dim", c->cross_attention_dim);
  put_blocks(w, "down_block_types", "DownBlock2D", "CrossAttnDownBlock2D", c->down_attention, c->levels, false);
  sumi__json_put_bool(w, "flip_sin_to_cos", c->flip_sin_to_cos);
  sumi__json_put_f64(w, "freq_shift", c->freq_shift);
  sumi__json_put_i64(w, "in_channels", c->in_channels);
  sumi__json_put_i64(w, "layers_per_block", c->layers_per_block);
  if (c->mid_block)
    sumi__json_put_string(w, "mid_block_type", "UNetMidBlock2DCrossAttn");
  else
    sumi__json_put_null(w, "mid_block_type");
  sumi__json_put_f64(w, "norm_eps", c->norm_eps);
  sumi__json_put_i64(w, "norm_num_groups", c->norm_num_groups);
  sumi__json_put_i64(w, "out_channels", c->out_channels);
  sumi__json_put_i64(w, "sample_size", c->sample_size);
  put_levels(w, "transformer_layers_per_block", depths, c->levels);
  put_blocks(w, "up_block_types", "UpBlock2D", "CrossAttnUpBlock2D", c->up_attention, c->levels, true);
  sumi__json_put_bool(w, "upcast_attention", c->upcast_attention);
  sumi__json_put_bool(w, "use_linear_projection", c->use_linear_projection);
  put_unet_additions(w, c);
}

static void put_vae(sumi__json_writer *w, const sumi__autoencoder_kl_config *c) {
  sumi__json_put_string(w, "_class_name", "AutoencoderKL");
  sumi__json_put_string(w, "act_fn", "silu");
  put_i64s(w, "block_out_channels", c->block_out_channels, c->levels);
  put_blocks(w, "down_block_types", "DownEncoderBlock2D", NULL, NULL, c->levels, false);
  sumi__json_put_bool(w, "force_upcast", c->force_upcast);
  sumi__json_put_i64(w, "in_channels", c->in_channels);
  sumi__json_put_i64(w, "latent_channels", c->latent_channels);
  sumi__json_put_i64(w, "layers_per_block", c->layers_per_block);
  sumi__json_put_bool(w, "mid_block_add_attention", c->mid_block_add_attention);
  sumi__json_put_i64(w, "norm_num_groups", c->norm_num_groups);
  sumi__json_put_i64(w, "out_channels", c->out_channels);
  sumi__json_put_i64(w, "sample_size", c->sample_size);
  sumi__json_put_f64(w, "scaling_factor", c->scaling_factor);
  if (c->shift_factor != 0) sumi__json_put_f64(w, "shift_factor", c->shift_factor);
  put_blocks(w, "up_block_types", "UpDecoderBlock2D", NULL, NULL, c->levels, false);
  sumi__json_put_bool(w, "use_post_quant_conv", c->use_post_quant_conv);
  sumi__json_put_bool(w, "use_quant_conv", c->use_quant_conv);
}

static void put_text(sumi__json_writer *w, const sumi__clip_text_config *c) {
  sumi__json_begin_array(w, "architectures");
  sumi__json_put_string(w, NULL, "CLIPTextModel");
  sumi__json_end_array(w);
  sumi__json_put_i64(w, "bos_token_id", c->bos_token_id);
  sumi__json_put_i64(w, "eos_token_id", c->eos_token_id);
  sumi__json_put_string(w, "hidden_act", sumi__clip_act_name(c->hidden_act));
  sumi__json_put_i64(w, "hidden_size", c->hidden_size);
  sumi__json_put_i64(w, "intermediate_size", c->intermediate_size);
  sumi__json_put_f64(w, "layer_norm_eps", c->layer_norm_eps);
  sumi__json_put_i64(w, "max_position_embeddings", c->max_position_embeddings);
  sumi__json_put_string(w, "model_type", "clip_text_model");
  sumi__json_put_i64(w, "num_attention_heads", c->num_attention_heads);
  sumi__json_put_i64(w, "num_hidden_layers", c->num_hidden_layers);
  sumi__json_put_i64(w, "pad_token_id", c->pad_token_id);
  if (c->projection_dim) sumi__json_put_i64(w, "projection_dim", c->projection_dim);
  sumi__json_put_i64(w, "vocab_size", c->vocab_size);
}

sumi_status sumi__export_config(const sumi__model *m, sumi__part part, const char *path) {
  sumi__json_writer w;
  sumi__json_writer_init(&w, m->ctx, 2);
  sumi__json_begin_object(&w, NULL);
  if (part == SUMI__PART_UNET) put_unet(&w, &m->unet);
  if (part == SUMI__PART_VAE) put_vae(&w, &m->vae);
  if (part == SUMI__PART_TEXT) put_text(&w, &m->text);
  sumi__json_end_object(&w);
  return sumi__json_writer_save(&w, path);
}

/* ---- The schedule: the model's own class, or PNDM as SD 1.x has it; DDIM where v is predicted, as SD 2.x has it ----
 */

static const char *scheduler_of(const sumi__model *m) {
  if (strstr(m->sampler, "Scheduler")) return m->sampler; /* a class of diffusers: the model's own */
  return m->prediction == SUMI_PREDICTION_EPS ? "PNDMScheduler" : "DDIMScheduler";
}

sumi_status sumi__export_scheduler(const sumi__model *m, const char *path) {
  static const char *const betas[] = {"scaled_linear", "linear", "squaredcos_cap_v2"}; /* in the enum's order */
  static const char *const predictions[] = {"", "epsilon", "v_prediction", "sample"};
  static const char *const spacings[] = {"", "leading", "trailing", "linspace"};
  const sumi_schedule_options *o = &m->schedule;
  sumi__json_writer w;
  sumi__json_writer_init(&w, m->ctx, 2);
  sumi__json_begin_object(&w, NULL);
  sumi__json_put_string(&w, "_class_name", scheduler_of(m));
  sumi__json_put_f64(&w, "beta_end", o->betas.end != 0 ? o->betas.end : 0.012);
  sumi__json_put_string(&w, "beta_schedule", betas[o->betas.schedule]);
  sumi__json_put_f64(&w, "beta_start", o->betas.start != 0 ? o->betas.start : 0.00085);
  if (strncmp(scheduler_of(m), "DD", 2) == 0) sumi__json_put_bool(&w, "clip_sample", false); /* DDIM, DDPM */
  if (m->prediction != SUMI_PREDICTION_EPS) sumi__json_put_bool(&w, "rescale_betas_zero_snr", o->betas.zero_snr);
  sumi__json_put_i64(&w, "num_train_timesteps", o->betas.count ? o->betas.count : 1000);
  sumi__json_put_string(&w, "prediction_type", predictions[m->prediction]);
  sumi__json_put_bool(&w, "set_alpha_to_one", false);
  if (strcmp(scheduler_of(m), "PNDMScheduler") == 0) sumi__json_put_bool(&w, "skip_prk_steps", true);
  sumi__json_put_i64(&w, "steps_offset", o->steps_offset < 0 ? 0 : o->steps_offset ? o->steps_offset : 1);
  if (o->spacing != SUMI_SPACING_DEFAULT) sumi__json_put_string(&w, "timestep_spacing", spacings[o->spacing]);
  if (o->schedule) {
    char key[64];
    snprintf(key, sizeof key, "use_%s_sigmas", o->schedule);
    sumi__json_put_bool(&w, key, true);
  }
  sumi__json_end_object(&w);
  return sumi__json_writer_save(&w, path);
}

/* ---- The whole ---- */

static void put_class(sumi__json_writer *w, const char *key, const char *library, const char *name) {
  sumi__json_begin_array(w, key);
  if (library) {
    sumi__json_put_string(w, NULL, library);
    sumi__json_put_string(w, NULL, name);
  } else {
    sumi__json_put_null(w, NULL);
    sumi__json_put_null(w, NULL);
  }
  sumi__json_end_array(w);
}

static const char *pipeline_of(int64_t in_channels) {
  switch (in_channels) {
  case 5: return "StableDiffusionDepth2ImgPipeline";
  case 8: return "StableDiffusionInstructPix2PixPipeline";
  case 9: return "StableDiffusionInpaintPipeline";
  default: return "StableDiffusionPipeline";
  }
}

sumi_status sumi__export_index(const sumi__export *e, const char *folder) {
  const sumi__model *m = e->model;
  char path[SUMI__MODEL_PATH_MAX];
  const int n = snprintf(path, sizeof path, "%s/model_index.json", folder);
  if (n < 0 || (size_t)n >= sizeof path)
    return sumi__fail(m->ctx, SUMI_INVALID, "the folder's path is longer than %d characters", (int)sizeof path);
  sumi__json_writer w;
  sumi__json_writer_init(&w, m->ctx, 2);
  sumi__json_begin_object(&w, NULL);
  sumi__json_put_string(&w, "_class_name", pipeline_of(m->unet.in_channels));
  put_class(&w, "feature_extractor", NULL, NULL);
  sumi__json_put_bool(&w, "requires_safety_checker", false);
  put_class(&w, "safety_checker", NULL, NULL);
  put_class(&w, "scheduler", "diffusers", scheduler_of(m));
  put_class(&w, "text_encoder", "transformers", "CLIPTextModel");
  put_class(&w, "tokenizer", "transformers", "CLIPTokenizer");
  put_class(&w, "unet", "diffusers", "UNet2DConditionModel");
  put_class(&w, "vae", "diffusers", "AutoencoderKL");
  sumi__json_end_object(&w);
  return sumi__json_writer_save(&w, path);
}
