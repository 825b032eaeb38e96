/* A conversion reads its tensors from the mapped files while it writes: what it reads is not what it may replace. */
#include "models/families/export.h"

#include "io/file.h"
#include "models/families/files.h"

#include <stdio.h>

static sumi_status refuse(const sumi__export *e, const char *path) {
  return sumi__fail(e->model->ctx, SUMI_INVALID,
                    "%s: the conversion reads this itself, expected another place to write to", path);
}

static bool reads(const sumi__model *m, const char *path) {
  for (int i = 0; i < SUMI__MODEL_FILES_MAX; i++)
    if (m->files->files[i] && sumi__checkpoint_is_at(m->files->files[i], path)) return true;
  return false;
}

/* `out` or one of its folders is one of `in`, whatever links there are. */
static sumi_status check_folder(const sumi__export *e, const char *out, const char *in) {
  static const char *const parts[] = {"", "/text_encoder", "/unet", "/vae", "/scheduler", "/tokenizer"};
  char a[SUMI__MODEL_PATH_MAX], b[SUMI__MODEL_PATH_MAX];
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    snprintf(a, sizeof a, "%s%s", out, parts[i]);
    snprintf(b, sizeof b, "%s%s", in, parts[i]);
    if (sumi__same_file(a, b)) return refuse(e, a);
  }
  return SUMI_OK;
}

sumi_status sumi__export_check_target(const sumi__export *e, const char *out, bool is_folder) {
  static const char *const weights[] = {"text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors",
                                        "vae/diffusion_pytorch_model.safetensors"};
  sumi_status status = SUMI_OK;
  const sumi__model *m = e->model;
  char path[SUMI__MODEL_PATH_MAX];
  if (reads(m, out)) return refuse(e, out);
  if (!is_folder) return SUMI_OK;
  if (sumi__is_directory(m->path)) SUMI_TRY(check_folder(e, out, m->path));
  if (e->options->config_folder) SUMI_TRY(check_folder(e, out, e->options->config_folder));
  for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
    snprintf(path, sizeof path, "%s/%s", out, weights[i]);
    if (reads(m, path)) return refuse(e, path);
  }
done:
  return status;
}
