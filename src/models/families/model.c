#include "models/families/family.h"

#include "io/file.h"
#include "models/families/files.h"

#include <stdio.h>
#include <string.h>

const char *sumi__family_title(sumi__family family) {
  return family == SUMI__FAMILY_SD1 ? "Stable Diffusion 1.x" : "Stable Diffusion 2.x";
}

/* FOLDER/tokenizer, if it has a vocabulary. */
static sumi_status find_tokenizer(sumi__model *m, const char *folder) {
  char path[SUMI__MODEL_PATH_MAX];
  const int n = snprintf(path, sizeof path, "%s/tokenizer/vocab.json", folder);
  if (n < 0 || (size_t)n >= sizeof path || !sumi__file_exists(path)) return SUMI_OK;
  *strrchr(path, '/') = '\0';
  m->tokenizer_folder = sumi__strdup(m->ctx, path);
  return m->tokenizer_folder ? SUMI_OK : SUMI_NO_MEMORY;
}

static bool has(const char *folder, const char *name) {
  char path[SUMI__MODEL_PATH_MAX];
  const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
  return n > 0 && (size_t)n < sizeof path && sumi__file_exists(path);
}

static sumi_status open_folder(sumi__model *m, const sumi__model_options *options) {
  sumi_status status = SUMI_OK;
  m->layout = "diffusers";
  SUMI_CHECK(m->ctx, has(m->path, "model_index.json") || has(m->path, "unet"), SUMI_NOT_FOUND,
             "%s: not a checkpoint's folder as diffusers has it: there is no model_index.json in it, nor a folder unet",
             m->path);
  SUMI_TRY(sumi__folder_configs(m->ctx, m->path, !options->vae, m));
  SUMI_TRY(sumi__folder_open(m->ctx, m->path, !options->vae, m));
  if (options->family != SUMI_FAMILY_AUTO)
    m->family = options->family == SUMI_FAMILY_SD2 ? SUMI__FAMILY_SD2 : SUMI__FAMILY_SD1;
  SUMI_TRY(find_tokenizer(m, m->path));
done:
  return status;
}

static sumi_status open_file(sumi__model *m, const sumi__model_options *options) {
  sumi_status status = SUMI_OK;
  m->layout = "CompVis";
  SUMI_TRY(sumi__checkpoint_open(m->ctx, m->path, &m->files->files[0]));
  const sumi__tensor_source *file = sumi__checkpoint_source(m->files->files[0]);
  SUMI_TRY(sumi__compvis_configs(m->ctx, file, options->family, m));
  if (options->config_folder) {
    const sumi__family family = m->family; /* by the names of its text encoder's tensors */
    SUMI_TRY(sumi__folder_configs(m->ctx, options->config_folder, !options->vae, m));
    SUMI_TRY(find_tokenizer(m, options->config_folder));
    m->family = family;
  }
  sumi__compvis_sources(file, m);
done:
  return status;
}

/* Where a network's configuration is from: a config.json, or the file whose shapes told it. */
static void name_config(const sumi__model *m, const sumi__model_options *options, sumi__part part, char *out,
                        size_t room) {
  const bool is_folder = strcmp(m->layout, "diffusers") == 0;
  const char *folder = is_folder ? m->path : options->config_folder;
  if (part == SUMI__PART_VAE && options->vae)
    snprintf(out, room, "%s", options->vae);
  else if (folder)
    snprintf(out, room, "%s/%s/config.json", folder, sumi__part_folder(part));
  else
    snprintf(out, room, "%s: the shapes of its tensors: %s", m->path, sumi__part_folder(part));
}

/* What the networks could compute, but nobody makes pictures with: pixels are red, green and blue in all that follows,
 * and what no checkpoint has would only make memory large. */
static sumi_status check_limits(const sumi__model *m, const sumi__model_options *options) {
  enum { MOST_LATENT_CHANNELS = 64, MOST_SIDE = 16384 };
  const int64_t most_inputs = 2 * m->vae.latent_channels + 1, factor = sumi__autoencoder_kl_factor(&m->vae);
  const struct {
    sumi__part part;
    const char *member;
    int64_t value, low, high;
  } limits[] = {
      {SUMI__PART_VAE, "in_channels", m->vae.in_channels, 3, 3},
      {SUMI__PART_VAE, "out_channels", m->vae.out_channels, 3, 3},
      {SUMI__PART_VAE, "latent_channels", m->vae.latent_channels, 1, MOST_LATENT_CHANNELS},
      {SUMI__PART_VAE, "sample_size", m->vae.sample_size, 1, MOST_SIDE},
      {SUMI__PART_UNET, "in_channels", m->unet.in_channels, m->vae.latent_channels, most_inputs},
      {SUMI__PART_UNET, "out_channels", m->unet.out_channels, m->vae.latent_channels, m->vae.latent_channels},
      {SUMI__PART_UNET, "sample_size", m->unet.sample_size, 1, MOST_SIDE / factor},
      {SUMI__PART_UNET, "cross_attention_dim", m->unet.cross_attention_dim, m->text.hidden_size, m->text.hidden_size},
  };
  char where[SUMI__MODEL_PATH_MAX + 64], expected[64];
  name_config(m, options, SUMI__PART_UNET, where, sizeof where);
  if (m->unet.class_embed_type != SUMI__UNET2D_CLASS_NONE || m->unet.addition_text_time)
    return sumi__fail(m->ctx, SUMI_UNSUPPORTED,
                      "%s: `%s`: a U-Net that is told more than a time and a text is not supported", where,
                      m->unet.addition_text_time ? "addition_embed_type"
                      : m->unet.num_class_embeds ? "num_class_embeds"
                                                 : "class_embed_type");
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    if (limits[i].value >= limits[i].low && limits[i].value <= limits[i].high) continue;
    const bool one = limits[i].low == limits[i].high;
    snprintf(expected, sizeof expected, one ? "%lld" : "%lld to %lld", (long long)limits[i].low,
             (long long)limits[i].high);
    name_config(m, options, limits[i].part, where, sizeof where);
    return sumi__fail(m->ctx, SUMI_UNSUPPORTED, "%s: `%s` is %lld, expected %s", where, limits[i].member,
                      (long long)limits[i].value, expected);
  }
  return SUMI_OK;
}

/* What holds for both layouts. */
static sumi_status finish(sumi__model *m, const sumi__model_options *options) {
  sumi_status status = SUMI_OK;
  m->unet_source = &m->files->unet.source;
  m->vae_source = &m->files->vae.source;
  m->text_source = &m->files->text.source;
  if (options->prediction != SUMI_PREDICTION_AUTO) m->prediction = options->prediction;
  SUMI_TRY(sumi__unet2d_check(m->ctx, &m->unet));
  SUMI_TRY(sumi__autoencoder_kl_check(m->ctx, &m->vae));
  SUMI_TRY(sumi__clip_text_check(m->ctx, &m->text));
done:
  return status == SUMI_OK ? status : sumi__fail_in(m->ctx, status, "%s", m->path);
}

sumi_status sumi__model_open(sumi_context *ctx, const char *path, const sumi__model_options *options,
                             sumi__model **out) {
  sumi_status status = SUMI_OK;
  const sumi__model_options none = {0};
  *out = NULL;
  sumi__model *m = sumi__alloc_zero(ctx, sizeof *m);
  if (!m) return SUMI_NO_MEMORY;
  m->ctx = ctx;
  m->path = sumi__strdup(ctx, path);
  m->files = sumi__alloc_zero(ctx, sizeof *m->files);
  SUMI_TRY(m->path && m->files ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_CHECK(ctx, sumi__file_exists(path), SUMI_NOT_FOUND, "%s: there is no such file or folder", path);
  if (!options) options = &none;
  SUMI_TRY(sumi__is_directory(path) ? open_folder(m, options) : open_file(m, options));
  if (options->vae) SUMI_TRY(sumi__vae_replace(m, options->vae));
  SUMI_TRY(finish(m, options));
  SUMI_TRY(check_limits(m, options));
  *out = m;
  m = NULL;
done:
  sumi__model_close(m);
  return status;
}

void sumi__model_close(sumi__model *m) {
  if (!m) return;
  for (int i = 0; m->files && i < SUMI__MODEL_FILES_MAX; i++) sumi__checkpoint_close(m->files->files[i]);
  sumi__free(m->ctx, m->files);
  sumi__free(m->ctx, m->tokenizer_folder);
  sumi__free(m->ctx, m->path);
  sumi__free(m->ctx, m);
}
