/* Transposed convolutions (input gradients) to a few channels, as the last layer of a score network has. Libraries are
 * made for many channels and waste most of each vector here. Each pixel of dy first meets all taps and channels of the
 * kernel at once (a product of `out` by KH KW I columns); these are then added up where they belong in the picture. */
#ifndef SUMI_SRC_CPU_THIN_CONV_H
#define SUMI_SRC_CPU_THIN_CONV_H

#include "cpu/isa/dispatch.h"
#include "ops/attrs.h"
#include "tensor/graph.h"

enum {
  SUMI__THIN_CONV_PIXELS = 64, /* that are multiplied before they are added up */
  SUMI__THIN_CONV_VECTORS = 3  /* of columns, at most */
};

typedef struct sumi__thin_conv_task {
  sumi__conv_attrs attrs;
  sumi_dtype dtype; /* of dy and dx */
  int64_t in, out, oh, ow, columns;
  int64_t width; /* the columns as whole vectors */
  bool inside;   /* every tap of every pixel falls into the picture */
  bool pairs;    /* bf16 is multiplied as such; else it is widened */
  const void *dy;
  const float *w;    /* (out, width), or (out / 2, width) pairs of bf16 */
  const float *bias; /* or NULL */
  void *dx;
  char *work; /* work_bytes for each worker: products, the picture, and widened pixels */
  size_t work_bytes, picture_offset, wide_offset;
} sumi__thin_conv_task;

/* Pictures [begin, end). */
SUMI__ISA_DECLARE(void, sumi__cpu_thin_conv_pictures, (void *task, int64_t begin, int64_t end, int worker));

#endif
