/* Where a layer's parameters come from: the weights, a file, or a generator. */
#include "nn/nn.h"

#include <stdio.h>
#include <string.h>

sumi__nn sumi__nn_root(sumi_graph *g, sumi_weights *weights) { return (sumi__nn){.g = g, .weights = weights}; }

/* "PREFIX.name" into `out` of SUMI__NN_NAME_MAX bytes. */
static bool join(const sumi__nn *nn, const char *name, char *out) {
  const int n = snprintf(out, SUMI__NN_NAME_MAX, "%s%s%s", nn->prefix, *nn->prefix && *name ? "." : "", name);
  if (n >= 0 && n < SUMI__NN_NAME_MAX) return true;
  return sumi__graph_fail(nn->g, SUMI_INVALID, "the parameter name '%s.%s' is longer than %d characters", nn->prefix,
                          name, (int)SUMI__NN_NAME_MAX - 1);
}

sumi__nn sumi__nn_scope(const sumi__nn *nn, const char *name) {
  sumi__nn scope = *nn;
  char prefix[SUMI__NN_NAME_MAX];
  if (join(nn, name, prefix)) memcpy(scope.prefix, prefix, sizeof prefix);
  return scope;
}

void sumi__nn_block_begin(const sumi__nn *nn) {
  if (nn->recompute) sumi_segment_begin(nn->g);
}
void sumi__nn_block_end(const sumi__nn *nn) {
  if (nn->recompute) sumi_segment_end(nn->g);
}

/* The faults of calls that fail through the context become the graph's. */
static bool adopt(sumi_graph *g, sumi_status status) {
  return status == SUMI_OK || sumi__graph_fail(g, status, "%s", sumi_context_error(g->ctx));
}

static void draw(const sumi__param_spec *spec, sumi__rng *rng, float *values, size_t count) {
  switch (spec->init) {
  case SUMI__INIT_ZEROS: memset(values, 0, count * sizeof *values); break;
  case SUMI__INIT_ONES:
    for (size_t i = 0; i < count; i++) values[i] = 1.0f;
    break;
  case SUMI__INIT_UNIFORM: sumi__rng_uniform(rng, (float)-spec->scale, (float)spec->scale, values, count); break;
  case SUMI__INIT_NORMAL:
    sumi__rng_normal(rng, values, count);
    for (size_t i = 0; i < count; i++) values[i] *= (float)spec->scale;
    break;
  }
}

/* The source's tensor for a parameter, checked. */
static bool in_source(const sumi__nn *nn, const char *full, const sumi__param_spec *spec, sumi__tensor_view *view) {
  const char *path = nn->source->path;
  const sumi_shape expected = sumi__weight_file_shape(&(sumi__weight){.shape = spec->shape, .layout = spec->layout});
  if (!nn->source->find(nn->source, full, view))
    return sumi__graph_fail(nn->g, SUMI_MISMATCH, "%s: the tensor '%s' that the model needs is missing", path, full);
  if (!sumi_shape_equal(&view->shape, &expected))
    return sumi__graph_fail(nn->g, SUMI_MISMATCH, "%s: the tensor '%s' has the shape %s, the model needs %s", path,
                            full, SUMI__SHAPE_STR(&view->shape), SUMI__SHAPE_STR(&expected));
  if (view->dtype == SUMI_DTYPE_COUNT)
    return sumi__graph_fail(nn->g, SUMI_UNSUPPORTED, "%s: the tensor '%s' has values of a type that cannot be read",
                            path, full);
  return true;
}

/* `count` values of a view, which need not be aligned, as f32. */
static void read_view(const sumi__tensor_view *view, float *out, size_t count) {
  enum { BLOCK = 1024 };
  uint64_t aligned[BLOCK];
  const size_t bytes = sumi_dtype_bytes(view->dtype);
  for (size_t at = 0; at < count; at += BLOCK) {
    const size_t n = count - at < BLOCK ? count - at : BLOCK;
    memcpy(aligned, (const char *)view->data + at * bytes, n * bytes);
    sumi__to_f32(out + at, aligned, view->dtype, (int64_t)n);
  }
}

static bool can_be_lent(sumi_dtype dtype) { return dtype == SUMI_F32 || dtype == SUMI_BF16 || dtype == SUMI_F16; }

/* Adds the parameter with its first values. */
static bool create(const sumi__nn *nn, const char *full, const sumi__param_spec *spec) {
  sumi_graph *g = nn->g;
  sumi__tensor_view view;
  if (nn->source && !in_source(nn, full, spec, &view)) return false;
  if (nn->source && nn->lend && can_be_lent(view.dtype))
    return adopt(g,
                 sumi__weights_lend(nn->weights, full, view.dtype, view.data, view.mapped, spec->shape, spec->layout));
  if (!nn->source && !nn->init)
    return sumi__graph_fail(g, SUMI_NOT_FOUND, "the weights have no parameter '%s', which the model needs", full);
  sumi__weight *w;
  if (!adopt(g, sumi__weights_add(nn->weights, full, SUMI_F32, spec->shape, spec->layout, spec->trainable, &w)))
    return false;
  const size_t count = (size_t)sumi_shape_count(&spec->shape);
  float *values = sumi__alloc_array(g->ctx, count, sizeof *values);
  if (!values) return adopt(g, SUMI_NO_MEMORY);
  if (nn->source)
    read_view(&view, values, count);
  else
    draw(spec, nn->init, values, count);
  sumi__weight_from_file_order(w, w->data, values);
  sumi__free(g->ctx, values);
  return true;
}

/* The input that stands for a parameter where there are no weights; one for each name. */
static sumi_tensor *sketch(sumi_graph *g, const char *full, sumi_shape shape) {
  for (size_t i = 0; i < g->n_nodes; i++)
    if (g->nodes[i]->op == &sumi__op_input && g->nodes[i]->name && strcmp(g->nodes[i]->name, full) == 0)
      return g->nodes[i]->outputs[0];
  return sumi_input(g, full, SUMI_F32, shape);
}

sumi_tensor *sumi__nn_param(const sumi__nn *nn, const char *name, const sumi__param_spec *spec) {
  sumi_graph *g = nn->g;
  char full[SUMI__NN_NAME_MAX];
  if (g->status != SUMI_OK || !join(nn, name, full)) return NULL;
  if (!nn->weights) return sketch(g, full, spec->shape);
  const int64_t i = sumi_weights_find(nn->weights, full);
  if (i < 0) return create(nn, full, spec) ? sumi_param(g, nn->weights, full) : NULL;
  const sumi__weight *w = sumi__weights_at(nn->weights, (size_t)i);
  if (!sumi_shape_equal(&w->shape, &spec->shape) || w->dtype != SUMI_F32 || w->layout != spec->layout) {
    sumi__graph_fail(g, SUMI_MISMATCH, "the parameter '%s' is %s %s among the weights, the model needs f32 %s", full,
                     sumi_dtype_name(w->dtype), SUMI__SHAPE_STR(&w->shape), SUMI__SHAPE_STR(&spec->shape));
    return NULL;
  }
  return sumi_param(g, nn->weights, full);
}
