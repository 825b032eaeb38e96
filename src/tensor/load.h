/* A parameter that is lent by a file, as a node: it makes the values when they are needed, and nobody keeps them longer
 * than that. In a frozen program they are made while it is compiled, one by one, and packed for their kernels. */
#ifndef SUMI_SRC_TENSOR_LOAD_H
#define SUMI_SRC_TENSOR_LOAD_H

#include "tensor/weights.h"

typedef struct sumi__load_attrs {
  sumi_weights *weights; /* whose member it is */
  const void *data;      /* in the file's order and type; not necessarily aligned */
  sumi_dtype from;       /* its type: f32, bf16, f16 */
  sumi_dtype dtype;      /* of the result: f32, bf16, f16 */
  sumi_shape shape;      /* of the result */
  sumi__layout layout;
  bool mapped; /* pages may be given back after reading */
} sumi__load_attrs;

/* No inputs. */
extern const sumi__op sumi__op_load;

/* The member `w`, which is lent, in a type. The same one gives the same tensor. */
sumi_tensor *sumi__load(sumi_graph *g, sumi_weights *weights, const sumi__weight *w, sumi_dtype dtype);
/* The file has been read: its pages may go. */
void sumi__load_done(const sumi__load_attrs *attrs);

/* The same parameter as `t`, which a load node made, in another type. */
sumi_tensor *sumi__load_as(sumi_graph *g, const sumi_tensor *t, sumi_dtype dtype);

#endif
