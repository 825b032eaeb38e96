/* The networks of a checkpoint, one by one: how each is built, and the tensors that it consists of. */
#ifndef SUMI_SRC_MODELS_FAMILIES_PARTS_H
#define SUMI_SRC_MODELS_FAMILIES_PARTS_H

#include "models/families/family.h"

typedef enum sumi__part { SUMI__PART_TEXT, SUMI__PART_UNET, SUMI__PART_VAE, SUMI__PARTS } sumi__part;

/* As diffusers calls its folder: "text_encoder", "unet", "vae". */
const char *sumi__part_folder(sumi__part part);
const sumi__tensor_source *sumi__part_source(const sumi__model *model, sumi__part part);

/* Builds the network at its smallest size with inputs of its own, so that every parameter is asked for once. Faults
 * stay with the graph. */
void sumi__part_sketch(const sumi__model *model, sumi__part part, const sumi__nn *nn);

typedef enum sumi__tensor_state { SUMI__TENSOR_OK, SUMI__TENSOR_MISSING, SUMI__TENSOR_MISMATCH } sumi__tensor_state;

typedef struct sumi__part_tensor {
  const char *name; /* ours; lent by the list */
  sumi_shape shape; /* that the network needs, in a file's order */
  sumi__tensor_state state;
  sumi__tensor_view view; /* what the checkpoint has; nothing if it is missing. MISMATCH: of another shape or type */
} sumi__part_tensor;

typedef struct sumi__part_list {
  sumi_graph *graph; /* keeps the names */
  sumi__part_tensor *tensors;
  size_t count;
} sumi__part_list;

/* Every tensor that the network consists of, in the order in which it asks for them. Nothing is read but shapes. Free
 * with sumi__part_list_free; on failure the list is empty. Errors: INVALID (a configuration that makes no network),
 * NO_MEMORY. */
sumi_status sumi__part_list_make(const sumi__model *model, sumi__part part, sumi__part_list *out);
void sumi__part_list_free(const sumi__model *model, sumi__part_list *list);

#endif
