/* The element types of safetensors, shared by its reader, its writer and its conversions. */
#ifndef SUMI_SRC_IO_SAFETENSORS_TYPES_H
#define SUMI_SRC_IO_SAFETENSORS_TYPES_H

#include "io/safetensors.h"

/* Turns n elements at `from` (not aligned) into doubles. */
typedef void (*sumi__safetensors_decode)(const uint8_t *from, size_t n, double *to);

typedef struct sumi__safetensors_type {
  const char *name;
  int bits;                        /* of an element */
  int dtype;                       /* the engine's sumi_dtype, or -1 */
  sumi__safetensors_decode decode; /* NULL for complex and sub-byte types */
} sumi__safetensors_type;

/* By the format's name, NULL if there is no such type. */
const sumi__safetensors_type *sumi__safetensors_type_named(const char *name);
/* sumi_safetensors_statistics of a tensor of any file, which `path` names. */
sumi_status sumi__safetensors_statistics_of(sumi_context *ctx, const char *path, const sumi_safetensors_tensor *tensor,
                                            sumi_statistics *out);
/* By the engine's type, NULL if it has none. */
const sumi__safetensors_type *sumi__safetensors_type_of(sumi_dtype dtype);

#endif
