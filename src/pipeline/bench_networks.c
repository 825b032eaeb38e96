/* How fast Stable Diffusion's networks are here, without anyone's weights. */
#include "sumi/bench.h"

#include "models/autoencoder_kl.h"
#include "models/clip_text.h"
#include "models/unet2d_condition.h"
#include "pipeline/random_weights.h"
#include "tensor/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  TOKENS = 77,
  DEFAULT_SIDE = 512,
  DEFAULT_RUNS = 3,
  MAX_RUNS = 10000,
  MAX_SIDE = 8192,
  MAX_BATCH = 256,
  MAX_KV = 64
};

/* A network as a graph, and the inputs that it has. */
typedef struct network {
  sumi_graph *g;
  sumi_tensor *inputs[MAX_KV + 2], *output;
  int n_inputs;
} network;

typedef struct bench {
  sumi_context *ctx;
  const sumi_bench_options *options;
  sumi_backend *backend;
  sumi__random_weights random;
  float *first, *other; /* results of the first mode and of another */
} bench;

static int64_t or_usual(int64_t given, int64_t usual) { return given ? given : usual; }

static int64_t shrink_of(const bench *b) { return or_usual(b->options->shrink, 1); }

static sumi_tensor *input(network *n, sumi_dtype dtype, sumi_shape shape) {
  return n->inputs[n->n_inputs++] = sumi_input(n->g, NULL, dtype, shape);
}

/* ---- The networks ---- */

static void build_unet(const bench *b, const sumi__nn *nn, network *n, sumi_dtype compute) {
  const int64_t batch = 2 * or_usual(b->options->batch, 1), side = or_usual(b->options->side, DEFAULT_SIDE) / 8;
  sumi__unet2d_config c = sumi__unet2d_sd1();
  sumi_tensor *kv[MAX_KV];
  c.norm_num_groups /= (int)shrink_of(b);
  for (int i = 0; i < c.levels; i++) c.block_out_channels[i] /= shrink_of(b);
  sumi_tensor *sample = input(n, SUMI_F32, SUMI_SHAPE(batch, side, side, c.in_channels));
  sumi_tensor *times = input(n, SUMI_F32, SUMI_SHAPE(batch));
  for (int i = 0; i < sumi__unet2d_context_count(&c) * 2; i++)
    kv[i] = input(n, compute, SUMI_SHAPE(batch, TOKENS, sumi__unet2d_context_width(&c, i / 2)));
  n->output = sumi__unet2d(nn, &c, sample, times, NULL, &(sumi__unet2d_extras){.context_kv = kv});
}

static void build_vae(const bench *b, const sumi__nn *nn, network *n) {
  const int64_t batch = or_usual(b->options->batch, 1), side = or_usual(b->options->side, DEFAULT_SIDE) / 8;
  sumi__autoencoder_kl_config c = sumi__autoencoder_kl_f8();
  c.norm_num_groups /= (int)shrink_of(b);
  for (int i = 0; i < c.levels; i++) c.block_out_channels[i] /= shrink_of(b);
  n->output = sumi__autoencoder_kl_decode(nn, &c, input(n, SUMI_F32, SUMI_SHAPE(batch, side, side, c.latent_channels)));
}

static void build_text(const bench *b, const sumi__nn *nn, network *n) {
  sumi__clip_text_config c = sumi__clip_text_vit_l();
  c.hidden_size /= shrink_of(b);
  c.intermediate_size /= shrink_of(b);
  sumi__clip_text_outputs out;
  const sumi__clip_text_inputs in = {.ids = input(n, SUMI_I32, SUMI_SHAPE(2 * or_usual(b->options->batch, 1), TOKENS))};
  if (sumi__clip_text(nn, &c, &in, &out)) n->output = out.normed;
}

static sumi_status build(bench *b, sumi_dtype compute, network *n) {
  sumi_status status = SUMI_OK;
  SUMI_TRY(sumi_graph_create(b->ctx, &n->g));
  sumi_graph_set_compute(n->g, compute);
  const sumi__nn nn = sumi__nn_root(n->g, b->random.weights);
  switch (b->options->network) {
  case SUMI_BENCH_UNET: build_unet(b, &nn, n, compute); break;
  case SUMI_BENCH_VAE: build_vae(b, &nn, n); break;
  case SUMI_BENCH_TEXT: build_text(b, &nn, n); break;
  }
  SUMI_TRY(sumi_graph_status(n->g));
done:
  return status;
}

static sumi_status make_weights(bench *b) {
  network sketch = {0};
  sumi_status status = build(b, SUMI_F32, &sketch);
  if (status == SUMI_OK) status = sumi__random_weights_make(b->ctx, sketch.g, &b->random);
  sumi_graph_free(sketch.g);
  return status;
}

/* Numbers of a normal distribution (the time is a moderate one, ids are small), the same for every mode. */
static sumi_status fill(bench *b, const network *n, sumi_program *p) {
  sumi__rng rng;
  sumi__rng_seed(&rng, 2);
  for (int i = 0; i < n->n_inputs; i++) {
    const sumi_tensor *t = n->inputs[i];
    const int64_t count = sumi__count(t);
    void *data = sumi_data(p, t);
    if (t->dtype == SUMI_I32) {
      for (int64_t k = 0; k < count; k++) ((int32_t *)data)[k] = (int32_t)(k * 37 % 1000);
      continue;
    }
    float *values = sumi__alloc_array(b->ctx, (size_t)count, sizeof *values);
    if (!values) return SUMI_NO_MEMORY;
    sumi__rng_normal(&rng, values, (size_t)count);
    for (int64_t k = 0; t->shape.rank == 1 && k < count; k++) values[k] = 500.0f;
    sumi__from_f32(data, t->dtype, values, count);
    sumi__free(b->ctx, values);
  }
  return SUMI_OK;
}

/* ---- Measuring ---- */

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static sumi_status time_runs(bench *b, sumi_program *p, sumi_bench_result *r) {
  sumi_status status = SUMI_OK;
  const sumi_bench_options *o = b->options;
  const int runs = o->runs ? o->runs : DEFAULT_RUNS;
  double *times = sumi__alloc_array(b->ctx, (size_t)runs, sizeof *times);
  SUMI_TRY(times ? SUMI_OK : SUMI_NO_MEMORY);
  SUMI_TRY(sumi_run(p));
  sumi__profile_forget(p);
  for (int i = 0; i < runs; i++) {
    SUMI_CHECK(b->ctx, !o->should_stop || !o->should_stop(o->user), SUMI_CANCELLED, "stopped after %d runs", i);
    const double start = sumi__now_seconds();
    SUMI_TRY(sumi_run(p));
    times[i] = sumi__now_seconds() - start;
  }
  qsort(times, (size_t)runs, sizeof *times, compare);
  r->best_seconds = times[0];
  r->median_seconds = times[runs / 2];
done:
  sumi__free(b->ctx, times);
  return status;
}

static double relative_error(const float *got, const float *want, int64_t count) {
  double difference = 0.0, size = 0.0;
  for (int64_t i = 0; i < count; i++) {
    const double d = (double)got[i] - (double)want[i];
    difference += d * d;
    size += (double)want[i] * (double)want[i];
  }
  return size > 0.0 ? sqrt(difference / size) : 0.0;
}

static sumi_status keep_result(bench *b, const network *n, sumi_program *p, sumi_bench_result *r) {
  const int64_t count = sumi__count(n->output);
  float **to = b->first ? &b->other : &b->first;
  if (!*to) *to = sumi__alloc_array(b->ctx, (size_t)count, sizeof **to);
  if (!*to) return SUMI_NO_MEMORY;
  sumi__to_f32(*to, sumi_data(p, n->output), n->output->dtype, count);
  r->error = relative_error(*to, b->first, count);
  return SUMI_OK;
}

static sumi_status measure(bench *b, const sumi_bench_mode *mode, sumi_bench_result *r) {
  sumi_status status = SUMI_OK;
  static const char *const networks[] = {"unet", "vae decode", "text encoder"};
  static const char *const winograds[] = {"", " careful", " fast", " off"};
  char name[64];
  const sumi_compile_options how = {.frozen = true, .winograd = mode->winograd, .name = name};
  snprintf(name, sizeof name, "%s %s%s", networks[b->options->network], sumi_dtype_name(mode->compute),
           winograds[mode->winograd]);
  network n = {0};
  sumi_program *p = NULL;
  SUMI_TRY(build(b, mode->compute, &n));
  const double start = sumi__now_seconds();
  SUMI_TRY(sumi_compile(b->backend, n.g, 1, &n.output, &how, &p));
  r->compile_seconds = sumi__now_seconds() - start;
  r->program = sumi_program_describe(p);
  SUMI_TRY(fill(b, &n, p));
  SUMI_TRY(time_runs(b, p, r));
  SUMI_TRY(keep_result(b, &n, p, r));
done:
  sumi_program_free(p);
  sumi_graph_free(n.g);
  return status;
}

sumi_status sumi_bench_networks_check(sumi_context *ctx, const sumi_bench_options *o, int n,
                                      const sumi_bench_mode *modes) {
  sumi_status status = SUMI_OK;
  SUMI_CHECK(ctx, o->side >= 0 && o->side % 8 == 0 && o->side <= MAX_SIDE, SUMI_INVALID,
             "side is %lld: expected a multiple of 8 up to %d", (long long)o->side, (int)MAX_SIDE);
  SUMI_CHECK(ctx, o->batch >= 0 && o->batch <= MAX_BATCH && o->runs >= 0 && o->runs <= MAX_RUNS, SUMI_INVALID,
             "batch %lld, %d runs: expected at most %d and %d", (long long)o->batch, o->runs, (int)MAX_BATCH,
             (int)MAX_RUNS);
  SUMI_CHECK(ctx, o->shrink == 0 || o->shrink == 1 || o->shrink == 2 || o->shrink == 4 || o->shrink == 8, SUMI_INVALID,
             "widths cannot be divided by %d: expected 1, 2, 4 or 8", o->shrink);
  for (int i = 0; i < n; i++)
    SUMI_CHECK(ctx, modes[i].compute == SUMI_F32 || modes[i].compute == SUMI_BF16, SUMI_INVALID,
               "mode %d computes in %s, expected f32 or bf16", i, sumi_dtype_name(modes[i].compute));
done:
  return status;
}

sumi_status sumi_bench_networks(sumi_context *ctx, const sumi_bench_options *options, int n,
                                const sumi_bench_mode *modes, sumi_bench_result *results) {
  sumi_status status = SUMI_OK;
  bench b = {.ctx = ctx, .options = options};
  memset(results, 0, (size_t)n * sizeof *results);
  SUMI_TRY(sumi_bench_networks_check(ctx, options, n, modes));
  SUMI_TRY(sumi_backend_cpu(ctx, &b.backend));
  SUMI_TRY(make_weights(&b));
  for (int i = 0; i < n; i++) {
    SUMI_TRY(measure(&b, &modes[i], &results[i]));
    if (options->measured) options->measured(options->user, i, &results[i]);
  }
done:
  sumi__free(ctx, b.first);
  sumi__free(ctx, b.other);
  sumi__random_weights_free(&b.random);
  sumi_backend_free(b.backend);
  return status;
}
