/* The gradient of a 3x3 convolution's weights by Winograd's algorithm. With the forward pass as
 * y = A^T [(G w G^T) (B^T x B)] A for each tile, the transposed steps are
 *
 *   dw = G^T [sum over tiles of (A dy A^T) (B^T x B)] G
 *
 * so that for each of the (m+2)^2 positions there is one matrix product, summed over the tiles: (m+2)^2 / m^2 products
 * a pixel instead of 9. Blocks of tiles are transformed into panels (all threads), each thread multiplies positions and
 * columns of its own, and at the end the sums become taps. Memory is counted in units of 32 bits: an f32, or the bf16
 * of two tiles. */
#ifndef SUMI_SRC_CPU_WINOGRAD_GRAD_H
#define SUMI_SRC_CPU_WINOGRAD_GRAD_H

#include "cpu/isa/dispatch.h"
#include "tensor/graph.h"

typedef struct sumi__winograd_grad {
  int m;      /* gradients of results in a tile along each side: 2 or 4 */
  bool pairs; /* products of bf16 in pairs; else f32 */
  sumi_dtype dtype;
  int64_t n, h, w, i, oh, ow, o; /* pictures; of x; of dy */
  int64_t pad_top, pad_left;
  int64_t tiles_h, tiles_w, tiles;
  int64_t vector;                             /* floats of the context's vectors */
  int64_t rows, columns;                      /* o and i, rounded up to whole vectors */
  int64_t panels;                             /* of columns */
  int64_t steps;                              /* units of the sum in a block */
  int64_t a_position, b_position, c_position; /* units from one position to the next: of dy, of x, of sums */
} sumi__winograd_grad;

typedef struct sumi__winograd_grad_run {
  const sumi__winograd_grad *p;
  const void *x, *dy;
  float *dw;
  const float *zeros;  /* as many as a pixel's bytes fill */
  float *a, *b, *c;    /* transformed dy and x of the block; sums */
  int64_t first, used; /* tile that the block begins at; steps that it has */
} sumi__winograd_grad_run;

/* For sumi__parallel_for: steps of the block; positions times panels of columns; outputs. */
SUMI__ISA_DECLARE(void, sumi__cpu_winograd_grad_pixels, (void *run, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_winograd_grad_products, (void *run, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_winograd_grad_taps, (void *run, int64_t begin, int64_t end, int worker));

#endif
