/* Speed of the kernels that training a score U-Net on 28x28 digits stands on, layer by layer: each convolution
 * forward, for its input and for its weights; the norms; the linear layers. The best of several runs.
 *
 *   bench_layers [batch] [f32|bf16] [threads] [instruction set] [only lines with this in their name] */
#include "base/base.h"
#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench {
  sumi_context *ctx;
  sumi_backend *backend;
  int64_t batch;
  sumi_dtype dtype;
  const char *filter;
} bench;

static void stop(sumi_context *ctx) {
  fprintf(stderr, "%s\n", sumi_context_error(ctx));
  exit(1);
}

static void fill(sumi_program *p, const sumi_tensor *t, uint32_t seed) {
  char *data = sumi_data(p, t);
  for (int64_t i = 0; i < sumi__count(t); i++) {
    seed = seed * 1664525u + 1013904223u;
    const float value = (float)(seed >> 8) * 0x1p-23f - 1.0f;
    sumi__from_f32(data + (size_t)i * sumi_dtype_bytes(t->dtype), t->dtype, &value, 1);
  }
}

/* Runs the node that made `y` for about a third of a second; `bytes`: report GB/s, of that many, in place of flops. */
static void measure(const bench *b, const char *name, sumi_graph *g, sumi_tensor *y, double bytes) {
  sumi_program *p = NULL;
  double best = 1e9, all = 0.0;
  if (b->filter && !strstr(name, b->filter)) return;
  if (sumi_compile(b->backend, g, 1, &y, NULL, &p) != SUMI_OK) stop(b->ctx);
  for (int i = 0; i < y->node->n_inputs; i++) fill(p, y->node->inputs[i], (uint32_t)i + 1u);
  for (int i = 0; i < 5 || all < 0.3; i++) {
    const double start = sumi__now_seconds();
    if (sumi_run(p) != SUMI_OK) stop(b->ctx);
    const double took = sumi__now_seconds() - start;
    best = took < best ? took : best;
    all += took;
  }
  const double work = bytes > 0.0 ? bytes : sumi_program_describe(p).flops;
  printf("%-44s %9.3f ms  %8.1f %s\n", name, best * 1e3, work / best * 1e-9, bytes > 0.0 ? "GB/s" : "GFLOP/s");
  fflush(stdout);
  sumi_program_free(p);
}

static sumi_graph *new_graph(const bench *b) {
  sumi_graph *g = NULL;
  if (sumi_graph_create(b->ctx, &g) != SUMI_OK) stop(b->ctx);
  return g;
}

/* ---- Convolutions ---- */

typedef struct layer {
  const char *name;
  int64_t in, size, out;
  int stride;
} layer;

static void bench_conv(const bench *b, const layer *l) {
  const int64_t n = b->batch, small = (l->size - 3) / l->stride + 1;
  const sumi_shape x = SUMI_SHAPE(n, l->size, l->size, l->in), y = SUMI_SHAPE(n, small, small, l->out),
                   w = SUMI_SHAPE(l->out, 3, 3, l->in);
  const sumi__conv_attrs a = {.stride_h = l->stride,
                              .stride_w = l->stride,
                              .dilation_h = 1,
                              .dilation_w = 1,
                              .groups = 1,
                              .height = l->size,
                              .width = l->size,
                              .kernel_h = 3,
                              .kernel_w = 3};
  const struct {
    const char *what;
    const sumi__op *op;
    sumi_shape a, b;
  } passes[] = {{"forward", &sumi__op_conv2d, x, w},
                {"input gradient", &sumi__op_conv2d_input_grad, y, w},
                {"weight gradient", &sumi__op_conv2d_weight_grad, x, y}};
  for (int i = 0; i < 3; i++) {
    char name[96];
    sumi_graph *g = new_graph(b);
    sumi_tensor *inputs[2] = {sumi_input(g, NULL, b->dtype, passes[i].a), sumi_input(g, NULL, b->dtype, passes[i].b)};
    snprintf(name, sizeof name, "%s %lldx%lld %lld->%lld %s", l->name, (long long)l->size, (long long)l->size,
             (long long)l->in, (long long)l->out, passes[i].what);
    measure(b, name, g, sumi__build(g, passes[i].op, 2, inputs, &a, sizeof a), 0.0);
    sumi_graph_free(g);
  }
}

/* ---- Norms ---- */

static void bench_norm(const bench *b, int64_t size, int64_t channels, int groups) {
  char name[96];
  const sumi_shape shape = SUMI_SHAPE(b->batch, size, size, channels), c = SUMI_SHAPE(channels);
  const sumi__group_norm_attrs a = {groups, 1e-5f, true, true, true};
  const double bytes = (double)sumi_shape_count(&shape) * (double)sumi_dtype_bytes(b->dtype);
  sumi_graph *g = new_graph(b);
  sumi_tensor *x = sumi_input(g, NULL, b->dtype, shape), *dy = sumi_input(g, NULL, b->dtype, shape);
  sumi_tensor *shift = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(b->batch, channels));
  sumi_tensor *gamma = sumi_input(g, NULL, SUMI_F32, c), *beta = sumi_input(g, NULL, SUMI_F32, c);
  sumi_tensor *stats = sumi_input(g, NULL, SUMI_F32, SUMI_SHAPE(b->batch, groups, 2));
  snprintf(name, sizeof name, "group_norm %lldx%lldx%lld forward", (long long)size, (long long)size,
           (long long)channels);
  measure(b, name, g, sumi__build(g, &sumi__op_group_norm, 4, (sumi_tensor *[]){x, shift, gamma, beta}, &a, sizeof a),
          2.0 * bytes);
  snprintf(name, sizeof name, "group_norm %lldx%lldx%lld backward", (long long)size, (long long)size,
           (long long)channels);
  measure(
      b, name, g,
      sumi__build(g, &sumi__op_group_norm_grad, 6, (sumi_tensor *[]){dy, stats, x, shift, gamma, beta}, &a, sizeof a),
      3.0 * bytes);
  sumi_graph_free(g);
}

/* ---- Linear layers ---- */

static void bench_matmul(const bench *b, const char *what, int64_t m, int64_t n, int64_t k, bool ta, bool tb,
                         sumi_dtype out) {
  char name[96];
  const sumi__matmul_attrs a = {ta, tb, out};
  sumi_graph *g = new_graph(b);
  sumi_tensor *inputs[2] = {sumi_input(g, NULL, b->dtype, ta ? SUMI_SHAPE(k, m) : SUMI_SHAPE(m, k)),
                            sumi_input(g, NULL, b->dtype, tb ? SUMI_SHAPE(n, k) : SUMI_SHAPE(k, n))};
  snprintf(name, sizeof name, "matmul %lldx%lldx%lld %s", (long long)m, (long long)n, (long long)k, what);
  measure(b, name, g, sumi__build(g, &sumi__op_matmul, 2, inputs, &a, sizeof a), 0.0);
  sumi_graph_free(g);
}

static void bench_linear(const bench *b, int64_t rows, int64_t in, int64_t out) {
  bench_matmul(b, "forward", rows, out, in, false, true, b->dtype);
  bench_matmul(b, "input gradient", rows, in, out, false, false, b->dtype);
  bench_matmul(b, "weight gradient", out, in, rows, true, false, SUMI_F32);
}

int main(int argc, char **argv) {
  bench b = {.batch = argc > 1 ? atoll(argv[1]) : 128,
             .dtype = argc > 2 && strcmp(argv[2], "bf16") == 0 ? SUMI_BF16 : SUMI_F32,
             .filter = argc > 5 ? argv[5] : NULL};
  const sumi_context_options options = {.threads = argc > 3 ? atoi(argv[3]) : 0,
                                        .max_isa = argc > 4 && argv[4][0] ? argv[4] : NULL};
  static const layer layers[] = {
      {"conv1", 1, 28, 32, 1}, {"conv2", 32, 26, 64, 2}, {"conv3", 64, 12, 128, 2}, {"conv4", 128, 5, 256, 2}};
  if (b.batch < 1 || sumi_context_create(&options, &b.ctx) != SUMI_OK) {
    fprintf(stderr, "usage: bench_layers [batch] [f32|bf16] [threads] [instruction set] [part of a name]\n");
    return 2;
  }
  if (sumi_backend_cpu(b.ctx, &b.backend) != SUMI_OK) stop(b.ctx);
  printf("batch %lld, %s, %d threads, %s\n", (long long)b.batch, sumi_dtype_name(b.dtype), b.ctx->threads,
         sumi__isa_name(b.ctx->isa));
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) bench_conv(&b, &layers[i]);
  bench_norm(&b, 26, 32, 4);
  bench_norm(&b, 12, 64, 32);
  bench_norm(&b, 5, 128, 32);
  bench_norm(&b, 2, 256, 32);
  bench_linear(&b, b.batch * 25, 128, 384);
  bench_linear(&b, b.batch * 25, 128, 128);
  bench_linear(&b, b.batch * 4, 256, 768);
  bench_linear(&b, b.batch, 256, 32);
  sumi_backend_free(b.backend);
  sumi_context_free(b.ctx);
  return 0;
}
