/* Where a layer's parameters come from: the weights, a file, or a generator. */
#include "nn/nn.h"

#include "io/safetensors.h"

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

/* The faults of calls that fail through the context become the graph's. */
static bool adopt(sumi_graph *g, sumi_status status) {
  return status == SUMI_OK || sumi__graph_fail(g, status, "%s", sumi_context_error(g->ctx));
}

/* Converts a weight's values, given in the file's order, into its own memory. `values` holds count floats. */
static void store(sumi__weight *w, const float *values) { sumi__weight_from_file_order(w, w->data, values); }

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

static bool same_shape(const sumi_safetensors_tensor *t, const sumi_shape *shape) {
  return t->rank == shape->rank && memcmp(t->dims, shape->dims, (size_t)t->rank * sizeof *t->dims) == 0;
}

/* The file's tensor for a parameter, checked; NULL after a fault. */
static const sumi_safetensors_tensor *in_file(const sumi__nn *nn, const char *full, const sumi__param_spec *spec) {
  const char *path = sumi__safetensors_path(nn->file);
  const sumi_safetensors_tensor *t = sumi_safetensors_find(nn->file, full);
  const sumi_shape expected = sumi__weight_file_shape(&(sumi__weight){.shape = spec->shape, .layout = spec->layout});
  if (!t) {
    sumi__graph_fail(nn->g, SUMI_MISMATCH, "%s: the tensor '%s' that the model needs is missing", path, full);
    return NULL;
  }
  if (!same_shape(t, &expected)) {
    const sumi_shape found = t->rank <= SUMI_MAX_RANK ? sumi_shape_make(t->rank, t->dims) : SUMI_SCALAR;
    sumi__graph_fail(nn->g, SUMI_MISMATCH, "%s: the tensor '%s' has the shape %s, the model needs %s", path, full,
                     SUMI__SHAPE_STR(&found), SUMI__SHAPE_STR(&expected));
    return NULL;
  }
  return t;
}

/* Adds the parameter with its first values. */
static bool create(const sumi__nn *nn, const char *full, const sumi__param_spec *spec) {
  sumi_graph *g = nn->g;
  const sumi_safetensors_tensor *t = NULL;
  if (nn->file && !(t = in_file(nn, full, spec))) return false;
  if (!nn->file && !nn->init)
    return sumi__graph_fail(g, SUMI_NOT_FOUND, "the weights have no parameter '%s', which the model needs", full);
  sumi__weight *w;
  if (!adopt(g, sumi__weights_add(nn->weights, full, SUMI_F32, spec->shape, spec->layout, spec->trainable, &w)))
    return false;
  const size_t count = (size_t)sumi_shape_count(&spec->shape);
  float *values = sumi__alloc_array(g->ctx, count, sizeof *values);
  if (!values) return adopt(g, SUMI_NO_MEMORY);
  bool ok = true;
  if (t)
    ok = adopt(g, sumi__safetensors_read_f32(nn->file, t, values));
  else
    draw(spec, nn->init, values, count);
  if (ok) store(w, values);
  sumi__free(g->ctx, values);
  return ok;
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
