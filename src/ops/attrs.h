/* What operators with kernels of their own in backends carry as attributes, and the order of their inputs and outputs.
 * Shapes: N, H, W, C; T query and S key tokens, D head size, A heads. "[bias]" is an input that may be left out. */
#ifndef SUMI_SRC_OPS_ATTRS_H
#define SUMI_SRC_OPS_ATTRS_H

#include "sumi/tensor.h"

/* sum, max: x -> y f32 */
typedef struct sumi__reduce_attrs {
  bool axes[SUMI_MAX_RANK]; /* reduced */
  bool keep;
} sumi__reduce_attrs;

/* permute: x -> y with y.dims[i] = x.dims[axes[i]] */
typedef struct sumi__permute_attrs {
  int axes[SUMI_MAX_RANK];
} sumi__permute_attrs;

/* concat: n inputs -> y, along the axis */
typedef struct sumi__concat_attrs {
  int axis;
} sumi__concat_attrs;

/* slice: x -> y = x[begin, end) along the axis */
typedef struct sumi__slice_attrs {
  int axis;
  int64_t begin, end;
} sumi__slice_attrs;

/* pad: x -> y with zeros around */
typedef struct sumi__pad_attrs {
  int64_t before[SUMI_MAX_RANK], after[SUMI_MAX_RANK];
} sumi__pad_attrs;

/* softmax, log_softmax: over the last dimension, x -> y of the same dtype.
 * geglu: x (..., 2D) -> y (..., D). geglu_grad: dy (..., D), x (..., 2D) -> dx like x.
 * embedding: table (V, D), ids i32 or i64 (...) -> y (..., D) like the table. embedding_grad: dy, ids -> dtable (V, D)
 * f32; its attribute is V, one int64_t.
 * cross_entropy: logits (N, C) f32, labels i32 or i64 (N) -> loss () f32. cross_entropy_grad: dloss, logits, labels ->
 * dlogits f32. The attribute of both is the smoothing, one float. */

/* matmul: a (..., M, K), b (..., K, N), [bias (N) f32] -> y (..., M, N) of `dtype`; a transposed operand is stored
 * with its last two dimensions swapped. Both operands have the same dtype, f32 or bf16. */
typedef struct sumi__matmul_attrs {
  bool transpose_a, transpose_b;
  sumi_dtype dtype;
} sumi__matmul_attrs;

/* A convolution's geometry, resolved. It is shared by
 *   conv2d:             x (N, H, W, I), w (O, KH, KW, I/groups), [bias (O) f32] -> y (N, OH, OW, O)
 *   conv2d_input_grad:  dy (N, OH, OW, O), w, [bias (I) f32]                    -> dx (N, H, W, I): also the
 *                       transposed convolution, whose input is dy
 *   conv2d_weight_grad: x, dy -> dw (O, KH, KW, I/groups), always f32
 * x, w and dy have the same dtype, f32 or bf16, and so have y and dx. Each is linear in each of its two operands, so
 * the three are one another's gradients. */
typedef struct sumi__conv_attrs {
  int stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w, groups;
  int64_t height, width; /* of x */
  int64_t kernel_h, kernel_w;
} sumi__conv_attrs;

/* group_norm: x (N, ..., C), shift (N, C) f32, gamma (C) f32, beta (C) f32 -> y (like x), stats (N, groups, 2) f32:
 * mean and 1/sqrt(variance + eps). z = x + shift;  u = (z - mean) * rstd * gamma + beta;  y = silu ? u * sigmoid(u) : u
 * The shift (a time embedding, say) and the SiLU are inside so that a feature map is read and written once. Inputs are,
 * in this order, those that are present of x, shift, gamma, beta.
 * group_norm_grad: dy, stats, then the same inputs -> dx (like x), dgamma (C) f32, dbeta (C) f32 (both only if
 * affine), dshift (N, C) f32 (only if has_shift), in this order. */
typedef struct sumi__group_norm_attrs {
  int groups;
  float eps;
  bool has_shift, affine, silu;
} sumi__group_norm_attrs;

/* layer_norm: x (..., D), and if affine gamma (D) f32, beta (D) f32 -> y (like x).
 * layer_norm_grad: dy, x, and if affine gamma -> dx (like x), and if affine dgamma (D) f32, dbeta (D) f32. */
typedef struct sumi__layer_norm_attrs {
  float eps;
  bool affine;
} sumi__layer_norm_attrs;

/* attention: q (N, T, A, D), k and v (N, S, A, D), [mask f32, broadcastable to (N, A, T, S)] -> y (like q),
 * lse (N, A, T) f32: the logarithm of the sum of exponentials of each row of scores.
 * attention_grad: dy, y, lse, q, k, v, [mask] -> dq, dk, dv (like q, k, v). */
typedef struct sumi__attention_attrs {
  float scale;
  bool causal, has_mask;
} sumi__attention_attrs;

/* upsample_nearest: x (N, H, W, C) -> y (N, H factor_h, W factor_w, C).
 * upsample_nearest_grad: dy (N, H factor_h, W factor_w, C) -> dx (N, H, W, C), the sum over each block. */
typedef struct sumi__upsample_attrs {
  int factor_h, factor_w;
} sumi__upsample_attrs;

/* resize_bilinear: x (N, in_h, in_w, C) -> y (N, out_h, out_w, C).
 * resize_bilinear_grad: dy (N, out_h, out_w, C) -> dx (N, in_h, in_w, C). */
typedef struct sumi__resize_attrs {
  int64_t in_h, in_w, out_h, out_w;
  bool align_corners;
} sumi__resize_attrs;

/* avg_pool2d, max_pool2d: x (N, H, W, C) -> y (N, OH, OW, C) with OH = (H - kernel) / stride + 1, rounded down.
 * avg_pool2d_grad: dy -> dx. max_pool2d_grad: dy, x -> dx: to the first highest of each window. */
typedef struct sumi__pool_attrs {
  int kernel, stride;
  int64_t height, width; /* of x */
} sumi__pool_attrs;

/* random_uniform, random_normal: state (2) i64 -> y f32. dropout: x, state -> y.
 * Element 4i+j of the result comes from lane j of Philox4x32-10 with key = the seed's two halves and counter =
 * (i low, i high, the state's counter low, stream): the same numbers on every backend and with any number of threads.
 * A normal takes two lanes: lanes 0 and 1 make elements 4i and 4i+1, lanes 2 and 3 the next two. ops/random.h has it.
 */
typedef struct sumi__random_attrs {
  int stream;
  float p;          /* dropout: the probability of zero */
  sumi_shape shape; /* of random_uniform and random_normal */
} sumi__random_attrs;

#endif
