/* sumi/model.h: what a Stable Diffusion checkpoint is made of, and one layout made into another.
 *
 *   sumi_model_report *report = NULL;
 *   if (sumi_model_inspect(ctx, "model.safetensors", NULL, &report) != SUMI_OK) return 1;
 *   printf("%s, %d faults\n", report->family, (int)report->fault_count);
 *   sumi_model_report_free(report);
 *
 *   sumi_model_convert(ctx, "model.safetensors", "folder", &(sumi_convert_options){.layout = SUMI_LAYOUT_DIFFUSERS});
 *
 * Two layouts are known: diffusers' folders, and CompVis's single files, of safetensors or PyTorch's own files. Weights
 * are mapped, not read: to inspect a checkpoint takes milliseconds, to convert one takes the memory of its largest
 * tensor. */
#ifndef SUMI_MODEL_H
#define SUMI_MODEL_H

#include "sumi/diffusion.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Inspection ------------------------------------------------------------------------------------------------ */

/* Zero in a member stands for its default. */
typedef struct sumi_model_options {
  sumi_prediction prediction; /* what the checkpoint says */
  const char *config_folder;  /* a folder in diffusers' layout whose configurations hold for a single file; NULL: they
                                 are read off the file's tensors */
  sumi_family family;         /* that of which the checkpoint's tensors have the names */
  const char *vae; /* an autoencoder in place of the checkpoint's own: a file in diffusers' or CompVis' layout
                      (also a whole checkpoint's), or a folder in diffusers'; NULL: none */
} sumi_model_options;

enum { SUMI_MODEL_COMPONENTS = 3 };

/* One of a checkpoint's networks. */
typedef struct sumi_model_component {
  const char *name;   /* "text_encoder", "unet", "vae"; static */
  size_t tensors;     /* that it consists of */
  int64_t parameters; /* numbers in them */
  size_t bytes;       /* of those that the checkpoint has */
  char dtypes[48];    /* of these: "f16", or "f16, f32" */
} sumi_model_component;

typedef enum sumi_model_fault_kind {
  SUMI_FAULT_MISSING, /* the network needs a tensor that is not there */
  SUMI_FAULT_MISMATCH /* it is there in another shape, or of a type that cannot be read */
} sumi_model_fault_kind;

typedef struct sumi_model_fault {
  sumi_model_fault_kind kind;
  const char *component;
  const char *name; /* diffusers' name for the tensor */
  sumi_shape expected, found;
} sumi_model_fault;

/* A tensor of a file that no network asks for. */
typedef struct sumi_model_leftover {
  const char *file, *name; /* as the file has them */
  bool known;              /* something that is not needed to make pictures: averages, schedules, ids of positions */
} sumi_model_leftover;

/* A tensor that a network is made of. */
typedef struct sumi_model_tensor {
  const char *component, *name; /* diffusers' name */
  sumi_dtype dtype;
  sumi_shape shape; /* in the order of files */
} sumi_model_tensor;

/* All that it points to belongs to it. */
typedef struct sumi_model_report {
  const char *family;         /* "Stable Diffusion 1.x" */
  const char *layout;         /* "CompVis", "diffusers" */
  const char *purpose;        /* by the U-Net's input channels: "text to image", "inpainting", ... */
  sumi_prediction prediction; /* never AUTO */
  int64_t in_channels;        /* of the U-Net */
  int64_t context_width;      /* of text embeddings */
  int text_layers;
  const char *tokenizer; /* its folder; NULL: the built-in one */
  sumi_model_component components[SUMI_MODEL_COMPONENTS];
  sumi_model_tensor *tensors; /* those that are there and fit, component by component */
  size_t tensor_count;
  sumi_model_fault *faults;
  size_t fault_count;
  sumi_model_leftover *leftovers;
  size_t leftover_count;
} sumi_model_report;

/* Compares a checkpoint with what its family consists of. Missing and misshapen tensors are in the report, they are no
 * error. options may be NULL. Free with sumi_model_report_free.
 * Errors: NOT_FOUND, IO, FORMAT, UNSUPPORTED (another kind of model, which the sentence names; a configuration that is
 * not known here), MISMATCH (a file with tensors of no kind that is known), INVALID, NO_MEMORY. */
SUMI_API sumi_status sumi_model_inspect(sumi_context *ctx, const char *path, const sumi_model_options *options,
                                        sumi_model_report **out);
/* NULL is allowed. */
SUMI_API void sumi_model_report_free(sumi_model_report *report);

/* ---- Conversion ------------------------------------------------------------------------------------------------ */

typedef enum sumi_model_layout {
  SUMI_LAYOUT_AUTO,      /* COMPVIS for a path that ends in .safetensors, else DIFFUSERS */
  SUMI_LAYOUT_DIFFUSERS, /* a folder that diffusers loads, with configurations and tokenizer */
  SUMI_LAYOUT_COMPVIS    /* one file */
} sumi_model_layout;

/* Zero in a member stands for its default. */
typedef struct sumi_convert_options {
  sumi_model_layout layout;
  bool cast;        /* numbers become `dtype`; else each tensor keeps its own and no bit changes */
  sumi_dtype dtype; /* F32, F16 or BF16, rounded to the nearest */
  sumi_prediction prediction;
  const char *config_folder; /* as in sumi_model_options */
  sumi_family family;        /* too */
  const char *vae;           /* too */
  /* After each tensor, with how many of all are written; returns false to stop. May be NULL. */
  bool (*progress)(void *user, size_t done, size_t total);
  void *user;
} sumi_convert_options;

/* Writes the checkpoint at `in` to `out` as safetensors: what its networks consist of, and nothing that is left over.
 * It is there whole or not at all: what has the names of its files is replaced when all of them are written, a folder's
 * model_index.json last. options may be NULL.
 * Errors: as sumi_model_inspect, and MISMATCH (a tensor is missing or of another shape), INVALID (another dtype; a
 * number beyond f16's range; `out` is of the other kind, or is what is read; parts of a tensor that are of types which
 * no third one holds), CANCELLED, IO. */
SUMI_API sumi_status sumi_model_convert(sumi_context *ctx, const char *in, const char *out,
                                        const sumi_convert_options *options);

#ifdef __cplusplus
}
#endif
#endif
