/* What the group_norm kernels and their loops for each instruction set share. The work is cut into units: a picture
 * and a range of channels that holds whole groups, small enough to stay in the cache over several passes. Each unit's
 * sums are its own, so results do not depend on the number of threads. */
#ifndef SUMI_SRC_CPU_GROUP_NORM_H
#define SUMI_SRC_CPU_GROUP_NORM_H

#include "cpu/isa/dispatch.h"
#include "ops/attrs.h"
#include "tensor/graph.h"

typedef struct sumi__group_norm_task {
  sumi__group_norm_attrs attrs;
  sumi_dtype dtype; /* of x, y, dy, dx: f32, bf16 or f16 */
  int64_t batch, positions, channels;
  int64_t unit_channels; /* whole groups; the last unit of a picture may have fewer */
  int64_t units;         /* of all pictures */
  const void *x;
  const float *shift, *gamma, *beta; /* NULL where there is none */
  void *y;
  float *stats; /* written forward, read backward */
  /* Backward. */
  const void *dy;
  void *dx;
  float *dshift;               /* (N, C) or NULL */
  float *dgamma_of, *dbeta_of; /* (N, C): what each picture contributes; NULL where not affine */
  float *work;                 /* work_floats for each worker */
  int64_t work_floats;
  /* Forward, where a picture is large: pieces of `chunk` positions with all their channels instead, so that memory is
   * read line by line. 0: by units. */
  int64_t chunk, chunks;          /* of a picture */
  float *chunk_mean, *chunk_sums; /* (N, chunks, C): means, and sums of squared distances from them */
  float *scale, *offset;          /* (N, C): y = x * scale + offset */
} sumi__group_norm_task;

enum { SUMI__GROUP_NORM_ROWS = 6 }; /* of `unit_channels` floats in a worker's memory; du follows them */

/* Units [begin, end), with the memory of `worker`. */
SUMI__ISA_DECLARE(void, sumi__cpu_group_norm_units, (void *task, int64_t begin, int64_t end, int worker));
/* Chunks [begin, end) of all pictures are measured; pictures [begin, end) get their factors; chunks are normalised. */
SUMI__ISA_DECLARE(void, sumi__cpu_group_norm_measure, (void *task, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_group_norm_join, (void *task, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_group_norm_apply, (void *task, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_group_norm_grad_units, (void *task, int64_t begin, int64_t end, int worker));

#endif
