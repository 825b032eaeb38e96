/* Named parameters, as layers declare them, optimisers change them and files keep them. */
#ifndef SUMI_SRC_TENSOR_WEIGHTS_H
#define SUMI_SRC_TENSOR_WEIGHTS_H

#include "tensor/graph.h"

/* How a weight lies here and in files. */
typedef enum sumi__layout {
  SUMI__LAYOUT_PLAIN, /* the same */
  SUMI__LAYOUT_CONV   /* O, H, W, I here; O, I, H, W in files */
} sumi__layout;

typedef struct sumi__weight {
  const char *name;
  sumi_dtype dtype;
  sumi_shape shape; /* as it lies here */
  sumi__layout layout;
  bool trainable; /* false: a buffer, such as fixed Fourier frequencies */
  void *data;     /* the set's, aligned to 64 bytes */
} sumi__weight;

/* Adds a member (zeros) and lends it; valid until the set is freed. Errors: INVALID if the name is taken, SHAPE,
 * NO_MEMORY. */
sumi_status sumi__weights_add(sumi_weights *weights, const char *name, sumi_dtype dtype, sumi_shape shape,
                              sumi__layout layout, bool trainable, sumi__weight **out);
sumi__weight *sumi__weights_at(sumi_weights *weights, size_t i);
sumi_context *sumi__weights_context(const sumi_weights *weights);

/* The shape that a file has for it. */
sumi_shape sumi__weight_file_shape(const sumi__weight *w);
/* Copies f32 values between the file's order and ours; count elements each. */
void sumi__weight_from_file_order(const sumi__weight *w, float *ours, const float *file);
void sumi__weight_to_file_order(const sumi__weight *w, float *file, const float *ours);

#endif
