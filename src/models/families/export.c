#include "models/families/export.h"

#include "io/file.h"
#include "io/safetensors.h"
#include "models/families/compvis_names.h"
#include "models/families/files.h"
#include "tensor/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PARTS = 3, BLOCK = 1024 };

/* A tensor of a file to be: one of ours, or several of ours one below the other. */
typedef struct piece {
  const sumi__part_tensor *from[MOST_PARTS];
  int parts;
} piece;

/* One file under way. */
typedef struct output {
  sumi__export *e;
  sumi__safetensors_entry *entries;
  piece *pieces;
  size_t count;
  sumi__arena names;
} output;

/* ---- Values ---- */

/* `count` values of a view, which need not be aligned, in another type. */
static sumi_status cast(sumi_context *ctx, const sumi__part_tensor *t, sumi_dtype to, size_t count, char *out) {
  uint64_t aligned[BLOCK];
  float values[BLOCK];
  const sumi_dtype from = t->view.dtype;
  const size_t from_bytes = sumi_dtype_bytes(from), to_bytes = sumi_dtype_bytes(to);
  for (size_t at = 0; at < count; at += BLOCK) {
    const size_t n = count - at < BLOCK ? count - at : BLOCK;
    memcpy(aligned, (const char *)t->view.data + at * from_bytes, n * from_bytes);
    sumi__to_f32(values, aligned, from, (int64_t)n);
    for (size_t i = 0; i < n && to == SUMI_F16; i++)
      if (isfinite(values[i]) && fabsf(values[i]) >= 65520.0f)
        return sumi__fail(ctx, SUMI_INVALID, "the tensor '%s' has the number %g, which is beyond f16's range", t->name,
                          (double)values[i]);
    sumi__from_f32(aligned, to, values, (int64_t)n);
    memcpy(out + at * to_bytes, aligned, n * to_bytes);
  }
  return SUMI_OK;
}

static sumi_status produce(void *user, size_t i, void *out) {
  output *o = user;
  sumi__export *e = o->e;
  const sumi_dtype to = o->entries[i].dtype;
  char *at = out;
  for (int k = 0; k < o->pieces[i].parts; k++) {
    const sumi__part_tensor *t = o->pieces[i].from[k];
    const size_t count = (size_t)sumi_shape_count(&t->shape), bytes = count * sumi_dtype_bytes(t->view.dtype);
    if (t->view.dtype == to) {
      memcpy(at, t->view.data, bytes);
    } else {
      const sumi_status status = cast(e->model->ctx, t, to, count, at);
      if (status != SUMI_OK) return status;
    }
    at += count * sumi_dtype_bytes(to);
    if (t->view.mapped) sumi__pages_release(t->view.data, bytes);
    e->done++;
  }
  if (e->options->progress && !e->options->progress(e->options->user, e->done, e->total))
    return sumi__fail(e->model->ctx, SUMI_CANCELLED, "the conversion was stopped");
  return SUMI_OK;
}

/* ---- Entries ---- */

static sumi_dtype dtype_for(const sumi__export *e, const sumi__part_tensor *t) {
  return e->options->cast ? e->options->dtype : t->view.dtype;
}

static sumi_status output_begin(output *o, sumi__export *e, size_t most) {
  *o = (output){.e = e};
  sumi__arena_init(&o->names, e->model->ctx);
  o->entries = sumi__alloc_array(e->model->ctx, most, sizeof *o->entries);
  o->pieces = sumi__alloc_array(e->model->ctx, most, sizeof *o->pieces);
  return o->entries && o->pieces ? SUMI_OK : SUMI_NO_MEMORY;
}

static sumi_status output_write(output *o, const char *path) {
  /* transformers loads no file that does not say this. */
  static const sumi__safetensors_pair format = {"format", "pt"};
  return sumi__safetensors_write(o->e->model->ctx, path, o->entries, o->count, &format, 1, produce, o);
}

static void output_free(output *o) {
  sumi_context *ctx = o->e->model->ctx;
  sumi__free(ctx, o->entries);
  sumi__free(ctx, o->pieces);
  sumi__arena_free(&o->names);
}

/* A whole tensor, or the first of several that make one. */
static sumi_status add(output *o, const sumi__part_tensor *t, const char *name, const sumi__compvis_place *place) {
  sumi__safetensors_entry *entry = &o->entries[o->count];
  *entry = (sumi__safetensors_entry){.name = name, .dtype = dtype_for(o->e, t), .shape = t->shape};
  o->pieces[o->count++] = (piece){.from = {t}, .parts = 1};
  if (!place) return SUMI_OK;
  if (place->squeeze) entry->shape = SUMI_SHAPE(t->shape.dims[0], t->shape.dims[1], 1, 1);
  entry->shape.dims[0] *= place->parts;
  entry->name = sumi__arena_strdup(&o->names, place->name);
  return entry->name ? SUMI_OK : SUMI_NO_MEMORY;
}

/* ---- The CompVis layout: parts of one tensor follow each other in our order ---- */

/* Queries, keys and values that are of several types become f32, which holds each number of the 16-bit floats. */
static sumi_status join_types(output *o, size_t whole, const sumi__part_tensor *t) {
  sumi__safetensors_entry *entry = &o->entries[whole];
  const sumi_dtype a = entry->dtype, b = dtype_for(o->e, t);
  const bool narrow =
      (a == SUMI_F32 || a == SUMI_F16 || a == SUMI_BF16) && (b == SUMI_F32 || b == SUMI_F16 || b == SUMI_BF16);
  if (a == b) return SUMI_OK;
  if (!narrow)
    return sumi__fail(o->e->model->ctx, SUMI_INVALID,
                      "%s: the tensor '%s' is of type %s and becomes part of one of %s: choose a type for all of them",
                      o->e->model->path, t->name, sumi_dtype_name(b), sumi_dtype_name(a));
  entry->dtype = SUMI_F32;
  return SUMI_OK;
}

static sumi_status add_compvis(output *o, sumi__part part, const sumi__part_list *list) {
  sumi_status status = SUMI_OK;
  const sumi__model *m = o->e->model;
  for (size_t i = 0; i < list->count; i++) {
    const sumi__part_tensor *t = &list->tensors[i];
    sumi__compvis_place place;
    SUMI_CHECK(m->ctx, sumi__compvis_place_of(m, part, t->name, &place), SUMI_UNSUPPORTED,
               "%s: the CompVis layout has no name for '%s'", m->path, t->name);
    size_t whole = place.parts > 1 ? 0 : o->count;
    while (whole < o->count && strcmp(o->entries[whole].name, place.name) != 0) whole++;
    if (whole == o->count) SUMI_TRY(add(o, t, NULL, &place));
    SUMI_TRY(join_types(o, whole, t));
    o->pieces[whole].from[place.part] = t;
    o->pieces[whole].parts = place.parts;
  }
done:
  return status;
}

sumi_status sumi__export_compvis(sumi__export *e, const char *path) {
  sumi_status status = SUMI_OK;
  output o;
  SUMI_TRY(output_begin(&o, e, e->total + 1));
  for (int p = 0; p < SUMI__PARTS; p++) SUMI_TRY(add_compvis(&o, (sumi__part)p, &e->parts[p]));
  SUMI_TRY(output_write(&o, path));
done:
  output_free(&o);
  return status;
}

/* ---- diffusers' layout ---- */

static sumi_status export_weights(sumi__export *e, sumi__part part, const char *path) {
  sumi_status status = SUMI_OK;
  const sumi__part_list *list = &e->parts[part];
  output o;
  SUMI_TRY(output_begin(&o, e, list->count + 1));
  for (size_t i = 0; i < list->count; i++) SUMI_TRY(add(&o, &list->tensors[i], list->tensors[i].name, NULL));
  SUMI_TRY(output_write(&o, path));
done:
  output_free(&o);
  return status;
}

static sumi_status join(sumi_context *ctx, char out[SUMI__MODEL_PATH_MAX], const char *folder, const char *part,
                        const char *name) {
  const int n = snprintf(out, SUMI__MODEL_PATH_MAX, "%s/%s%s%s", folder, part, *name ? "/" : "", name);
  if (n > 0 && n < SUMI__MODEL_PATH_MAX) return SUMI_OK;
  return sumi__fail(ctx, SUMI_INVALID, "the folder's path is longer than %d characters", (int)SUMI__MODEL_PATH_MAX);
}

sumi_status sumi__export_folder(sumi__export *e, const char *folder) {
  sumi_status status = SUMI_OK;
  sumi_context *ctx = e->model->ctx;
  char path[SUMI__MODEL_PATH_MAX];
  for (int p = 0; p < SUMI__PARTS; p++) {
    const char *part = sumi__part_folder((sumi__part)p);
    SUMI_TRY(join(ctx, path, folder, part, ""));
    SUMI_TRY(sumi__make_directories(ctx, path));
    SUMI_TRY(join(ctx, path, folder, part, "config.json"));
    SUMI_TRY(sumi__export_config(e->model, (sumi__part)p, path));
    SUMI_TRY(join(ctx, path, folder, part,
                  p == SUMI__PART_TEXT ? "model.safetensors" : "diffusion_pytorch_model.safetensors"));
    SUMI_TRY(export_weights(e, (sumi__part)p, path));
  }
  SUMI_TRY(join(ctx, path, folder, "scheduler", ""));
  SUMI_TRY(sumi__make_directories(ctx, path));
  SUMI_TRY(join(ctx, path, folder, "scheduler", "scheduler_config.json"));
  SUMI_TRY(sumi__export_scheduler(e->model, path));
done:
  return status;
}

/* ---- Begin and end ---- */

static sumi_status check_complete(const sumi__model *m, const sumi__part_tensor *t) {
  if (t->state == SUMI__TENSOR_OK) return SUMI_OK;
  if (t->state == SUMI__TENSOR_MISSING)
    return sumi__fail(m->ctx, SUMI_MISMATCH, "%s: the tensor '%s' is missing", m->path, t->name);
  if (sumi_shape_equal(&t->view.shape, &t->shape))
    return sumi__fail(m->ctx, SUMI_MISMATCH, "%s: the tensor '%s' is of a type that cannot be read", m->path, t->name);
  return sumi__fail(m->ctx, SUMI_MISMATCH, "%s: the tensor '%s' has the shape %s, expected %s", m->path, t->name,
                    SUMI__SHAPE_STR(&t->view.shape), SUMI__SHAPE_STR(&t->shape));
}

sumi_status sumi__export_begin(sumi__export *e, const sumi__model *m, const sumi_convert_options *options) {
  sumi_status status = SUMI_OK;
  *e = (sumi__export){.model = m, .options = options};
  for (int p = 0; p < SUMI__PARTS; p++) {
    sumi__part_list *list = &e->parts[p];
    SUMI_TRY(sumi__part_list_make(m, (sumi__part)p, list));
    e->total += list->count;
    for (size_t i = 0; i < list->count; i++) SUMI_TRY(check_complete(m, &list->tensors[i]));
  }
done:
  return status;
}

void sumi__export_free(sumi__export *e) {
  for (int p = 0; p < SUMI__PARTS && e->model; p++) sumi__part_list_free(e->model, &e->parts[p]);
}
