/* sumi/tensor.h: describe a computation once, compile it for a backend, run it any number of times.
 *
 *   sumi_graph *g = NULL;                                   // error handling left out
 *   sumi_graph_create(ctx, &g);
 *   sumi_tensor *x = sumi_input(g, "x", SUMI_F32, SUMI_SHAPE(2, 3));
 *   sumi_tensor *y = sumi_sum(g, sumi_square(g, x), 2, (int[]){0, 1}, false);
 *   sumi_tensor *dx = NULL;
 *   sumi_grad(g, y, 1, &x, &dx);
 *   sumi_program *p = NULL;
 *   sumi_compile(backend, g, 2, (sumi_tensor *[]){y, dx}, NULL, &p);
 *   sumi_set(p, x, values);
 *   sumi_run(p);
 *   sumi_get(p, y, &loss);
 *
 * Builders check shapes at once. On a fault they return NULL, and NULL passes through every builder, so calls can be
 * chained; the graph keeps the first message, and sumi_compile (or sumi_graph_status) reports it.
 *
 * Layout: row-major, outermost dimension first. Pictures and feature maps are N, H, W, C; tokens are N, T, D;
 * convolution weights are O, H, W, I; matrices of linear layers are O, I. */
#ifndef SUMI_TENSOR_H
#define SUMI_TENSOR_H

#include "sumi/base.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Types and shapes ---------------------------------------------------------------------------------------- */

typedef enum sumi_dtype {
  SUMI_F32,
  SUMI_BF16,
  SUMI_F16,
  SUMI_F64,
  SUMI_U8,
  SUMI_I8,
  SUMI_I16,
  SUMI_I32,
  SUMI_I64,
  SUMI_BOOL,
  SUMI_DTYPE_COUNT
} sumi_dtype;

SUMI_API size_t sumi_dtype_bytes(sumi_dtype dtype);
SUMI_API const char *sumi_dtype_name(sumi_dtype dtype); /* "f32", "bf16", ... */

enum { SUMI_MAX_RANK = 6 };

typedef struct sumi_shape {
  int rank; /* 0 (a scalar) to SUMI_MAX_RANK */
  int64_t dims[SUMI_MAX_RANK];
} sumi_shape;

/* SUMI_SHAPE(8, 28, 28, 1); SUMI_SCALAR is the shape of a single number. */
#define SUMI_SHAPE(...)                                                                                                \
  sumi_shape_make((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define SUMI_SCALAR sumi_shape_make(0, NULL)
/* A rank outside of 0..SUMI_MAX_RANK gives rank -1, which every builder refuses. */
SUMI_API sumi_shape sumi_shape_make(int rank, const int64_t *dims);
SUMI_API int64_t sumi_shape_count(const sumi_shape *shape); /* elements */
SUMI_API bool sumi_shape_equal(const sumi_shape *a, const sumi_shape *b);

/* ---- Weights: named parameters, kept outside of graphs --------------------------------------------------------- */

/* A set of named arrays: a model's parameters and buffers. Graphs refer to its members; programs read them in place,
 * so that an optimiser's update or a load is seen by the next run of a program that was compiled as trainable. */
typedef struct sumi_weights sumi_weights;
typedef struct sumi_tensor sumi_tensor;
typedef struct sumi_graph sumi_graph;
typedef struct sumi_backend sumi_backend;
typedef struct sumi_program sumi_program;

SUMI_API sumi_status sumi_weights_create(sumi_context *ctx, sumi_weights **out);
SUMI_API void sumi_weights_free(sumi_weights *weights);
SUMI_API size_t sumi_weights_count(const sumi_weights *weights);
/* The i-th member in order of addition; the pointers are lent and valid until the set is freed. */
SUMI_API const char *sumi_weights_name(const sumi_weights *weights, size_t i);
SUMI_API sumi_shape sumi_weights_shape(const sumi_weights *weights, size_t i);
SUMI_API void *sumi_weights_data(sumi_weights *weights, size_t i);
/* The index of a name, or -1. */
SUMI_API int64_t sumi_weights_find(const sumi_weights *weights, const char *name);

/* ---- Graphs -------------------------------------------------------------------------------------------------- */

SUMI_API sumi_status sumi_graph_create(sumi_context *ctx, sumi_graph **out);
SUMI_API void sumi_graph_free(sumi_graph *g);
/* The first fault of a builder; its sentence is in sumi_context_error() once this has been called. */
SUMI_API sumi_status sumi_graph_status(const sumi_graph *g);
/* What matrix products, convolutions and attention of nodes built from now on compute in: SUMI_F32 (the default) or
 * SUMI_BF16. Their operands are cast to it, and their results have it. */
SUMI_API void sumi_graph_set_compute(sumi_graph *g, sumi_dtype dtype);

SUMI_API sumi_dtype sumi_tensor_dtype(const sumi_tensor *t);
SUMI_API sumi_shape sumi_tensor_shape(const sumi_tensor *t);

/* A value that the caller sets before a run. The name is copied and may be NULL. */
SUMI_API sumi_tensor *sumi_input(sumi_graph *g, const char *name, sumi_dtype dtype, sumi_shape shape);
/* A member of a set of weights, which must outlive the programs compiled from the graph. f32. The same name gives
 * the same tensor. */
SUMI_API sumi_tensor *sumi_param(sumi_graph *g, sumi_weights *weights, const char *name);
/* A constant; `data` (row-major, of the dtype) is copied. */
SUMI_API sumi_tensor *sumi_constant(sumi_graph *g, sumi_dtype dtype, sumi_shape shape, const void *data);

/* The gradients of the scalar `loss` with respect to `n` tensors of the graph, as new nodes of it: dx[i] has the
 * shape and dtype of x[i] (zeros where the loss does not depend on it). */
SUMI_API sumi_status sumi_grad(sumi_graph *g, sumi_tensor *loss, int n, sumi_tensor *const *x, sumi_tensor **dx);

/* Gradient checkpointing: nodes built between the two calls are a segment, whose inner values are not kept for
 * gradients. A later sumi_grad adds the segment's nodes a second time, where the gradient comes by, so that only what
 * goes into segments and what comes out of them is alive in between: less memory for about as much more time as a
 * forward pass takes. The gradients are the same, bit for bit in f32; in bf16 a value may be rounded once more or less,
 * as chains of elementwise operators become other ones. A beginning within a segment ends it and begins another. */
SUMI_API void sumi_segment_begin(sumi_graph *g);
SUMI_API void sumi_segment_end(sumi_graph *g);

/* ---- Operators. Each is one file of src/ops, whose head has the formula and its source ------------------------- */

/* Elementwise, with broadcasting as in NumPy. Mixed dtypes give the wider one; f32 inside. */
SUMI_API sumi_tensor *sumi_add(sumi_graph *g, sumi_tensor *a, sumi_tensor *b);
SUMI_API sumi_tensor *sumi_sub(sumi_graph *g, sumi_tensor *a, sumi_tensor *b);
SUMI_API sumi_tensor *sumi_mul(sumi_graph *g, sumi_tensor *a, sumi_tensor *b);
SUMI_API sumi_tensor *sumi_div(sumi_graph *g, sumi_tensor *a, sumi_tensor *b);
SUMI_API sumi_tensor *sumi_maximum(sumi_graph *g, sumi_tensor *a, sumi_tensor *b); /* gradient to a where equal */
SUMI_API sumi_tensor *sumi_affine(sumi_graph *g, sumi_tensor *x, float scale, float shift); /* scale * x + shift */
SUMI_API sumi_tensor *sumi_clamp(sumi_graph *g, sumi_tensor *x, float low,
                                 float high); /* gradient 1 within, ends too */
SUMI_API sumi_tensor *sumi_square(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_sqrt(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_exp(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_log(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_sin(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_cos(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_tanh(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_erf(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_abs(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_sigmoid(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_silu(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_gelu(sumi_graph *g, sumi_tensor *x);       /* exact, with erf */
SUMI_API sumi_tensor *sumi_quick_gelu(sumi_graph *g, sumi_tensor *x); /* x sigmoid(1.702 x), as CLIP ViT-L has it */
SUMI_API sumi_tensor *sumi_relu(sumi_graph *g, sumi_tensor *x);
SUMI_API sumi_tensor *sumi_leaky_relu(sumi_graph *g, sumi_tensor *x, float slope);
SUMI_API sumi_tensor *sumi_cast(sumi_graph *g, sumi_tensor *x, sumi_dtype dtype);
/* 1 where x >= threshold, else 0; its gradient is zero. */
SUMI_API sumi_tensor *sumi_step(sumi_graph *g, sumi_tensor *x, float threshold);
/* The same value, with no gradient flowing to x. */
SUMI_API sumi_tensor *sumi_stop_gradient(sumi_graph *g, sumi_tensor *x);

/* Shape. `dims` of reshape may have one -1. Negative axes count from the end. */
SUMI_API sumi_tensor *sumi_reshape(sumi_graph *g, sumi_tensor *x, sumi_shape shape);
SUMI_API sumi_tensor *sumi_permute(sumi_graph *g, sumi_tensor *x,
                                   const int *axes); /* axes[i]: where dimension i of the result comes from */
SUMI_API sumi_tensor *sumi_broadcast(sumi_graph *g, sumi_tensor *x, sumi_shape shape);
SUMI_API sumi_tensor *sumi_concat(sumi_graph *g, int n, sumi_tensor *const *xs, int axis);
SUMI_API sumi_tensor *sumi_slice(sumi_graph *g, sumi_tensor *x, int axis, int64_t begin, int64_t end);
/* Zeros around x: before[i] and after[i] for each dimension (0 or more). */
SUMI_API sumi_tensor *sumi_pad(sumi_graph *g, sumi_tensor *x, const int64_t *before, const int64_t *after);

/* Reductions over n distinct axes; the result is f32. keep: leave the axes in place with size 1. */
SUMI_API sumi_tensor *sumi_sum(sumi_graph *g, sumi_tensor *x, int n, const int *axes, bool keep);
SUMI_API sumi_tensor *sumi_mean(sumi_graph *g, sumi_tensor *x, int n, const int *axes, bool keep);
SUMI_API sumi_tensor *sumi_max(sumi_graph *g, sumi_tensor *x, int n, const int *axes, bool keep);
SUMI_API sumi_tensor *sumi_sum_all(sumi_graph *g, sumi_tensor *x);  /* to a scalar */
SUMI_API sumi_tensor *sumi_mean_all(sumi_graph *g, sumi_tensor *x); /* to a scalar */
SUMI_API sumi_tensor *sumi_softmax(sumi_graph *g, sumi_tensor *x, int axis);
SUMI_API sumi_tensor *sumi_log_softmax(sumi_graph *g, sumi_tensor *x, int axis);

/* Matrix products over the last two dimensions, (..., M, K) x (..., K, N) -> (..., M, N); leading dimensions
 * broadcast; a transposed operand is stored (..., K, M) or (..., N, K). bias: f32 (N), or NULL. */
SUMI_API sumi_tensor *sumi_matmul(sumi_graph *g, sumi_tensor *a, sumi_tensor *b, bool transpose_a, bool transpose_b,
                                  sumi_tensor *bias);
/* x (..., I) by w (O, I) -> (..., O). */
SUMI_API sumi_tensor *sumi_linear(sumi_graph *g, sumi_tensor *x, sumi_tensor *w, sumi_tensor *bias);

/* A convolution's geometry. pad_*: zeros at each side. */
typedef struct sumi_conv_options {
  int stride_h, stride_w; /* 0 means 1 */
  int pad_top, pad_left, pad_bottom, pad_right;
  int dilation_h, dilation_w; /* 0 means 1 */
  int groups;                 /* 0 means 1 */
} sumi_conv_options;
/* x (N, H, W, I) with w (O, KH, KW, I/groups) and bias (O) f32 or NULL -> (N, OH, OW, O), a cross-correlation as
 * in PyTorch. options NULL: stride 1, no padding. */
SUMI_API sumi_tensor *sumi_conv2d(sumi_graph *g, sumi_tensor *x, sumi_tensor *w, sumi_tensor *bias,
                                  const sumi_conv_options *options);
/* The transposed convolution, the gradient of conv2d for its input. x (N, H, W, O) with w (O, KH, KW, I/groups)
 * -> (N, (H-1)*stride - pads + dilation*(K-1) + 1 + output_pad, ..., I). Here O is the *input* width, as conv2d's w
 * would be read backwards; PyTorch's ConvTranspose2d stores the same order (in, out, KH, KW). */
SUMI_API sumi_tensor *sumi_conv_transpose2d(sumi_graph *g, sumi_tensor *x, sumi_tensor *w, sumi_tensor *bias,
                                            const sumi_conv_options *options, int output_pad_h, int output_pad_w);

/* Norms; gamma and beta are f32 (C) or both NULL. Inside f32; the result has the dtype of x. */
SUMI_API sumi_tensor *sumi_group_norm(sumi_graph *g, sumi_tensor *x, sumi_tensor *gamma, sumi_tensor *beta, int groups,
                                      float eps); /* x (N, ..., C), statistics over everything but N within a group */
/* SiLU(group_norm(x + shift)) in one pass over memory; shift (N, C) is added to every position of its picture (a time
 * embedding, say) and may be NULL. */
SUMI_API sumi_tensor *sumi_group_norm_silu(sumi_graph *g, sumi_tensor *x, sumi_tensor *shift, sumi_tensor *gamma,
                                           sumi_tensor *beta, int groups, float eps);
SUMI_API sumi_tensor *sumi_layer_norm(sumi_graph *g, sumi_tensor *x, sumi_tensor *gamma, sumi_tensor *beta,
                                      float eps); /* over the last dimension */

/* softmax(scale q k^T + mask) v, fused. q (N, T, H, D), k and v (N, S, H, D) -> (N, T, H, D): heads laid out as
 * (head, dim), so that tokens (N, T, H*D) reshape to it. mask NULL or f32, broadcastable to (N, H, T, S), added to
 * the scores (no gradient flows to it). scale 0 means 1/sqrt(D). causal: position t sees s <= t. */
SUMI_API sumi_tensor *sumi_attention(sumi_graph *g, sumi_tensor *q, sumi_tensor *k, sumi_tensor *v, sumi_tensor *mask,
                                     float scale, bool causal);
/* x (..., 2D): a * gelu(b) with a the first and b the second half, as diffusers' GEGLU. */
SUMI_API sumi_tensor *sumi_geglu(sumi_graph *g, sumi_tensor *x);

/* Pictures (N, H, W, C). */
SUMI_API sumi_tensor *sumi_upsample_nearest(sumi_graph *g, sumi_tensor *x, int factor_h, int factor_w);
SUMI_API sumi_tensor *sumi_resize_bilinear(sumi_graph *g, sumi_tensor *x, int64_t height, int64_t width,
                                           bool align_corners);
SUMI_API sumi_tensor *sumi_avg_pool2d(sumi_graph *g, sumi_tensor *x, int kernel, int stride); /* no padding */
SUMI_API sumi_tensor *sumi_max_pool2d(sumi_graph *g, sumi_tensor *x, int kernel, int stride); /* no padding */

/* table (V, D), ids i32 or i64 (...) -> (..., D). An id outside of [0, V) fails the run. */
SUMI_API sumi_tensor *sumi_embedding(sumi_graph *g, sumi_tensor *table, sumi_tensor *ids);

/* Randomness inside graphs: Philox4x32-10, a function of the state (an input of two i64: seed, and a counter that
 * the caller moves on by one for each run) and of the node's own `stream`, which the graph numbers. */
SUMI_API sumi_tensor *sumi_random_uniform(sumi_graph *g, sumi_tensor *state, sumi_shape shape); /* [0, 1) f32 */
SUMI_API sumi_tensor *sumi_random_normal(sumi_graph *g, sumi_tensor *state, sumi_shape shape);  /* f32 */
SUMI_API sumi_tensor *sumi_dropout(sumi_graph *g, sumi_tensor *x, sumi_tensor *state, float p); /* scaled by 1/(1-p) */

/* Losses, f32 scalars. */
SUMI_API sumi_tensor *sumi_mse_loss(sumi_graph *g, sumi_tensor *x, sumi_tensor *target); /* mean */
/* logits (N, C), labels i32 or i64 (N): mean over N; smoothing as PyTorch's label_smoothing. */
SUMI_API sumi_tensor *sumi_cross_entropy(sumi_graph *g, sumi_tensor *logits, sumi_tensor *labels, float smoothing);
/* mean of relu(1 - x) for real = true, of relu(1 + x) for false: the discriminator's hinge loss. */
SUMI_API sumi_tensor *sumi_hinge_loss(sumi_graph *g, sumi_tensor *x, bool real);

/* ---- Backends and programs ------------------------------------------------------------------------------------- */

/* The CPU, with the context's threads and instruction sets. */
SUMI_API sumi_status sumi_backend_cpu(sumi_context *ctx, sumi_backend **out);
SUMI_API void sumi_backend_free(sumi_backend *backend);

typedef struct sumi_compile_options {
  /* Weights do not change after compilation: they are packed for the kernels once, and what depends on weights and
   * constants alone is computed once. */
  bool frozen;
  /* Run the naive reference kernels and fuse nothing: slow, for checking. */
  bool reference;
  sumi_winograd winograd; /* DEFAULT: what the context's options say */
  /* Of a frozen program over weights that lie in a file: the bytes of them, packed, that it may keep, in the order in
   * which it needs them; 0: no limit. Others are read from the file, converted and packed anew in each run, and
   * Winograd filters transformed, which costs time (sumi_program_info.streamed_bytes says how many are read). Weights
   * of up to 64 KB, those that are read more than once, and what is computed of weights alone are kept in any case. */
  size_t max_weight_bytes;
  const char *name; /* for profiles; copied; may be NULL */
} sumi_compile_options;

/* Compiles the outputs (and what they need) into a program. The graph may be freed, or go on growing: the program does
 * not depend on it, and its tensors name the program's inputs and outputs for as long as that lives. options may be
 * NULL. Errors: the graph's own fault, NO_MEMORY, UNSUPPORTED. */
SUMI_API sumi_status sumi_compile(sumi_backend *backend, sumi_graph *g, int n, sumi_tensor *const *outputs,
                                  const sumi_compile_options *options, sumi_program **out);
SUMI_API void sumi_program_free(sumi_program *p);

/* Where an input or output lives between runs: row-major, of the tensor's dtype, aligned to 64 bytes; NULL if the
 * tensor is neither. Inputs keep their values over runs; outputs are valid until the next run. */
SUMI_API void *sumi_data(sumi_program *p, const sumi_tensor *t);
/* Copies the whole tensor in or out, converting nothing. */
SUMI_API sumi_status sumi_set(sumi_program *p, const sumi_tensor *input, const void *values);
SUMI_API sumi_status sumi_get(sumi_program *p, const sumi_tensor *output, void *values);

/* Executes the program. Allocates nothing, but for the little that oneDNN's primitives take for themselves. */
SUMI_API sumi_status sumi_run(sumi_program *p);

typedef struct sumi_program_info {
  int steps;                /* kernels in a run */
  size_t arena_bytes;       /* intermediate values, as placed */
  size_t lower_bound_bytes; /* the most that is alive at once, in the program's order */
  size_t inner_bytes;       /* the same of what is no output, such as activations of a step that gives gradients */
  size_t scratch_bytes;     /* the largest workspace of a kernel, shared by all */
  size_t input_bytes;       /* inputs */
  /* Weights in the kernels' own layout, and weights and values made of them that runs read as they are. Programs over
   * the same weights of a file share both, so that sums over programs count them more than once. */
  size_t packed_bytes, fixed_bytes;
  /* Weights in a file, in its type: all that the program is made of, and those read in each run for want of room. Their
   * pages are given back to the system after reading, and are not held by the process. */
  size_t lent_bytes, streamed_bytes;
  double flops; /* of matrix products and convolutions, in a run */
} sumi_program_info;
SUMI_API sumi_program_info sumi_program_describe(const sumi_program *p);

#ifdef __cplusplus
}
#endif
#endif
