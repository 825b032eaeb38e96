/* oneDNN behind a small interface of our own: convolutions, their gradients, and matrix products over the layouts that
 * graphs use. A plan is made once (for the number of threads that the library has then, sumi__set_library_threads),
 * and run any number of times by one thread at a time, in memory that it is given (but for a few hundred bytes that
 * oneDNN's primitives take for themselves). All of oneDNN is in onednn.c, which builds
 * with 2.6 and with 3.x. */
#ifndef SUMI_SRC_CPU_ONEDNN_H
#define SUMI_SRC_CPU_ONEDNN_H

#include "tensor/graph.h"

typedef struct sumi__dnn sumi__dnn;

typedef enum sumi__dnn_conv_kind {
  SUMI__DNN_CONV,            /* c (N, OH, OW, O)       = a (N, H, W, I) * b (O, KH, KW, I/groups) + bias (O) f32 */
  SUMI__DNN_CONV_INPUT_GRAD, /* c (N, H, W, I)         from a (N, OH, OW, O), b (O, KH, KW, I/groups) */
  SUMI__DNN_CONV_WEIGHT_GRAD /* c (O, KH, KW, I/groups) f32 from a (N, H, W, I), b (N, OH, OW, O) */
} sumi__dnn_conv_kind;

typedef struct sumi__dnn_conv {
  sumi__dnn_conv_kind kind;
  sumi_dtype dtype;   /* of a and b: f32 or bf16 */
  sumi_dtype c_dtype; /* f32 or bf16; of the weights' gradient always f32 */
  bool bias;          /* of SUMI__DNN_CONV alone */
  bool adds;          /* likewise: to what c has, which is the result then, rounded once */
  bool pack;          /* b is given as sumi__dnn_pack makes it; not for the weights' gradient */
  int64_t n, h, w, i, oh, ow, o, kh, kw;
  int64_t stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w, groups;
} sumi__dnn_conv;

/* c (..., m, n) = a (..., m, k) b (..., k, n) + bias (n) f32. Leading dimensions, outermost first, broadcast. */
typedef struct sumi__dnn_matmul {
  int batch_dims; /* 0 to SUMI_MAX_RANK - 2 */
  int64_t batch_a[SUMI_MAX_RANK], batch_b[SUMI_MAX_RANK];
  int64_t m, n, k;
  bool transpose_a, transpose_b; /* stored (..., k, m), (..., n, k) */
  sumi_dtype dtype, c_dtype;     /* of a and b; of c: f32 or bf16 */
  bool bias, adds, pack;         /* adds: as above */
} sumi__dnn_matmul;

/* Errors: UNSUPPORTED where oneDNN has no implementation (bf16 without AVX-512, say), NO_MEMORY, FAILED. */
sumi_status sumi__dnn_conv_create(sumi_context *ctx, const sumi__dnn_conv *spec, sumi__dnn **out);
sumi_status sumi__dnn_matmul_create(sumi_context *ctx, const sumi__dnn_matmul *spec, sumi__dnn **out);
void sumi__dnn_free(sumi__dnn *d);

/* Workspace that packing and running need, aligned to 64 bytes. */
size_t sumi__dnn_scratch_bytes(const sumi__dnn *d);
/* Of b as it is given to a run; 0 unless `pack` was asked for. */
size_t sumi__dnn_packed_bytes(const sumi__dnn *d);
/* A hash of the layout that b is packed in, not 0: plans with equal ones read each other's packed operands. */
uint64_t sumi__dnn_packed_layout(const sumi__dnn *d);

/* The layout of a packed b. The indices of an element are divided by the sizes of blocks, the last one first, of the
 * dimension that each is of: the remainders are its place inside of a block, where the last runs fastest, and what
 * remains of the indices its block's, by the strides. */
typedef struct sumi__dnn_blocks {
  sumi_dtype dtype;
  int column_dim, depth_dim; /* output and input channels; of four dimensions, the last two are taps */
  int ndims, blocks;
  const int64_t *dims, *padded, *strides, *sizes, *indices; /* the plan's; padded: dims with the zeros behind them */
} sumi__dnn_blocks;
/* False where the layout is another one, where there is more than elements in it, or where b is not one matrix (for
 * each tap), stored column by column. */
bool sumi__dnn_packed_blocks(const sumi__dnn *d, sumi__dnn_blocks *out);

sumi_status sumi__dnn_pack(sumi__dnn *d, const void *b, void *packed, void *scratch);
sumi_status sumi__dnn_run(sumi__dnn *d, const void *a, const void *b, const float *bias, void *c, void *scratch);

#endif
