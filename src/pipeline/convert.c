/* sumi_model_convert: a checkpoint and its tokenizer, written anew. */
#include "sumi/model.h"

#include "io/file.h"
#include "models/families/export.h"
#include "pipeline/engine.h"
#include "text/tokenizer.h"

#include <string.h>

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

static sumi_model_layout layout_for(const sumi_convert_options *o, const char *out) {
  if (o->layout != SUMI_LAYOUT_AUTO) return o->layout;
  return ends_with(out, ".safetensors") ? SUMI_LAYOUT_COMPVIS : SUMI_LAYOUT_DIFFUSERS;
}

static sumi_status write_folder(sumi__export *e, const char *out) {
  sumi_status status = SUMI_OK;
  sumi_tokenizer *tokenizer = NULL;
  sumi__folder_writer *writer = NULL;
  const char *folder;
  const sumi__model *m = e->model;
  SUMI_TRY(sumi_tokenizer_open(m->ctx, m->tokenizer_folder, &tokenizer));
  SUMI_TRY(sumi__folder_writer_open(m->ctx, out, &writer));
  folder = sumi__folder_writer_path(writer);
  SUMI_TRY(sumi__export_folder(e, folder));
  SUMI_TRY(sumi__tokenizer_save(tokenizer, m->ctx, folder, sumi__pad_id(m, tokenizer)));
  SUMI_TRY(sumi__export_index(e, folder));
  SUMI_TRY(sumi__folder_writer_commit(writer));
done:
  sumi__folder_writer_free(writer);
  sumi_tokenizer_close(tokenizer);
  return status;
}

sumi_status sumi_model_convert(sumi_context *ctx, const char *in, const char *out,
                               const sumi_convert_options *options) {
  sumi_status status = SUMI_OK;
  const sumi_convert_options defaults = {0}, *o = options ? options : &defaults;
  const sumi__model_options chosen = {
      .prediction = o->prediction, .config_folder = o->config_folder, .family = o->family, .vae = o->vae};
  const sumi_model_layout layout = layout_for(o, out);
  sumi__model *m = NULL;
  sumi__export e = {0};
  SUMI_CHECK(ctx, !o->cast || o->dtype == SUMI_F32 || o->dtype == SUMI_F16 || o->dtype == SUMI_BF16, SUMI_INVALID,
             "a checkpoint can be written in f32, f16 or bf16");
  SUMI_CHECK(ctx, layout == SUMI_LAYOUT_DIFFUSERS || !sumi__is_directory(out), SUMI_INVALID,
             "%s: this is a folder, the CompVis layout is one file", out);
  SUMI_CHECK(ctx, layout == SUMI_LAYOUT_COMPVIS || !sumi__file_exists(out) || sumi__is_directory(out), SUMI_INVALID,
             "%s: this is a file, diffusers' layout is a folder", out);
  SUMI_TRY(sumi__model_open(ctx, in, &chosen, &m));
  SUMI_TRY(sumi__export_begin(&e, m, o));
  SUMI_TRY(sumi__export_check_target(&e, out, layout == SUMI_LAYOUT_DIFFUSERS));
  SUMI_TRY(layout == SUMI_LAYOUT_COMPVIS ? sumi__export_compvis(&e, out) : write_folder(&e, out));
done:
  sumi__export_free(&e);
  sumi__model_close(m);
  return status;
}
