/* Rules are pairs of patterns. In `ours` a '#' stands for a number and '*' at the end for the rest of the name, which
 * is translated by the list of parts; in `theirs` A and B stand for the numbers that the rule computes from them. */
#include "models/families/compvis_names.h"

#include <stdio.h>
#include <string.h>

typedef struct part {
  const char *ours, *theirs;
} part;

static const part resnet_parts[] = {{"norm1", "in_layers.0"},
                                    {"conv1", "in_layers.2"},
                                    {"time_emb_proj", "emb_layers.1"},
                                    {"norm2", "out_layers.0"},
                                    {"conv2", "out_layers.3"},
                                    {"conv_shortcut", "skip_connection"},
                                    {NULL, NULL}};
static const part vae_resnet_parts[] = {{"conv_shortcut", "nin_shortcut"}, {NULL, NULL}};
static const part vae_attention_parts[] = {{"group_norm", "norm"},   {"to_q", "q"}, {"to_k", "k"}, {"to_v", "v"},
                                           {"to_out.0", "proj_out"}, {NULL, NULL}};
static const part same_parts[] = {{NULL, NULL}};

/* Numbers of a name, in their order, and what they become. */
typedef struct numbers {
  int64_t ours[2], theirs[2];
} numbers;

typedef struct rule {
  const char *ours, *theirs;
  const part *parts;
  void (*compute)(const void *config, numbers *n); /* NULL: they stay as they are */
} rule;

/* The rest of the name behind the pattern, or NULL if it does not fit. */
static const char *fit(const char *pattern, const char *name, numbers *n) {
  int found = 0;
  for (; *pattern; pattern++) {
    if (*pattern == '#') {
      int64_t value = 0;
      int digits = 0;
      while (*name >= '0' && *name <= '9' && digits++ < 6) value = value * 10 + (*name++ - '0');
      if (!digits || found == 2) return NULL;
      n->ours[found] = n->theirs[found] = value;
      found++;
    } else if (*pattern == '*') {
      return name;
    } else if (*name++ != *pattern) {
      return NULL;
    }
  }
  return *name ? NULL : name;
}

/* "norm1.weight" -> "in_layers.0.weight" */
static bool translate(const part *parts, const char *rest, char *out, size_t room) {
  for (; parts->ours; parts++) {
    const size_t length = strlen(parts->ours);
    if (strncmp(rest, parts->ours, length) == 0 && rest[length] == '.')
      return (size_t)snprintf(out, room, "%s%s", parts->theirs, rest + length) < room;
  }
  return (size_t)snprintf(out, room, "%s", rest) < room;
}

static bool apply(const rule *rules, const void *config, const char *name, char *out, size_t room) {
  for (; rules->ours; rules++) {
    numbers n = {{0}, {0}};
    char rest[SUMI__COMPVIS_NAME_MAX];
    const char *tail = fit(rules->ours, name, &n);
    if (!tail) continue;
    if (rules->compute) rules->compute(config, &n);
    size_t at = 0;
    for (const char *p = rules->theirs; *p && at + 24 < room; p++) {
      if (*p == 'A' || *p == 'B')
        at += (size_t)snprintf(out + at, room - at, "%lld", (long long)n.theirs[*p - 'A']);
      else if (*p != '*')
        out[at++] = *p;
    }
    out[at] = '\0';
    if (!translate(rules->parts, tail, rest, sizeof rest)) return false;
    return (size_t)snprintf(out + at, room - at, "%s", rest) < room - at;
  }
  return false;
}

static bool ends_with(const char *name, const char *end) {
  const size_t n = strlen(name), m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

/* ---- The U-Net: blocks are numbered through, with what changes the size as a block of its own on the way down ---- */

static void down(const void *config, numbers *n) {
  const sumi__unet2d_config *c = config;
  n->theirs[0] = 1 + n->ours[0] * (c->layers_per_block + 1) + n->ours[1];
}

static void downsampler(const void *config, numbers *n) {
  const sumi__unet2d_config *c = config;
  n->theirs[0] = (n->ours[0] + 1) * (c->layers_per_block + 1);
}

static void middle(const void *config, numbers *n) {
  (void)config;
  n->theirs[0] = 2 * n->ours[0];
}

static void up(const void *config, numbers *n) {
  const sumi__unet2d_config *c = config;
  n->theirs[0] = n->ours[0] * (c->layers_per_block + 1) + n->ours[1];
}

/* It comes behind the last layer of its level, and behind its attention where there is one. */
static void upsampler(const void *config, numbers *n) {
  const sumi__unet2d_config *c = config;
  const int64_t level = c->levels - 1 - n->ours[0];
  n->theirs[0] = n->ours[0] * (c->layers_per_block + 1) + c->layers_per_block;
  n->theirs[1] = level >= 0 && level < c->levels && c->up_attention[level] ? 2 : 1;
}

static const rule unet_rules[] = {
    {"conv_in.*", "input_blocks.0.0.*", same_parts, NULL},
    {"time_embedding.linear_1.*", "time_embed.0.*", same_parts, NULL},
    {"time_embedding.linear_2.*", "time_embed.2.*", same_parts, NULL},
    {"add_embedding.linear_1.*", "label_emb.0.0.*", same_parts, NULL},
    {"add_embedding.linear_2.*", "label_emb.0.2.*", same_parts, NULL},
    {"class_embedding.linear_1.*", "label_emb.0.0.*", same_parts, NULL},
    {"class_embedding.linear_2.*", "label_emb.0.2.*", same_parts, NULL},
    {"down_blocks.#.resnets.#.*", "input_blocks.A.0.*", resnet_parts, down},
    {"down_blocks.#.attentions.#.*", "input_blocks.A.1.*", same_parts, down},
    {"down_blocks.#.downsamplers.0.conv.*", "input_blocks.A.0.op.*", same_parts, downsampler},
    {"mid_block.resnets.#.*", "middle_block.A.*", resnet_parts, middle},
    {"mid_block.attentions.0.*", "middle_block.1.*", same_parts, NULL},
    {"up_blocks.#.resnets.#.*", "output_blocks.A.0.*", resnet_parts, up},
    {"up_blocks.#.attentions.#.*", "output_blocks.A.1.*", same_parts, up},
    {"up_blocks.#.upsamplers.0.conv.*", "output_blocks.A.B.conv.*", same_parts, upsampler},
    {"conv_norm_out.*", "out.0.*", same_parts, NULL},
    {"conv_out.*", "out.2.*", same_parts, NULL},
    {NULL, NULL, NULL, NULL},
};

bool sumi__compvis_unet(const sumi__unet2d_config *config, const char *ours, sumi__compvis_place *out) {
  *out = (sumi__compvis_place){.parts = 1};
  return apply(unet_rules, config, ours, out->name, sizeof out->name);
}

/* ---- The autoencoder: the decoder's levels are numbered from the picture's end ---- */

static void from_the_end(const void *config, numbers *n) {
  const sumi__autoencoder_kl_config *c = config;
  n->theirs[0] = c->levels - 1 - n->ours[0];
}

static void from_one(const void *config, numbers *n) {
  (void)config;
  n->theirs[0] = n->ours[0] + 1;
}

static const rule vae_rules[] = {
    {"encoder.down_blocks.#.resnets.#.*", "encoder.down.A.block.B.*", vae_resnet_parts, NULL},
    {"encoder.down_blocks.#.downsamplers.0.conv.*", "encoder.down.A.downsample.conv.*", same_parts, NULL},
    {"encoder.mid_block.resnets.#.*", "encoder.mid.block_A.*", vae_resnet_parts, from_one},
    {"encoder.mid_block.attentions.0.*", "encoder.mid.attn_1.*", vae_attention_parts, NULL},
    {"encoder.conv_norm_out.*", "encoder.norm_out.*", same_parts, NULL},
    {"decoder.up_blocks.#.resnets.#.*", "decoder.up.A.block.B.*", vae_resnet_parts, from_the_end},
    {"decoder.up_blocks.#.upsamplers.0.conv.*", "decoder.up.A.upsample.conv.*", same_parts, from_the_end},
    {"decoder.mid_block.resnets.#.*", "decoder.mid.block_A.*", vae_resnet_parts, from_one},
    {"decoder.mid_block.attentions.0.*", "decoder.mid.attn_1.*", vae_attention_parts, NULL},
    {"decoder.conv_norm_out.*", "decoder.norm_out.*", same_parts, NULL},
    {"*", "*", same_parts, NULL}, /* conv_in, conv_out, quant_conv, post_quant_conv */
    {NULL, NULL, NULL, NULL},
};

bool sumi__compvis_vae(const sumi__autoencoder_kl_config *config, const char *ours, sumi__compvis_place *out) {
  *out = (sumi__compvis_place){.parts = 1};
  if (!apply(vae_rules, config, ours, out->name, sizeof out->name)) return false;
  out->squeeze = strstr(out->name, ".mid.attn_1.") && !strstr(out->name, ".norm.") && ends_with(out->name, ".weight");
  return true;
}

/* ---- OpenCLIP: queries, keys and values are one tensor, and some parameters have no ".weight" ---- */

static const part openclip_parts[] = {{"layer_norm1", "ln_1"},
                                      {"layer_norm2", "ln_2"},
                                      {"mlp.fc1", "mlp.c_fc"},
                                      {"mlp.fc2", "mlp.c_proj"},
                                      {"self_attn.out_proj", "attn.out_proj"},
                                      {NULL, NULL}};

static const rule openclip_rules[] = {
    {"text_model.embeddings.token_embedding.*", "token_embedding.*", same_parts, NULL},
    {"text_model.embeddings.position_embedding.weight", "positional_embedding", same_parts, NULL},
    {"text_model.final_layer_norm.*", "ln_final.*", same_parts, NULL},
    {"text_model.encoder.layers.#.self_attn.q_proj.*", "transformer.resblocks.A.attn.in_proj_*", same_parts, NULL},
    {"text_model.encoder.layers.#.self_attn.k_proj.*", "transformer.resblocks.A.attn.in_proj_*", same_parts, NULL},
    {"text_model.encoder.layers.#.self_attn.v_proj.*", "transformer.resblocks.A.attn.in_proj_*", same_parts, NULL},
    {"text_model.encoder.layers.#.*", "transformer.resblocks.A.*", openclip_parts, NULL},
    {NULL, NULL, NULL, NULL},
};

bool sumi__compvis_openclip(const char *ours, sumi__compvis_place *out) {
  *out = (sumi__compvis_place){.parts = 1};
  if (!apply(openclip_rules, NULL, ours, out->name, sizeof out->name)) return false;
  static const char *const thirds[] = {".q_proj.", ".k_proj.", ".v_proj."};
  for (int i = 0; i < 3; i++)
    if (strstr(ours, thirds[i])) {
      out->part = i;
      out->parts = 3;
    }
  return true;
}
