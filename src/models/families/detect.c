#include "models/families/detect.h"

#include <string.h>

typedef struct marker {
  const char *tensor, *kind;
} marker;

/* The first that is there says what the file is; so what is part of another comes after it. */
static const marker markers[] = {
    {"conditioner.embedders.1.model.ln_final.weight", "a Stable Diffusion XL checkpoint"},
    {"conditioner.embedders.0.model.ln_final.weight", "a Stable Diffusion XL refiner"},
    {"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "a Stable Diffusion 3 checkpoint"},
    {"joint_blocks.0.x_block.attn.qkv.weight", "the transformer of Stable Diffusion 3 alone"},
    {"model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "a FLUX checkpoint"},
    {"double_blocks.0.img_attn.qkv.weight", "the transformer of FLUX alone"},
    {"control_model.input_blocks.0.0.weight", "a ControlNet"},
    {"controlnet_cond_embedding.conv_in.weight", "a ControlNet"},
    {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", "a LoRA"},
    {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "a LoRA"},
    {"lora_unet_middle_block_1_proj_in.lora_down.weight", "a LoRA"},
    {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", "a LoRA"},
    {"lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", "a LoRA"},
    {"emb_params", "a textual inversion"},
    {"clip_g", "a textual inversion of Stable Diffusion XL"},
    {"down_blocks.0.resnets.0.conv1.weight", "a U-Net alone, in diffusers' layout"},
    {"input_blocks.0.0.weight", "a U-Net alone, in the CompVis layout"},
    {"encoder.down_blocks.0.resnets.0.conv1.weight", "an autoencoder alone, in diffusers' layout"},
    {"encoder.down.0.block.0.conv1.weight", "an autoencoder alone, in the CompVis layout"},
    {"text_model.embeddings.token_embedding.weight", "a text encoder alone, in transformers' layout"},
    {"embeddings.token_embedding.weight", "a text encoder alone, in transformers' layout"},
};

const char *sumi__foreign_kind(const sumi__tensor_source *file) {
  sumi__tensor_view view;
  for (size_t i = 0; i < sizeof markers / sizeof *markers; i++)
    if (file->find(file, markers[i].tensor, &view)) return markers[i].kind;
  return NULL;
}

/* A '*' at the end stands for any rest, at the beginning for any start. */
static const char *const leftovers[] = {
    "model_ema.*",               /* averages of the U-Net's weights */
    "*.embeddings.position_ids", /* 0 to 76 */
    "embeddings.position_ids",
    "betas",
    "alphas_cumprod*",
    "sqrt_*",
    "log_one_minus_*",
    "posterior_*",
    "lvlb_weights",
    "logvar", /* schedules */
    "model.betas",
    "model.alphas_cumprod*",
    "global_step",
    "epoch",
    "v_pred",
    "ztsnr",                    /* what a checkpoint says of itself */
    "first_stage_model.loss.*", /* the discriminator of the autoencoder's training */
    "first_stage_model.model_ema.*",
    "cond_stage_model.logit_scale",
    "*model.logit_scale",
    "*text_projection*", /* of CLIP's contrast with pictures */
    "cond_stage_model.model.attn_mask",
    "cond_stage_model.model.transformer.resblocks.23.*", /* OpenCLIP's last layer, which SD 2.x does not use */
};

bool sumi__is_known_leftover(const char *name) {
  for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
    const char *p = leftovers[i];
    const size_t n = strlen(p), m = strlen(name);
    const bool open_begin = p[0] == '*', open_end = p[n - 1] == '*';
    if (open_begin && open_end) {
      char inner[64];
      memcpy(inner, p + 1, n - 2);
      inner[n - 2] = '\0';
      if (strstr(name, inner)) return true;
    } else if (open_begin ? m >= n - 1 && strcmp(name + m - (n - 1), p + 1) == 0
               : open_end ? strncmp(name, p, n - 1) == 0
                          : strcmp(name, p) == 0) {
      return true;
    }
  }
  return false;
}
