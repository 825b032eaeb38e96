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

static sumi_status open_folder(sumi__model *m) {
  sumi_status status = SUMI_OK;
  m->layout = "diffusers";
  SUMI_TRY(sumi__folder_configs(m->ctx, m->path, m));
  SUMI_TRY(sumi__folder_open(m->ctx, m->path, m));
  SUMI_TRY(find_tokenizer(m, m->path));
done:
  return status;
}

static sumi_status open_file(sumi__model *m, const sumi__model_options *options) {
  sumi_status status = SUMI_OK;
  m->layout = "CompVis";
  SUMI_TRY(sumi__checkpoint_open(m->ctx, m->path, &m->files->files[0]));
  const sumi__tensor_source *file = sumi__checkpoint_source(m->files->files[0]);
  SUMI_TRY(sumi__compvis_configs(m->ctx, file, m));
  if (options->config_folder) {
    const sumi__family family = m->family; /* by the names of its text encoder's tensors */
    SUMI_TRY(sumi__folder_configs(m->ctx, options->config_folder, m));
    SUMI_TRY(find_tokenizer(m, options->config_folder));
    m->family = family;
  }
  sumi__compvis_sources(file, m);
done:
  return status;
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
  SUMI_CHECK(m->ctx, m->unet.cross_attention_dim == m->text.hidden_size, SUMI_UNSUPPORTED,
             "its U-Net wants a context of width %lld, its text encoder gives %lld",
             (long long)m->unet.cross_attention_dim, (long long)m->text.hidden_size);
  SUMI_CHECK(m->ctx, m->unet.out_channels == m->vae.latent_channels, SUMI_UNSUPPORTED,
             "its U-Net gives %lld channels, its autoencoder has %lld", (long long)m->unet.out_channels,
             (long long)m->vae.latent_channels);
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
  SUMI_TRY(sumi__is_directory(path) ? open_folder(m) : open_file(m, options ? options : &none));
  SUMI_TRY(finish(m, options ? options : &none));
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
