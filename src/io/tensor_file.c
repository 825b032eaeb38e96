/* sumi_tensor_file: the same list whatever keeps the tensors. */
#include "io/checkpoint.h"
#include "io/file.h"
#include "io/safetensors_types.h"

struct sumi_tensor_file {
  sumi_context *ctx;
  sumi__checkpoint *checkpoint;
  const sumi_safetensors *safetensors; /* the checkpoint's own, or NULL, and then */
  sumi__arena arena;
  sumi_safetensors_tensor *tensors; /* with their sizes in the arena */
  size_t count;
};

/* A tensor whose type has no name here has neither. */
static sumi_status describe(sumi_tensor_file *f, const char *name, const sumi__tensor_view *view,
                            sumi_safetensors_tensor *out) {
  const sumi__safetensors_type *type = sumi__safetensors_type_of(view->dtype);
  const size_t rank = (size_t)view->shape.rank;
  *out = (sumi_safetensors_tensor){.name = name,
                                   .dtype = type ? type->name : "unknown",
                                   .rank = (int)rank,
                                   .dims = sumi__arena_copy(&f->arena, view->shape.dims, rank * sizeof(int64_t)),
                                   .count = type ? sumi_shape_count(&view->shape) : 0,
                                   .data = type ? view->data : NULL};
  out->bytes = type ? (size_t)out->count * (size_t)type->bits / 8 : 0;
  return out->dims ? SUMI_OK : SUMI_NO_MEMORY;
}

static sumi_status list(sumi_tensor_file *f) {
  sumi_status status = SUMI_OK;
  const size_t count = sumi__checkpoint_count(f->checkpoint);
  const char *name;
  sumi__tensor_view view;
  f->tensors = sumi__arena_alloc(&f->arena, count * sizeof *f->tensors);
  SUMI_TRY(f->tensors ? SUMI_OK : SUMI_NO_MEMORY);
  for (size_t i = 0; i < count; i++)
    if (sumi__checkpoint_at(f->checkpoint, i, &name, &view))
      SUMI_TRY(describe(f, name, &view, &f->tensors[f->count++]));
done:
  return status;
}

sumi_status sumi_tensor_file_open(sumi_context *ctx, const char *path, sumi_tensor_file **out) {
  sumi_status status = SUMI_OK;
  *out = NULL;
  sumi_tensor_file *f = sumi__alloc_zero(ctx, sizeof *f);
  if (!f) return SUMI_NO_MEMORY;
  f->ctx = ctx;
  sumi__arena_init(&f->arena, ctx);
  SUMI_CHECK(ctx, sumi__file_exists(path), SUMI_NOT_FOUND, "%s: there is no such file or folder", path);
  SUMI_TRY(sumi__checkpoint_open(ctx, path, &f->checkpoint));
  f->safetensors = sumi__checkpoint_safetensors(f->checkpoint);
  if (!f->safetensors) SUMI_TRY(list(f));
  *out = f;
  f = NULL;
done:
  sumi_tensor_file_close(f);
  return status;
}

void sumi_tensor_file_close(sumi_tensor_file *f) {
  if (!f) return;
  sumi__checkpoint_close(f->checkpoint);
  sumi__arena_free(&f->arena);
  sumi__free(f->ctx, f);
}

const char *sumi_tensor_file_kind(const sumi_tensor_file *f) { return sumi__checkpoint_kind(f->checkpoint); }

size_t sumi_tensor_file_count(const sumi_tensor_file *f) {
  return f->safetensors ? sumi_safetensors_count(f->safetensors) : f->count;
}

const sumi_safetensors_tensor *sumi_tensor_file_at(const sumi_tensor_file *f, size_t i) {
  if (f->safetensors) return sumi_safetensors_tensor_at(f->safetensors, i);
  return i < f->count ? &f->tensors[i] : NULL;
}

bool sumi_tensor_file_metadata_at(const sumi_tensor_file *f, size_t i, const char **key, const char **value) {
  return f->safetensors && sumi_safetensors_metadata_at(f->safetensors, i, key, value);
}

sumi_status sumi_tensor_file_statistics(const sumi_tensor_file *f, const sumi_safetensors_tensor *tensor,
                                        sumi_statistics *out) {
  return sumi__safetensors_statistics_of(f->ctx, sumi__checkpoint_source(f->checkpoint)->path, tensor, out);
}
