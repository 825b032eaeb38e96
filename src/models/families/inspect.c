/* sumi_model_inspect: a checkpoint against what its family consists of. */
#include "sumi/model.h"

#include "models/families/detect.h"
#include "models/families/files.h"
#include "models/families/parts.h"

#include <stdlib.h>
#include <string.h>

typedef struct inspection {
  sumi_model_report report; /* the first member: callers hold a pointer to it */
  sumi_context *ctx;
  sumi__arena arena;
} inspection;

/* What is under way. */
typedef struct inspector {
  sumi_context *ctx;
  sumi__model *model;
  sumi__part_list parts[SUMI__PARTS];
  const void **used; /* where the tensors lie that the networks are made of, sorted */
  size_t used_count;
} inspector;

static const char *purpose_of(int64_t channels) {
  switch (channels) {
  case 4: return "text to image";
  case 5: return "depth to image";
  case 7: return "upscaling";
  case 8: return "editing by instructions";
  case 9: return "inpainting";
  default: return "of its own kind";
  }
}

static void describe(const sumi__model *m, inspection *in) {
  sumi_model_report *r = &in->report;
  r->family = sumi__family_title(m->family);
  r->layout = m->layout;
  r->purpose = purpose_of(m->unet.in_channels);
  r->prediction = m->prediction;
  r->in_channels = m->unet.in_channels;
  r->context_width = m->unet.cross_attention_dim;
  r->text_layers = m->text.num_hidden_layers;
  r->tokenizer = m->tokenizer_folder ? sumi__arena_strdup(&in->arena, m->tokenizer_folder) : NULL;
}

/* "f16, f32" */
static void list_dtypes(const bool *seen, char *out, size_t room) {
  *out = '\0';
  for (int i = 0; i < SUMI_DTYPE_COUNT; i++) {
    const char *name = sumi_dtype_name((sumi_dtype)i);
    const size_t at = strlen(out);
    if (seen[i] && at + strlen(name) + 3 < room) {
      if (at) strcat(out, ", ");
      strcat(out, name);
    }
  }
}

static void count_component(const sumi__part_list *list, sumi__part part, sumi_model_component *out) {
  bool seen[SUMI_DTYPE_COUNT] = {false};
  out->name = sumi__part_folder(part);
  out->tensors = list->count;
  for (size_t i = 0; i < list->count; i++) {
    const sumi__part_tensor *t = &list->tensors[i];
    out->parameters += sumi_shape_count(&t->shape);
    if (t->state != SUMI__TENSOR_OK) continue;
    out->bytes += (size_t)sumi_shape_count(&t->shape) * sumi_dtype_bytes(t->view.dtype);
    seen[t->view.dtype] = true;
  }
  list_dtypes(seen, out->dtypes, sizeof out->dtypes);
}

/* Tensors that fit, and those that do not. */
static sumi_status sort_tensors(const inspector *it, inspection *in) {
  sumi_model_report *r = &in->report;
  size_t most = 1;
  for (int p = 0; p < SUMI__PARTS; p++) most += it->parts[p].count;
  r->tensors = sumi__arena_alloc(&in->arena, most * sizeof *r->tensors);
  r->faults = sumi__arena_alloc(&in->arena, most * sizeof *r->faults);
  if (!r->tensors || !r->faults) return SUMI_NO_MEMORY;
  for (int p = 0; p < SUMI__PARTS; p++) {
    const char *component = sumi__part_folder((sumi__part)p);
    for (size_t i = 0; i < it->parts[p].count; i++) {
      const sumi__part_tensor *t = &it->parts[p].tensors[i];
      const char *name = sumi__arena_strdup(&in->arena, t->name);
      if (!name) return SUMI_NO_MEMORY;
      if (t->state == SUMI__TENSOR_OK)
        r->tensors[r->tensor_count++] = (sumi_model_tensor){component, name, t->view.dtype, t->shape};
      else
        r->faults[r->fault_count++] =
            (sumi_model_fault){t->state == SUMI__TENSOR_MISSING ? SUMI_FAULT_MISSING : SUMI_FAULT_MISMATCH, component,
                               name, t->shape, t->view.shape};
    }
  }
  return SUMI_OK;
}

/* ---- What is left over: tensors of the files that lie where none of the networks' do ---- */

static int compare_places(const void *a, const void *b) {
  const char *x = *(const char *const *)a, *y = *(const char *const *)b;
  return (x > y) - (x < y);
}

static sumi_status collect_used(inspector *it) {
  size_t most = 1;
  for (int p = 0; p < SUMI__PARTS; p++) most += it->parts[p].count;
  it->used = sumi__alloc_array(it->ctx, most, sizeof *it->used);
  if (!it->used) return SUMI_NO_MEMORY;
  for (int p = 0; p < SUMI__PARTS; p++)
    for (size_t i = 0; i < it->parts[p].count; i++)
      if (it->parts[p].tensors[i].state != SUMI__TENSOR_MISSING)
        it->used[it->used_count++] = it->parts[p].tensors[i].view.data;
  qsort(it->used, it->used_count, sizeof *it->used, compare_places);
  return SUMI_OK;
}

static bool is_used(const inspector *it, const sumi__tensor_view *v) {
  return bsearch(&v->data, it->used, it->used_count, sizeof *it->used, compare_places) != NULL;
}

static sumi_status list_leftovers(const inspector *it, inspection *in) {
  sumi_model_report *r = &in->report;
  const sumi__model_files *files = it->model->files;
  size_t most = 1;
  for (int f = 0; f < SUMI__MODEL_FILES_MAX; f++)
    if (files->files[f]) most += sumi__checkpoint_count(files->files[f]);
  r->leftovers = sumi__arena_alloc(&in->arena, most * sizeof *r->leftovers);
  if (!r->leftovers) return SUMI_NO_MEMORY;
  for (int f = 0; f < SUMI__MODEL_FILES_MAX; f++) {
    const sumi__checkpoint *file = files->files[f];
    const char *path = file ? sumi__arena_strdup(&in->arena, sumi__checkpoint_source(file)->path) : NULL;
    const char *name;
    sumi__tensor_view view;
    for (size_t i = 0; file && i < sumi__checkpoint_count(file); i++) {
      if (!sumi__checkpoint_at(file, i, &name, &view) || is_used(it, &view)) continue;
      const char *kept = sumi__arena_strdup(&in->arena, name);
      if (!kept || !path) return SUMI_NO_MEMORY;
      r->leftovers[r->leftover_count++] = (sumi_model_leftover){path, kept, sumi__is_known_leftover(name)};
    }
  }
  return SUMI_OK;
}

sumi_status sumi_model_inspect(sumi_context *ctx, const char *path, const sumi_model_options *options,
                               sumi_model_report **out) {
  sumi_status status = SUMI_OK;
  inspector it = {.ctx = ctx};
  *out = NULL;
  inspection *in = sumi__alloc_zero(ctx, sizeof *in);
  if (!in) return SUMI_NO_MEMORY;
  in->ctx = ctx;
  sumi__arena_init(&in->arena, ctx);
  const sumi__model_options chosen = {.prediction = options ? options->prediction : SUMI_PREDICTION_AUTO,
                                      .config_folder = options ? options->config_folder : NULL,
                                      .family = options ? options->family : SUMI_FAMILY_AUTO,
                                      .vae = options ? options->vae : NULL};
  SUMI_TRY(sumi__model_open(ctx, path, &chosen, &it.model));
  describe(it.model, in);
  for (int p = 0; p < SUMI__PARTS; p++) {
    SUMI_TRY(sumi__part_list_make(it.model, (sumi__part)p, &it.parts[p]));
    count_component(&it.parts[p], (sumi__part)p, &in->report.components[p]);
  }
  SUMI_TRY(sort_tensors(&it, in));
  SUMI_TRY(collect_used(&it));
  SUMI_TRY(list_leftovers(&it, in));
  *out = &in->report;
  in = NULL;
done:
  for (int p = 0; p < SUMI__PARTS && it.model; p++) sumi__part_list_free(it.model, &it.parts[p]);
  sumi__free(ctx, it.used);
  sumi__model_close(it.model);
  if (in) sumi_model_report_free(&in->report);
  return status;
}

void sumi_model_report_free(sumi_model_report *report) {
  if (!report) return;
  inspection *in = (inspection *)(void *)report;
  sumi__arena_free(&in->arena);
  sumi__free(in->ctx, in);
}
