/* A folder in diffusers' layout: which files hold its weights, and under which names. */
#include "models/families/files.h"

#include "io/file.h"

#include <stdio.h>
#include <string.h>

/* ---- Names: older tools wrote other ones for a few parts ---- */

typedef struct alias {
  const char *ours, *theirs;
} alias;

/* Attention of autoencoders before diffusers 0.15. */
static const alias vae_aliases[] = {
    {".to_q.", ".query."}, {".to_k.", ".key."}, {".to_v.", ".value."}, {".to_out.0.", ".proj_attn."}, {NULL, NULL}};
/* transformers 5 leaves it out. */
static const alias text_aliases[] = {{"text_model.", ""}, {NULL, NULL}};

static bool find_aliased(const sumi__tensor_source *file, const alias *aliases, const char *name,
                         sumi__tensor_view *out) {
  char other[256];
  if (file->find(file, name, out)) return true;
  for (; aliases->ours; aliases++) {
    const char *at = strstr(name, aliases->ours);
    if (!at) continue;
    const int n =
        snprintf(other, sizeof other, "%.*s%s%s", (int)(at - name), name, aliases->theirs, at + strlen(aliases->ours));
    if (n > 0 && (size_t)n < sizeof other && file->find(file, other, out)) return true;
  }
  return false;
}

static const sumi__tensor_source *of(const sumi__tensor_source *source) {
  return ((const sumi__renamed_source *)(const void *)source)->of;
}

static bool find_unet(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  return of(source)->find(of(source), name, out);
}

static bool find_vae(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  return find_aliased(of(source), vae_aliases, name, out);
}

static bool find_text(const sumi__tensor_source *source, const char *name, sumi__tensor_view *out) {
  return find_aliased(of(source), text_aliases, name, out);
}

/* ---- Files ---- */

static bool path_of(const char *folder, const char *part, const char *name, char out[SUMI__MODEL_PATH_MAX]) {
  const int n = snprintf(out, SUMI__MODEL_PATH_MAX, "%s/%s/%s", folder, part, name);
  return n > 0 && n < SUMI__MODEL_PATH_MAX;
}

/* The first of these that is there. Stems and endings are those of diffusers and transformers. */
static sumi_status open_weights(sumi__model *m, const char *folder, const char *part, const char *const *stems,
                                sumi__checkpoint **out) {
  static const char *const endings[] = {
      ".safetensors", ".safetensors.index.json", ".fp16.safetensors", ".bf16.safetensors",
      ".bin",         ".bin.index.json",         ".fp16.bin"};
  char path[SUMI__MODEL_PATH_MAX], name[128];
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    for (const char *const *stem = stems; *stem; stem++) {
      snprintf(name, sizeof name, "%s%s", *stem, endings[i]);
      if (path_of(folder, part, name, path) && sumi__file_exists(path)) return sumi__checkpoint_open(m->ctx, path, out);
    }
  return sumi__fail(m->ctx, SUMI_NOT_FOUND, "%s/%s: there is no %s.safetensors (or .bin) in it", folder, part,
                    stems[0]);
}

static void rename_source(sumi__renamed_source *r, const sumi__model *m, const sumi__tensor_source *file,
                          bool (*find)(const sumi__tensor_source *, const char *, sumi__tensor_view *)) {
  r->of = file;
  r->source = (sumi__tensor_source){r->of->path, find};
  r->model = m;
}

static const char *const networks[] = {"diffusion_pytorch_model", NULL};

sumi_status sumi__folder_vae_open(sumi__model *m, const char *folder, sumi__checkpoint **out) {
  return open_weights(m, folder, ".", networks, out);
}

void sumi__folder_vae_source(const sumi__tensor_source *file, sumi__model *m) {
  rename_source(&m->files->vae, m, file, find_vae);
}

sumi_status sumi__folder_open(sumi_context *ctx, const char *folder, bool with_vae, sumi__model *m) {
  sumi_status status = SUMI_OK;
  static const char *const texts[] = {"model", "pytorch_model", NULL};
  sumi__model_files *f = m->files;
  (void)ctx;
  SUMI_TRY(open_weights(m, folder, "unet", networks, &f->files[0]));
  if (with_vae) SUMI_TRY(open_weights(m, folder, "vae", networks, &f->files[1]));
  SUMI_TRY(open_weights(m, folder, "text_encoder", texts, &f->files[2]));
  rename_source(&f->unet, m, sumi__checkpoint_source(f->files[0]), find_unet);
  if (with_vae) rename_source(&f->vae, m, sumi__checkpoint_source(f->files[1]), find_vae);
  rename_source(&f->text, m, sumi__checkpoint_source(f->files[2]), find_text);
done:
  return status;
}
