/* Tiny networks of Stable Diffusion's shape, with the weights and inputs that tools/oracle/sd_models.py gives them. */
#ifndef SUMI_TESTS_SD_MODELS_H
#define SUMI_TESTS_SD_MODELS_H

#include "support.h"

#include "io/safetensors.h"
#include "models/autoencoder_kl.h"
#include "models/clip_text.h"
#include "models/unet2d_condition.h"

#include <math.h>
#include <zlib.h>

/* torch's uniform numbers, from a generator that the name seeds. */
static inline void draw(const char *name, float low, float high, float *out, size_t count) {
  sumi__rng rng;
  sumi__rng_seed(&rng, crc32(0, (const Bytef *)name, (uInt)strlen(name)));
  sumi__rng_uniform(&rng, low, high, out, count);
}

static inline bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

/* The values that the script gives this parameter. */
static inline void fill_weight(sumi__weight *w) {
  const sumi_shape shape = sumi__weight_file_shape(w);
  const size_t count = (size_t)sumi_shape_count(&shape);
  const double bound = sqrt(3.0 / ((double)count / (double)shape.dims[0]));
  float low = (float)-bound, high = (float)bound;
  if (shape.rank == 1) low = ends_with(w->name, "weight") ? 0.5f : -0.2f, high = low + (low > 0.0f ? 1.0f : 0.4f);
  float *values = malloc(count * sizeof *values);
  assert_non_null(values);
  draw(w->name, low, high, values, count);
  sumi__weight_from_file_order(w, w->data, values);
  free(values);
}

/* A graph that a test builds into, and the program that comes of it. */
typedef struct net {
  sumi_context *ctx;
  const char *name; /* of the case */
  sumi_backend *backend;
  sumi_graph *g;
  sumi_weights *weights;
  sumi_program *program;
  sumi__rng rng;
  sumi__nn nn;
} net;

static inline void net_open(net *m, void **state, const char *name, sumi_dtype compute) {
  *m = (net){.ctx = *state, .name = name};
  sumi__rng_seed(&m->rng, 0);
  assert_ok(m->ctx, sumi_backend_cpu(m->ctx, &m->backend));
  assert_ok(m->ctx, sumi_graph_create(m->ctx, &m->g));
  assert_ok(m->ctx, sumi_weights_create(m->ctx, &m->weights));
  sumi_graph_set_compute(m->g, compute);
  m->nn = sumi__nn_root(m->g, m->weights);
  m->nn.init = &m->rng;
}

static inline void net_fill(net *m) {
  assert_ok(m->ctx, sumi_graph_status(m->g));
  for (size_t i = 0; i < sumi_weights_count(m->weights); i++) fill_weight(sumi__weights_at(m->weights, i));
}

static inline void net_compile(net *m, int n, sumi_tensor *const *outputs) {
  net_fill(m);
  assert_ok(m->ctx, sumi_compile(m->backend, m->g, n, outputs, &(sumi_compile_options){.frozen = true}, &m->program));
}

static inline void net_close(net *m) {
  sumi_program_free(m->program);
  sumi_weights_free(m->weights);
  sumi_graph_free(m->g);
  sumi_backend_free(m->backend);
}

/* Random values "CASE/name" in [-1.7, 1.7), to be freed with free(). */
static inline float *case_values(const net *m, const char *name, size_t count) {
  char key[128];
  float *values = malloc(count * sizeof *values);
  assert_non_null(values);
  snprintf(key, sizeof key, "%s/%s", m->name, name);
  draw(key, -1.7f, 1.7f, values, count);
  return values;
}

static inline void set_drawn(net *m, const sumi_tensor *input, const char *name) {
  const sumi_shape shape = sumi_tensor_shape(input);
  float *values = case_values(m, name, (size_t)sumi_shape_count(&shape));
  assert_ok(m->ctx, sumi_set(m->program, input, values));
  free(values);
}

static inline double relative_error(const float *a, const float *b, size_t count) {
  double error = 0.0, norm = 0.0;
  for (size_t i = 0; i < count; i++) {
    error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    norm += (double)b[i] * (double)b[i];
  }
  return sqrt(error / norm);
}

/* Numbers in the parameters of a graph that was built without weights. */
static inline int64_t count_parameters(const sumi_graph *g) {
  int64_t total = 0;
  for (size_t i = 0; i < g->n_nodes; i++) {
    const char *name = g->nodes[i]->name;
    if (name && (ends_with(name, ".weight") || ends_with(name, ".bias")))
      total += sumi_shape_count(&g->nodes[i]->outputs[0]->shape);
  }
  return total;
}

/* Golden values are within `limit` of these, relative by norm. */
static inline void assert_golden(const net *m, const char *key, const float *values, size_t count, double limit) {
  char full[128];
  sumi_safetensors *file = NULL;
  assert_ok(m->ctx, sumi_safetensors_open(m->ctx, SUMI_TESTS "/golden/sd_models.safetensors", &file));
  snprintf(full, sizeof full, "%s.%s", m->name, key);
  const sumi_safetensors_tensor *t = sumi_safetensors_find(file, full);
  if (!t) fail_msg("there is no golden %s", full);
  assert_int_equal(t->count, count);
  float *golden = malloc(count * sizeof *golden); /* `data` may lie anywhere, so it is copied */
  assert_non_null(golden);
  memcpy(golden, t->data, count * sizeof *golden);
  const double error = relative_error(values, golden, count);
  print_message("  %s within %.1e\n", full, error);
  if (!(error <= limit)) fail_msg("%s is off by %.3g, more than %.3g", full, error, limit);
  free(golden);
  sumi_safetensors_close(file);
}

static inline void assert_output(net *m, const sumi_tensor *output, const char *key, double limit) {
  const sumi_shape shape = sumi_tensor_shape(output);
  assert_golden(m, key, sumi_data(m->program, output), (size_t)sumi_shape_count(&shape), limit);
}

#endif
