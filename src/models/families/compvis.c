/* One file in the CompVis layout: its networks' configurations, read off the shapes of its tensors, and its tensors
 * under our names. */
#include "models/families/compvis_names.h"
#include "models/families/detect.h"
#include "models/families/files.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char unet_prefix[] = "model.diffusion_model.", vae_prefix[] = "first_stage_model.",
                  clip_prefix[] = "cond_stage_model.transformer.", openclip_prefix[] = "cond_stage_model.model.";

/* ---- Tensors under our names ---- */

static const sumi__renamed_source *self(const sumi__tensor_source *source) {
  return (const sumi__renamed_source *)(const void *)source;
}

/* Narrows a view to what the place says of it; false if it cannot be so. */
static bool narrow(const sumi__compvis_place *place, sumi__tensor_view *v) {
  if (place->squeeze && v->shape.rank == 4 && v->shape.dims[2] == 1 && v->shape.dims[3] == 1) v->shape.rank = 2;
  if (place->parts == 1) return true;
  if (v->shape.rank < 1 || v->shape.dims[0] % place->parts != 0) return false;
  v->shape.dims[0] /= place->parts;
  const size_t bytes = (size_t)sumi_shape_count(&v->shape) * sumi_dtype_bytes(v->dtype);
  v->data = (const char *)v->data + (size_t)place->part * bytes;
  return true;
}

/* Puts the network's prefix before the place's name. */
static bool with_prefix(const char *prefix, sumi__compvis_place *place) {
  char name[SUMI__COMPVIS_NAME_MAX];
  memcpy(name, place->name, sizeof name);
  return (size_t)snprintf(place->name, sizeof place->name, "%s%s", prefix, name) < sizeof place->name;
}

bool sumi__compvis_place_of(const sumi__model *m, sumi__part part, const char *ours, sumi__compvis_place *out) {
  if (part == SUMI__PART_UNET) return sumi__compvis_unet(&m->unet, ours, out) && with_prefix(unet_prefix, out);
  if (part == SUMI__PART_VAE) return sumi__compvis_vae(&m->vae, ours, out) && with_prefix(vae_prefix, out);
  if (m->family == SUMI__FAMILY_SD2) return sumi__compvis_openclip(ours, out) && with_prefix(openclip_prefix, out);
  *out = (sumi__compvis_place){.parts = 1};
  return (size_t)snprintf(out->name, sizeof out->name, "%s%s", clip_prefix, ours) < sizeof out->name;
}

static bool find_part(const sumi__tensor_source *source, sumi__part part, const char *name, sumi__tensor_view *out) {
  sumi__compvis_place place;
  const sumi__renamed_source *r = self(source);
  return sumi__compvis_place_of(r->model, part, name, &place) && r->of->find(r->of, place.name, out) &&
         narrow(&place, out);
}

static bool find_unet(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  return find_part(source, SUMI__PART_UNET, name, out);
}

static bool find_vae(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  return find_part(source, SUMI__PART_VAE, name, out);
}

/* The oldest files are without "text_model.". */
static bool find_text(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  static const char inner[] = "text_model.";
  if (find_part(source, SUMI__PART_TEXT, name, out)) return true;
  return strncmp(name, inner, sizeof inner - 1) == 0 &&
         find_part(source, SUMI__PART_TEXT, name + sizeof inner - 1, out);
}

static void rename_source(sumi__renamed_source *r, const sumi__model *m, const sumi__tensor_source *file,
                          bool (*find)(const sumi__tensor_source *, const char *, sumi__tensor_view *)) {
  *r = (sumi__renamed_source){.source = {file->path, find}, .of = file, .model = m};
}

/* The autoencoder of another file. */
static bool find_lone_vae(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  sumi__compvis_place place;
  const sumi__renamed_source *r = self(source);
  return sumi__compvis_vae(&r->model->vae, name, &place) && with_prefix(r->prefix, &place) &&
         r->of->find(r->of, place.name, out) && narrow(&place, out);
}

void sumi__compvis_vae_source(const sumi__tensor_source *file, const char *prefix, sumi__model *m) {
  rename_source(&m->files->vae, m, file, find_lone_vae);
  m->files->vae.prefix = prefix;
}

void sumi__compvis_sources(const sumi__tensor_source *file, sumi__model *m) {
  rename_source(&m->files->unet, m, file, find_unet);
  rename_source(&m->files->vae, m, file, find_vae);
  rename_source(&m->files->text, m, file, find_text);
}

/* ---- Configurations ---- */

static bool shape_of(const sumi__tensor_source *file, sumi_shape *out, const char *format, ...) SUMI__PRINTF(3, 4);
static bool shape_of(const sumi__tensor_source *file, sumi_shape *out, const char *format, ...) {
  char name[SUMI__COMPVIS_NAME_MAX];
  sumi__tensor_view view;
  va_list args;
  va_start(args, format);
  vsnprintf(name, sizeof name, format, args);
  va_end(args);
  if (!file->find(file, name, &view)) return false;
  *out = view.shape;
  return true;
}

/* Walks the blocks on the way down: res blocks, with a transformer or without, and what halves the size. */
static bool infer_down(const sumi__tensor_source *file, sumi__unet2d_config *c) {
  sumi_shape s;
  int layers = 0;
  c->levels = 0;
  for (int at = 1; c->levels < SUMI__UNET2D_LEVELS_MAX && at < 1000; at++) {
    if (shape_of(file, &s, "%sinput_blocks.%d.0.in_layers.2.weight", unet_prefix, at)) {
      const bool attends = shape_of(file, &(sumi_shape){0}, "%sinput_blocks.%d.1.norm.weight", unet_prefix, at);
      c->block_out_channels[c->levels] = s.dims[0];
      c->down_attention[c->levels] = c->up_attention[c->levels] = attends;
      layers++;
      continue;
    }
    const bool halves = shape_of(file, &s, "%sinput_blocks.%d.0.op.weight", unet_prefix, at);
    if (c->levels == 0) c->layers_per_block = layers;
    if (layers != c->layers_per_block || layers == 0) return false;
    c->levels++;
    layers = 0;
    if (!halves) return true;
  }
  return false;
}

static int depth_of(const sumi__tensor_source *file, const char *block) {
  int depth = 0;
  while (depth < SUMI__UNET2D_LAYERS_MAX &&
         shape_of(file, &(sumi_shape){0}, "%s%s.transformer_blocks.%d.norm1.weight", unet_prefix, block, depth))
    depth++;
  return depth;
}

static void infer_transformers(const sumi__tensor_source *file, sumi__unet2d_config *c) {
  char block[64];
  sumi_shape s;
  c->mid_block = shape_of(file, &s, "%smiddle_block.0.in_layers.2.weight", unet_prefix);
  for (int level = 0; level < c->levels; level++) {
    snprintf(block, sizeof block, "input_blocks.%d.1", 1 + level * (c->layers_per_block + 1));
    c->transformer_layers_per_block[level] = depth_of(file, c->down_attention[level] ? block : "middle_block.1");
    if (shape_of(file, &s, "%s%s.transformer_blocks.0.attn2.to_k.weight", unet_prefix, block) && s.rank == 2)
      c->cross_attention_dim = s.dims[1];
    if (shape_of(file, &s, "%s%s.proj_in.weight", unet_prefix, block)) c->use_linear_projection = s.rank == 2;
  }
}

static sumi_status infer_unet(sumi_context *ctx, const sumi__tensor_source *file, sumi_family family, sumi__model *m) {
  sumi_shape in, out;
  sumi__unet2d_config *c = &m->unet;
  *c = sumi__unet2d_sd1();
  const char *kind = sumi__foreign_kind(file);
  if (kind) return sumi__fail(ctx, SUMI_UNSUPPORTED, "%s: this is %s, which is not supported here", file->path, kind);
  if (!shape_of(file, &in, "%sinput_blocks.0.0.weight", unet_prefix) ||
      !shape_of(file, &out, "%sout.2.weight", unet_prefix) || in.rank != 4 || out.rank != 4 || !infer_down(file, c))
    return sumi__fail(ctx, SUMI_MISMATCH,
                      "%s: its tensors are not those of a Stable Diffusion checkpoint in one file (expected %s*)",
                      file->path, unet_prefix);
  c->in_channels = in.dims[1];
  c->out_channels = out.dims[0];
  infer_transformers(file, c);
  m->family = shape_of(file, &in, "%sln_final.weight", openclip_prefix) ? SUMI__FAMILY_SD2 : SUMI__FAMILY_SD1;
  if (family != SUMI_FAMILY_AUTO) m->family = family == SUMI_FAMILY_SD2 ? SUMI__FAMILY_SD2 : SUMI__FAMILY_SD1;
  c->upcast_attention = m->family == SUMI__FAMILY_SD2;
  for (int i = 0; i < c->levels && m->family == SUMI__FAMILY_SD2; i++)
    c->num_attention_heads[i] = sumi__max_i64(1, c->block_out_channels[i] / 64);
  return SUMI_OK;
}

static void infer_vae(const sumi__tensor_source *file, sumi__autoencoder_kl_config *c) {
  sumi_shape s;
  *c = sumi__autoencoder_kl_f8();
  for (c->levels = 0; c->levels < SUMI__VAE_LEVELS_MAX; c->levels++) {
    if (!shape_of(file, &s, "%sencoder.down.%d.block.0.conv1.weight", vae_prefix, c->levels)) break;
    c->block_out_channels[c->levels] = s.dims[0];
  }
  c->layers_per_block = 0;
  while (c->layers_per_block < 32 &&
         shape_of(file, &s, "%sencoder.down.0.block.%d.conv1.weight", vae_prefix, c->layers_per_block))
    c->layers_per_block++;
  if (shape_of(file, &s, "%sdecoder.conv_in.weight", vae_prefix) && s.rank == 4) c->latent_channels = s.dims[1];
  if (shape_of(file, &s, "%sencoder.conv_in.weight", vae_prefix) && s.rank == 4) c->in_channels = s.dims[1];
  if (shape_of(file, &s, "%sdecoder.conv_out.weight", vae_prefix) && s.rank == 4) c->out_channels = s.dims[0];
}

static void infer_text(const sumi__tensor_source *file, sumi__model *m) {
  sumi_shape s;
  if (m->family == SUMI__FAMILY_SD1) {
    m->text = sumi__clip_text_vit_l();
    return;
  }
  m->text = sumi__clip_text_vit_h(); /* without the last layer, which SD 2.x does not use */
  if (shape_of(file, &s, "%stoken_embedding.weight", openclip_prefix) && s.rank == 2) m->text.vocab_size = s.dims[0];
}

/* SD 2.x does not say what it predicts. diffusers' rule: the base model, which ended its training at step 875000, and
 * those with more input channels predict the noise. Files of the community mark v with an empty tensor. */
static sumi_prediction infer_prediction(const sumi__tensor_source *file, const sumi__model *m) {
  sumi__tensor_view view;
  if (file->find(file, "v_pred", &view)) return SUMI_PREDICTION_V;
  if (m->family == SUMI__FAMILY_SD1 || m->unet.in_channels != 4) return SUMI_PREDICTION_EPS;
  if (!file->find(file, "global_step", &view) || view.shape.rank != 0 || view.dtype != SUMI_I64)
    return SUMI_PREDICTION_V;
  int64_t step;
  memcpy(&step, view.data, sizeof step);
  return step == 875000 ? SUMI_PREDICTION_EPS : SUMI_PREDICTION_V;
}

sumi_status sumi__compvis_configs(sumi_context *ctx, const sumi__tensor_source *file, sumi_family family,
                                  sumi__model *m) {
  sumi_status status = SUMI_OK;
  sumi__tensor_view view;
  SUMI_TRY(infer_unet(ctx, file, family, m));
  infer_vae(file, &m->vae);
  infer_text(file, m);
  m->prediction = infer_prediction(file, m);
  if (m->family == SUMI__FAMILY_SD2 && m->prediction == SUMI_PREDICTION_V) { /* trained on 768 x 768 */
    m->unet.sample_size = 96;
    m->vae.sample_size = 768;
  }
  m->schedule.betas.zero_snr = file->find(file, "ztsnr", &view);
done:
  return status;
}
