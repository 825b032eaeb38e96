/* The layers: each declares its parameters and calls its operator. */
#include "nn/nn.h"

#include <math.h>

/* The last dimension of x, or 0 when there is none (x NULL: an earlier fault). */
static int64_t width_of(const sumi_tensor *x) { return x && x->shape.rank > 0 ? x->shape.dims[x->shape.rank - 1] : 0; }

/* A tensor that a layer takes apart must have this rank. */
static bool has_rank(const sumi__nn *nn, const char *name, const sumi_tensor *x, int rank) {
  if (!x) return false;
  if (x->shape.rank == rank) return true;
  return sumi__graph_fail(nn->g, SUMI_SHAPE, "layer '%s.%s': its input has the shape %s, expected %d dimensions",
                          nn->prefix, name, SUMI__SHAPE_STR(&x->shape), rank);
}

/* A weight and a bias drawn from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), torch.nn's default for linear layers and
 * convolutions (its kaiming_uniform_ with a = sqrt(5) comes to the same). */
static sumi_tensor *uniform_weight(const sumi__nn *scope, sumi_shape shape, sumi__layout layout, int64_t fan_in) {
  return sumi__nn_param(
      scope, "weight",
      &(sumi__param_spec){shape, layout, true, SUMI__INIT_UNIFORM, 1.0 / sqrt((double)sumi__max_i64(fan_in, 1))});
}

static sumi_tensor *uniform_bias(const sumi__nn *scope, int64_t count, int64_t fan_in) {
  return sumi__nn_param(scope, "bias",
                        &(sumi__param_spec){SUMI_SHAPE(count), SUMI__LAYOUT_PLAIN, true, SUMI__INIT_UNIFORM,
                                            1.0 / sqrt((double)sumi__max_i64(fan_in, 1))});
}

static sumi_tensor *vector(const sumi__nn *scope, const char *name, int64_t count, sumi__init_kind init) {
  return sumi__nn_param(scope, name, &(sumi__param_spec){SUMI_SHAPE(count), SUMI__LAYOUT_PLAIN, true, init, 0.0});
}

sumi_tensor *sumi__nn_linear(const sumi__nn *nn, const char *name, sumi_tensor *x, int64_t out, bool bias) {
  if (!x) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, name);
  const int64_t in = width_of(x);
  sumi_tensor *w = uniform_weight(&scope, SUMI_SHAPE(out, in), SUMI__LAYOUT_PLAIN, in);
  sumi_tensor *b = bias ? uniform_bias(&scope, out, in) : NULL;
  return w && (b || !bias) ? sumi_linear(nn->g, x, w, b) : NULL;
}

/* Channels for each group of a convolution, at least 1 so that a bad number of groups is the operator's to report. */
static int64_t per_group(int64_t channels, const sumi_conv_options *options) {
  return sumi__max_i64(options && options->groups > 1 ? channels / options->groups : channels, 1);
}

sumi_tensor *sumi__nn_conv2d(const sumi__nn *nn, const char *name, sumi_tensor *x, int64_t out, int64_t kernel,
                             const sumi_conv_options *options, bool bias) {
  if (!has_rank(nn, name, x, 4)) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, name);
  const int64_t in = per_group(width_of(x), options), fan_in = in * kernel * kernel;
  sumi_tensor *w = uniform_weight(&scope, SUMI_SHAPE(out, kernel, kernel, in), SUMI__LAYOUT_CONV, fan_in);
  sumi_tensor *b = bias ? uniform_bias(&scope, out, fan_in) : NULL;
  return w && (b || !bias) ? sumi_conv2d(nn->g, x, w, b, options) : NULL;
}

sumi_tensor *sumi__nn_conv_transpose2d(const sumi__nn *nn, const char *name, sumi_tensor *x, int64_t out,
                                       int64_t kernel, const sumi_conv_options *options, int output_pad, bool bias) {
  if (!has_rank(nn, name, x, 4)) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, name);
  /* PyTorch takes the fan from the weight's second dimension, which here is the output's. */
  const int64_t each = per_group(out, options), fan_in = each * kernel * kernel;
  sumi_tensor *w = uniform_weight(&scope, SUMI_SHAPE(width_of(x), kernel, kernel, each), SUMI__LAYOUT_CONV, fan_in);
  sumi_tensor *b = bias ? uniform_bias(&scope, out, fan_in) : NULL;
  return w && (b || !bias) ? sumi_conv_transpose2d(nn->g, x, w, b, options, output_pad, output_pad) : NULL;
}

sumi_tensor *sumi__nn_group_norm(const sumi__nn *nn, const char *name, sumi_tensor *x, int groups, float eps) {
  if (!x) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, name);
  sumi_tensor *gamma = vector(&scope, "weight", width_of(x), SUMI__INIT_ONES);
  sumi_tensor *beta = vector(&scope, "bias", width_of(x), SUMI__INIT_ZEROS);
  return gamma && beta ? sumi_group_norm(nn->g, x, gamma, beta, groups, eps) : NULL;
}

sumi_tensor *sumi__nn_group_norm_silu(const sumi__nn *nn, const char *name, sumi_tensor *x, sumi_tensor *shift,
                                      int groups, float eps) {
  if (!x) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, name);
  sumi_tensor *gamma = vector(&scope, "weight", width_of(x), SUMI__INIT_ONES);
  sumi_tensor *beta = vector(&scope, "bias", width_of(x), SUMI__INIT_ZEROS);
  return gamma && beta ? sumi_group_norm_silu(nn->g, x, shift, gamma, beta, groups, eps) : NULL;
}

sumi_tensor *sumi__nn_layer_norm(const sumi__nn *nn, const char *name, sumi_tensor *x, float eps) {
  if (!x) return NULL;
  const sumi__nn scope = sumi__nn_scope(nn, name);
  sumi_tensor *gamma = vector(&scope, "weight", width_of(x), SUMI__INIT_ONES);
  sumi_tensor *beta = vector(&scope, "bias", width_of(x), SUMI__INIT_ZEROS);
  return gamma && beta ? sumi_layer_norm(nn->g, x, gamma, beta, eps) : NULL;
}

sumi_tensor *sumi__nn_embedding_table(const sumi__nn *nn, const char *name, int64_t count, int64_t width) {
  const sumi__nn scope = sumi__nn_scope(nn, name);
  return sumi__nn_param(
      &scope, "weight",
      &(sumi__param_spec){SUMI_SHAPE(count, width), SUMI__LAYOUT_PLAIN, true, SUMI__INIT_NORMAL, 1.0});
}

sumi_tensor *sumi__nn_embedding(const sumi__nn *nn, const char *name, sumi_tensor *ids, int64_t count, int64_t width) {
  if (!ids) return NULL;
  sumi_tensor *table = sumi__nn_embedding_table(nn, name, count, width);
  return table ? sumi_embedding(nn->g, table, ids) : NULL;
}

sumi_tensor *sumi__nn_fourier_features(const sumi__nn *nn, const char *name, sumi_tensor *t, int64_t width,
                                       double scale) {
  if (!has_rank(nn, name, t, 1)) return NULL;
  sumi_graph *g = nn->g;
  const sumi__nn scope = sumi__nn_scope(nn, name);
  sumi_tensor *w = sumi__nn_param(
      &scope, "W", &(sumi__param_spec){SUMI_SHAPE(width / 2), SUMI__LAYOUT_PLAIN, false, SUMI__INIT_NORMAL, scale});
  sumi_tensor *turns = sumi_mul(g, sumi_reshape(g, t, SUMI_SHAPE(t->shape.dims[0], 1)), w);
  sumi_tensor *angle = sumi_affine(g, turns, 6.2831853071795864769f, 0.0f);
  return sumi_concat(g, 2, (sumi_tensor *[]){sumi_sin(g, angle), sumi_cos(g, angle)}, 1);
}

sumi_tensor *sumi__nn_dropout(const sumi__nn *nn, sumi_tensor *x, float p) {
  return nn->training && p > 0.0f ? sumi_dropout(nn->g, x, nn->random, p) : x;
}
