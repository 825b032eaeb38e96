/* Sums over pixels of outer products: the gradient of a convolution's weights, and A^T B, which is that of a 1x1
 * convolution over a single row of pixels.
 *
 *   dw (O, KH, KW, I) = sum over pixels p of dy[p] (O) times x around p (KH, KW, I)
 *
 * As a matrix product, M = O rows by KH KW I columns, summed over K = pixels. Blocks of pixels are packed: dy into
 * panels of a few rows, x into panels of a few vectors of columns (that is where the convolution's geometry goes), so
 * that a tile of dw stays in registers while it runs over a block. Each element is summed in the same order whatever
 * the number of threads. */
#ifndef SUMI_SRC_CPU_WEIGHT_GRAD_H
#define SUMI_SRC_CPU_WEIGHT_GRAD_H

#include "cpu/isa/dispatch.h"
#include "tensor/graph.h"

enum {
  SUMI__WEIGHT_GRAD_PIXELS = 256, /* of a block */
  SUMI__WEIGHT_GRAD_VECTORS = 3   /* of a panel of columns */
};

typedef struct sumi__weight_grad_task {
  sumi_dtype dtype; /* of x and dy: f32 or bf16 */
  int64_t pixels, h, w, in, oh, ow, out, kernel_h, kernel_w;
  int64_t stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
  bool inside; /* no window reaches into the padding */
  int64_t columns, tile_rows, panel_columns, column_panels;
  int64_t row_groups, group_rows; /* rows are divided among threads where columns are too few */
  const void *x, *dy;
  float *dw;
  char *work; /* work_bytes for each worker */
  size_t work_bytes, b_offset, pixel_offset;
} sumi__weight_grad_task;

/* Where a pixel's window begins. */
typedef struct sumi__window {
  int64_t offset; /* in elements, into x; may be negative */
  int32_t y, x;   /* may be negative */
} sumi__window;

/* Rows of a tile on an instruction set. */
static inline int64_t sumi__weight_grad_tile_rows(sumi__isa isa) { return isa >= SUMI__ISA_AVX512 ? 8 : 4; }

/* Items [begin, end): item i is the column panel i % column_panels of the row group i / column_panels. */
SUMI__ISA_DECLARE(void, sumi__cpu_weight_grad_items, (void *task, int64_t begin, int64_t end, int worker));

#endif
