/* Convolutions, their input gradients and matrix products in f32 by kernels of our own, for contexts that may not use
 * all of the processor's instruction sets: oneDNN chooses by the processor, for the whole process.
 *
 * All three are sums over taps of products,
 *   c[row] (N) = bias (N) + sum over taps t of a[pixel(row, t)] (K) times b[t] (K, N),
 * where a row is a pixel of the result, and a tap reads the pixel of `a` that the kernel's position meets, or nothing.
 * A matrix product has one tap. In an input gradient with strides the rows fall into classes that meet different taps.
 * Independent products (groups of channels, a batch of matrices) differ in their offsets alone. */
#ifndef SUMI_SRC_CPU_TAPS_H
#define SUMI_SRC_CPU_TAPS_H

#include "cpu/isa/dispatch.h"
#include "cpu/onednn.h"

enum {
  SUMI__TAPS_ROWS = 64,  /* of an item of work */
  SUMI__TAPS_VECTORS = 3 /* of a panel of columns */
};

/* Rows (h, w) with h = first_h + i step_h, w = first_w + j step_w for i < rows_h, j < rows_w, of all pictures. */
typedef struct sumi__tap_class {
  int64_t first_h, first_w, rows_h, rows_w;
  int n_taps;
  int *taps;        /* kh * kernel_w + kw */
  int64_t item_end; /* items of this and earlier classes */
} sumi__tap_class;

/* One of the independent products. */
typedef struct sumi__tap_product {
  int64_t a, b, c; /* offsets: into a, the packed b, and c */
  int64_t column;  /* into the bias */
} sumi__tap_product;

typedef struct sumi__taps {
  sumi_context *ctx;
  int threads;
  bool gradient;                 /* an input gradient: taps read against the kernel's direction */
  int64_t n, c_h, c_w, a_h, a_w; /* pictures; sizes of the result's and of a's */
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
  int64_t k, columns;         /* of one product */
  int64_t a_stride, c_stride; /* elements from pixel to pixel */
  int64_t vector;             /* floats of the context's vectors */
  /* b as it comes: elements from one tap, k, column, product to the next. */
  int64_t b_tap, b_k, b_column, b_product;
  int64_t b_count, packed_floats; /* different right operands, and the floats of each when packed */
  int n_classes;
  sumi__tap_class *classes;
  int64_t items; /* of work in one product */
  int64_t n_products;
  sumi__tap_product *products;
  /* a is transposed before: so many matrices of k by c_w. */
  int64_t transposed;
} sumi__taps;

typedef struct sumi__taps_call {
  const sumi__taps *t;
  const float *a, *b, *bias, *zeros; /* b packed; zeros: k of them */
  float *c;
  char *work; /* for each worker: a table of pointers */
  size_t work_bytes;
} sumi__taps_call;

sumi_status sumi__taps_conv_create(sumi_context *ctx, const sumi__dnn_conv *spec, sumi__taps **out);
sumi_status sumi__taps_matmul_create(sumi_context *ctx, const sumi__dnn_matmul *spec, sumi__taps **out);
void sumi__taps_free(sumi__taps *t);
size_t sumi__taps_scratch_bytes(const sumi__taps *t);
size_t sumi__taps_packed_bytes(const sumi__taps *t);
/* A hash of the packed layout, not 0. */
uint64_t sumi__taps_packed_layout(const sumi__taps *t);
void sumi__taps_pack(const sumi__taps *t, const float *b, float *packed);
void sumi__taps_run(const sumi__taps *t, const float *a, const float *packed, const float *bias, float *c,
                    void *scratch);

/* Items [begin, end) of all products, product by product. */
SUMI__ISA_DECLARE(void, sumi__cpu_taps_items, (void *call, int64_t begin, int64_t end, int worker));

#endif
