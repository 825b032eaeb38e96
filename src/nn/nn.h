/* Layers with named parameters, built from operators.
 *
 *   sumi__rng rng;                                     // new weights, initialised as PyTorch does
 *   sumi__rng_seed(&rng, 0);
 *   sumi__nn nn = sumi__nn_root(g, weights);
 *   nn.init = &rng;
 *   sumi__nn block = sumi__nn_scope(&nn, "ffn");
 *   y = sumi__nn_linear(&block, "0", x, 512, true);    // weights now has ffn.0.weight and ffn.0.bias
 *
 * A layer looks for its parameters under the scope's prefix. Where they are missing they come from `source` if it is
 * set, else from `init` if it is set, and else the build fails; where they are there, their shapes must fit. So the
 * same builder makes a new model, loads one, and builds another graph (another batch size) over the same weights.
 * Without weights it makes a sketch of the model, from which its parameters can be listed at no cost.
 *
 * Like operators, layers return NULL on a fault, pass NULL through, and leave the sentence with the graph. */
#ifndef SUMI_SRC_NN_NN_H
#define SUMI_SRC_NN_NN_H

#include "base/random.h"
#include "io/tensor_source.h"
#include "tensor/weights.h"

enum { SUMI__NN_NAME_MAX = 192 };

/* Plain data: copies are independent scopes over the same graph and weights. */
typedef struct sumi__nn {
  sumi_graph *g;
  sumi_weights *weights;             /* NULL: a sketch, whose parameters are inputs of the graph with their names */
  const sumi__tensor_source *source; /* lent; NULL: no file */
  bool lend;           /* parameters stay in the source, which then has to outlive the weights, and are not trained */
  sumi__rng *init;     /* lent; NULL: nothing is initialised */
  bool training;       /* dropout drops */
  bool recompute;      /* the values inside of blocks are computed again for gradients: sumi_segment_begin */
  sumi_tensor *random; /* dropout's state, an input of two i64 (see sumi_random_uniform); unused and possibly
                          NULL while not training */
  char prefix[SUMI__NN_NAME_MAX];
} sumi__nn;

/* The outermost scope, with an empty prefix, no source of new parameters, and not training. */
sumi__nn sumi__nn_root(sumi_graph *g, sumi_weights *weights);
/* The scope "PREFIX.name" (or "name" at the root). */
sumi__nn sumi__nn_scope(const sumi__nn *nn, const char *name);

/* The beginning and the end of a block: a segment of the graph where nn->recompute asks for that. */
void sumi__nn_block_begin(const sumi__nn *nn);
void sumi__nn_block_end(const sumi__nn *nn);

/* How a new parameter starts. */
typedef enum sumi__init_kind {
  SUMI__INIT_ZEROS,
  SUMI__INIT_ONES,
  SUMI__INIT_UNIFORM, /* in [-scale, scale) */
  SUMI__INIT_NORMAL   /* of standard deviation scale */
} sumi__init_kind;

typedef struct sumi__param_spec {
  sumi_shape shape; /* as it lies here */
  sumi__layout layout;
  bool trainable;
  sumi__init_kind init;
  double scale;
} sumi__param_spec;

/* The parameter "PREFIX.name". Random values are drawn in the file's order, as torch.nn.init does.
 * Faults: NOT_FOUND (missing, with neither file nor generator), MISMATCH (another shape), INVALID (name too long). */
sumi_tensor *sumi__nn_param(const sumi__nn *nn, const char *name, const sumi__param_spec *spec);

/* ---- Layers. Parameters "PREFIX.name.weight" and, with `bias`, "PREFIX.name.bias"; defaults of torch.nn. ----------
 */

/* x (..., I) -> (..., out), nn.Linear. weight (out, I). */
sumi_tensor *sumi__nn_linear(const sumi__nn *nn, const char *name, sumi_tensor *x, int64_t out, bool bias);

/* x (N, H, W, I) -> (N, OH, OW, out), nn.Conv2d with a square kernel; options as in sumi_conv2d.
 * weight (out, K, K, I/groups) here, (out, I/groups, K, K) in files. */
sumi_tensor *sumi__nn_conv2d(const sumi__nn *nn, const char *name, sumi_tensor *x, int64_t out, int64_t kernel,
                             const sumi_conv_options *options, bool bias);

/* x (N, H, W, I) -> (N, OH, OW, out), nn.ConvTranspose2d with a square kernel; options as in
 * sumi_conv_transpose2d. weight (I, K, K, out/groups) here, (I, out/groups, K, K) in files. */
sumi_tensor *sumi__nn_conv_transpose2d(const sumi__nn *nn, const char *name, sumi_tensor *x, int64_t out,
                                       int64_t kernel, const sumi_conv_options *options, int output_pad, bool bias);

/* x (N, ..., C), nn.GroupNorm(groups, C, eps). weight and bias (C). */
sumi_tensor *sumi__nn_group_norm(const sumi__nn *nn, const char *name, sumi_tensor *x, int groups, float eps);

/* SiLU(GroupNorm(x + shift)); shift (N, C), f32, or NULL. */
sumi_tensor *sumi__nn_group_norm_silu(const sumi__nn *nn, const char *name, sumi_tensor *x, sumi_tensor *shift,
                                      int groups, float eps);

/* x (..., D), nn.LayerNorm(D, eps). weight and bias (D). */
sumi_tensor *sumi__nn_layer_norm(const sumi__nn *nn, const char *name, sumi_tensor *x, float eps);

/* ids (...) i32 or i64 -> (..., width) f32, nn.Embedding(count, width). weight (count, width). */
sumi_tensor *sumi__nn_embedding(const sumi__nn *nn, const char *name, sumi_tensor *ids, int64_t count, int64_t width);
/* The same layer's table (count, width), for rows that no id asks for. */
sumi_tensor *sumi__nn_embedding_table(const sumi__nn *nn, const char *name, int64_t count, int64_t width);

/* t (N) f32 -> (N, width) f32: sin(2 pi t W), then cos(2 pi t W), with fixed W (width/2) ~ N(0, scale^2) (M. Tancik et
 * al., "Fourier features let networks learn high frequency functions", 2020). W is the buffer "PREFIX.name.W". */
sumi_tensor *sumi__nn_fourier_features(const sumi__nn *nn, const char *name, sumi_tensor *t, int64_t width,
                                       double scale);

/* While training: zero with probability p, else x/(1-p). Otherwise x itself. */
sumi_tensor *sumi__nn_dropout(const sumi__nn *nn, sumi_tensor *x, float p);

#endif
