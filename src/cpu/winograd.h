/* Convolutions 3x3 of stride 1 by Winograd's algorithm (Lavin and Gray 2015, arXiv:1509.09308): m x m results come from
 * a tile of (m+2) x (m+2) pixels as (m+2)^2 products instead of 9 m^2, each a matrix product over the channels.
 *
 * The work goes by blocks of tiles that stay in the cache: their pixels are transformed (all threads), and then each
 * thread takes panels of output channels: products for all positions of the tile, and the transformation of the sums,
 * with bias, into pixels. Memory is counted in units of 32 bits, which hold an f32 or two bf16 (isa/panel.h).
 *
 * A picture x that is read as if each pixel were there twice along both sides (conv2d_upsampled) needs less. Along one
 * side, with taps w0, w1, w2 and s their sum, each pixel has two results:
 *   y[2j] = s x[j] + w0 (x[j-1] - x[j]),  y[2j+1] = s x[j] + w2 (x[j+1] - x[j]):
 * 3 products for 2 results, 9 for 4 of a picture instead of 36, with filters no larger than the plain ones and no
 * constants that would lose digits. It is a tile of 3 x 3 pixels with 2 x 2 results, and all else is the same. */
#ifndef SUMI_SRC_CPU_WINOGRAD_H
#define SUMI_SRC_CPU_WINOGRAD_H

#include "cpu/lent.h"

enum { SUMI__WINOGRAD_MAX_SIDE = 6, SUMI__WINOGRAD_MAX = SUMI__WINOGRAD_MAX_SIDE * SUMI__WINOGRAD_MAX_SIDE };
enum { SUMI__WINOGRAD_LENT = SUMI__LENT_VALUES / 9 };

typedef struct sumi__winograd {
  int m;      /* results of a tile along each side: 2 or 4 */
  int side;   /* pixels and products of a tile along each side: m + 2, or 3 for a picture that is read twice as large */
  bool pairs; /* products of bf16 in pairs; else f32 */
  /* An input gradient, which is a convolution of dy with the filters turned round: x, h, w, i are dy's then, and the
   * filters (I, 3, 3, O). */
  bool gradient;
  sumi_dtype x_dtype, w_dtype, y_dtype;
  int64_t n, h, w, i, oh, ow, o; /* pictures; of x; of y */
  int64_t pad_top, pad_left;
  int64_t tiles_h, tiles_w, tiles; /* of a picture, of all */
  int64_t vector;                  /* floats of the context's vectors */
  int64_t units;                   /* of a tile's channels at one position, whole vectors */
  int64_t columns;                 /* o, rounded up to whole vectors */
  int64_t block;                   /* tiles that are transformed at once */
  int64_t segment;                 /* tiles whose sums a thread has at once */
  int64_t a_position, c_position;  /* units from one position of the tile to the next: of pixels, of sums */
  size_t filters_at;               /* bytes into the scratch memory, of filters that are transformed in each run */
  bool direct_tiles;               /* the plain algorithm multiplies bf16 by tiles of the processor's */
} sumi__winograd;

/* One run. Filters are packed: for each position, panels of columns. */
typedef struct sumi__winograd_run {
  const sumi__winograd *p;
  const void *x;
  const float *filters, *bias; /* bias may be NULL */
  const void *addend;          /* of y's type, or NULL */
  int64_t addend_repeats;      /* pixels of y that one of it is added to */
  void *y;
  const float *zeros;   /* as many as a pixel's bytes fill */
  float *a;             /* transformed pixels of the block */
  float *c;             /* for each worker: sums */
  int64_t c_worker;     /* floats from one worker's sums to the next */
  int64_t first, count; /* tiles of the block */
} sumi__winograd_run;

typedef struct sumi__winograd_packing {
  const sumi__winograd *p;
  const void *filters; /* (O, 3, 3, I), or of a gradient (I, 3, 3, O) */
  float *packed;
} sumi__winograd_packing;

/* The same out of a file, (O, I, 3, 3). */
typedef struct sumi__winograd_lent {
  const sumi__winograd *p;
  sumi__lent filters;
  float *packed;
} sumi__winograd_lent;

/* For sumi__parallel_for: vectors of output channels; tiles of the block; and units of products, of which a panel has
 * its number of vectors times the block's rows of tiles. */
SUMI__ISA_DECLARE(void, sumi__cpu_winograd_pack, (void *packing, int64_t begin, int64_t end, int worker));
/* Panels of output channels, in each of them blocks of SUMI__WINOGRAD_LENT input channels. */
SUMI__ISA_DECLARE(void, sumi__cpu_winograd_pack_lent, (void *packing, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_winograd_pixels, (void *run, int64_t begin, int64_t end, int worker));
SUMI__ISA_DECLARE(void, sumi__cpu_winograd_products, (void *run, int64_t begin, int64_t end, int worker));
/* Rows of tiles that are multiplied at once. */
SUMI__ISA_DECLARE(int, sumi__cpu_winograd_rows, (void));

#endif
