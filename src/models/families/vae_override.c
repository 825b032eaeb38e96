/* An autoencoder from elsewhere in place of the checkpoint's own: a folder of diffusers' (or a whole model's), or one
 * file in either layout. What its shapes do not tell is as in the checkpoint's own, unless a config.json lies beside.
 */
#include "models/families/files.h"

#include "io/file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where the two layouts have what tells sizes. */
typedef struct vae_names {
  const char *prefix;        /* of all names */
  const char *level, *layer; /* a level's first convolution, the i-th of the first level */
  bool is_compvis;
} vae_names;

static const vae_names layouts[] = {
    {"", "encoder.down_blocks.%d.resnets.0.conv1.weight", "encoder.down_blocks.0.resnets.%d.conv1.weight", false},
    {"first_stage_model.", "encoder.down.%d.block.0.conv1.weight", "encoder.down.0.block.%d.conv1.weight", true},
    {"", "encoder.down.%d.block.0.conv1.weight", "encoder.down.0.block.%d.conv1.weight", true},
};

static bool shape_of(const sumi__tensor_source *file, const vae_names *names, const char *name, int i,
                     sumi_shape *out) {
  char inner[128], full[192];
  sumi__tensor_view view;
  const char *number = strstr(name, "%d");
  if (number)
    snprintf(inner, sizeof inner, "%.*s%d%s", (int)(number - name), name, i, number + 2);
  else
    snprintf(inner, sizeof inner, "%s", name);
  snprintf(full, sizeof full, "%s%s", names->prefix, inner);
  if (!file->find(file, full, &view) || view.shape.rank != 4) return false;
  *out = view.shape;
  return true;
}

static const vae_names *layout_of(const sumi__tensor_source *file) {
  sumi_shape s;
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
    if (shape_of(file, &layouts[i], layouts[i].level, 0, &s)) return &layouts[i];
  return NULL;
}

static void infer(const sumi__tensor_source *file, const vae_names *names, sumi__autoencoder_kl_config *c) {
  sumi_shape s;
  for (c->levels = 0; c->levels < SUMI__VAE_LEVELS_MAX; c->levels++) {
    if (!shape_of(file, names, names->level, c->levels, &s)) break;
    c->block_out_channels[c->levels] = s.dims[0];
  }
  for (c->layers_per_block = 0; c->layers_per_block < 32; c->layers_per_block++)
    if (!shape_of(file, names, names->layer, c->layers_per_block, &s)) break;
  if (shape_of(file, names, "decoder.conv_in.weight", 0, &s)) c->latent_channels = s.dims[1];
  if (shape_of(file, names, "encoder.conv_in.weight", 0, &s)) c->in_channels = s.dims[1];
  if (shape_of(file, names, "decoder.conv_out.weight", 0, &s)) c->out_channels = s.dims[0];
}

/* PATH is the folder of a model, or the autoencoder's own. */
static sumi_status replace_by_folder(sumi__model *m, const char *path) {
  sumi_status status = SUMI_OK;
  char folder[SUMI__MODEL_PATH_MAX];
  const int n = snprintf(folder, sizeof folder, "%s/vae", path);
  SUMI_CHECK(m->ctx, n > 0 && (size_t)n < sizeof folder, SUMI_INVALID, "the autoencoder's path is longer than %d bytes",
             (int)sizeof folder);
  if (!sumi__is_directory(folder)) snprintf(folder, sizeof folder, "%s", path);
  SUMI_TRY(sumi__folder_vae_config(m->ctx, folder, &m->vae));
  SUMI_TRY(sumi__folder_vae_open(m, folder, &m->files->files[SUMI__MODEL_OWN_VAE]));
  sumi__folder_vae_source(sumi__checkpoint_source(m->files->files[SUMI__MODEL_OWN_VAE]), m);
done:
  return status;
}

static sumi_status replace_by_file(sumi__model *m, const char *path) {
  sumi_status status = SUMI_OK;
  char folder[SUMI__MODEL_PATH_MAX], config[SUMI__MODEL_PATH_MAX];
  sumi__checkpoint **file = &m->files->files[SUMI__MODEL_OWN_VAE];
  SUMI_TRY(sumi__checkpoint_open(m->ctx, path, file));
  const sumi__tensor_source *source = sumi__checkpoint_source(*file);
  const vae_names *names = layout_of(source);
  SUMI_CHECK(m->ctx, names, SUMI_MISMATCH,
             "%s: its tensors are not those of an autoencoder (expected encoder.*, or first_stage_model.encoder.*)",
             path);
  const char *slash = strrchr(path, '/');
  snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
  const int n = snprintf(config, sizeof config, "%s/config.json", folder);
  if (!names->is_compvis && n > 0 && (size_t)n < sizeof config && sumi__file_exists(config))
    SUMI_TRY(sumi__folder_vae_config(m->ctx, folder, &m->vae));
  else
    infer(source, names, &m->vae);
  if (names->is_compvis)
    sumi__compvis_vae_source(source, names->prefix, m);
  else
    sumi__folder_vae_source(source, m);
done:
  return status;
}

sumi_status sumi__vae_replace(sumi__model *m, const char *path) {
  if (!sumi__file_exists(path))
    return sumi__fail(m->ctx, SUMI_NOT_FOUND, "%s: there is no such autoencoder, expected a file or folder", path);
  return sumi__is_directory(path) ? replace_by_folder(m, path) : replace_by_file(m, path);
}
