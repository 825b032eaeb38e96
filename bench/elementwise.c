/* Speed of the kernels that are limited by memory, and of attention: GB/s of the tensors that must be read and written
 * (GFLOP/s for attention). The best of several runs. With one thread the processor's time is measured, not the clock's,
 * so that a busy machine does not matter much.
 *
 *   bench_elementwise [f32|bf16] [threads] [instruction set] [only lines with this in their name] */
#include "base/base.h"
#include "tensor/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 128, SIDE = 26, CHANNELS = 32, MAX_INPUTS = 6 };

typedef struct bench {
  sumi_context *ctx;
  sumi_backend *backend;
  sumi_dtype dtype;
  const char *filter;
  /* The present line: */
  const char *name;
  sumi_graph *g;
  sumi_tensor *inputs[MAX_INPUTS];
  int n_inputs;
  double bytes; /* of the inputs */
} bench;

static void stop(const bench *b) {
  fprintf(stderr, "%s\n", sumi_context_error(b->ctx));
  exit(1);
}

static double seconds(const bench *b) {
  struct timespec now;
  if (sumi_context_threads(b->ctx) > 1) return sumi__now_seconds();
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool begin(bench *b, const char *name) {
  if (b->filter && !strstr(name, b->filter)) return false;
  b->name = name;
  b->n_inputs = 0;
  b->bytes = 0.0;
  if (sumi_graph_create(b->ctx, &b->g) != SUMI_OK) stop(b);
  sumi_graph_set_compute(b->g, b->dtype);
  return true;
}

static sumi_tensor *input(bench *b, sumi_dtype dtype, sumi_shape shape) {
  b->bytes += (double)sumi_shape_count(&shape) * (double)sumi_dtype_bytes(dtype);
  return b->inputs[b->n_inputs++] = sumi_input(b->g, NULL, dtype, shape);
}

static void fill(sumi_program *p, const sumi_tensor *t) {
  char *data = sumi_data(p, t);
  uint32_t seed = 1;
  for (int64_t i = 0; data && i < sumi__count(t); i++) {
    seed = seed * 1664525u + 1013904223u;
    const float value = (float)(seed >> 8) * 0x1p-22f - 2.0f;
    sumi__from_f32(data + (size_t)i * sumi_dtype_bytes(t->dtype), t->dtype, &value, 1);
  }
}

/* Times the program of the outputs and prints the line. flops: report them in place of bytes. */
static void end(bench *b, int n, sumi_tensor *const *outputs, double flops) {
  sumi_program *p = NULL;
  double best = 1e9, all = 0.0, work = b->bytes;
  if (sumi_compile(b->backend, b->g, n, outputs, NULL, &p) != SUMI_OK) stop(b);
  for (int i = 0; i < b->n_inputs; i++) fill(p, b->inputs[i]);
  for (int i = 0; i < n; i++) work += (double)sumi__tensor_bytes(outputs[i]);
  for (int i = 0; i < 5 || all < 0.2; i++) {
    const double start = seconds(b);
    if (sumi_run(p) != SUMI_OK) stop(b);
    const double took = seconds(b) - start;
    best = took < best ? took : best;
    all += took;
  }
  printf("%-44s %9.3f ms  %8.1f %s\n", b->name, best * 1e3, (flops > 0.0 ? flops : work) / best * 1e-9,
         flops > 0.0 ? "GFLOP/s" : "GB/s");
  fflush(stdout);
  sumi_program_free(p);
  sumi_graph_free(b->g);
}

static sumi_shape pictures(void) { return SUMI_SHAPE(BATCH, SIDE, SIDE, CHANNELS); }

/* ---- Chains ---- */

static void bench_unary(bench *b, const char *name, sumi_tensor *(*op)(sumi_graph *g, sumi_tensor *x)) {
  if (!begin(b, name)) return;
  sumi_tensor *y = op(b->g, input(b, b->dtype, pictures()));
  end(b, 1, &y, 0.0);
}

static void bench_add(bench *b, const char *name, sumi_shape other) {
  if (!begin(b, name)) return;
  sumi_tensor *x = input(b, b->dtype, pictures()), *y = sumi_add(b->g, x, input(b, b->dtype, other));
  end(b, 1, &y, 0.0);
}

/* The gradient of an activation, of which x and dy are read and dx is written. */
static void bench_slope(bench *b, const char *name, sumi_tensor *(*op)(sumi_graph *g, sumi_tensor *x)) {
  if (!begin(b, name)) return;
  sumi_tensor *x = input(b, b->dtype, pictures()), *dy = input(b, b->dtype, pictures()), *dx = NULL;
  if (sumi_grad(b->g, sumi_sum_all(b->g, sumi_mul(b->g, op(b->g, x), dy)), 1, &x, &dx) != SUMI_OK) stop(b);
  end(b, 1, &dx, 0.0);
}

static void bench_chains(bench *b) {
  bench_add(b, "add, of the same shape", pictures());
  bench_add(b, "add, [C] to all pixels", SUMI_SHAPE(CHANNELS));
  bench_add(b, "add, [N, 1, 1, C] to all pixels", SUMI_SHAPE(BATCH, 1, 1, CHANNELS));
  bench_add(b, "add, [N, H, W, 1] to all channels", SUMI_SHAPE(BATCH, SIDE, SIDE, 1));
  bench_unary(b, "exp", sumi_exp);
  bench_unary(b, "log", sumi_log);
  bench_unary(b, "sin", sumi_sin);
  bench_unary(b, "tanh", sumi_tanh);
  bench_unary(b, "silu", sumi_silu);
  bench_unary(b, "gelu", sumi_gelu);
  bench_slope(b, "silu, gradient", sumi_silu);
  bench_slope(b, "gelu, gradient", sumi_gelu);
}

/* ---- Reductions, rows, moves ---- */

static void bench_sum(bench *b, const char *name, int n, const int *axes) {
  if (!begin(b, name)) return;
  sumi_tensor *y = sumi_sum(b->g, input(b, b->dtype, pictures()), n, axes, false);
  end(b, 1, &y, 0.0);
}

static void bench_softmax(bench *b, const char *name, int64_t width) {
  if (!begin(b, name)) return;
  sumi_tensor *y = sumi_softmax(b->g, input(b, b->dtype, SUMI_SHAPE(2000000 / width, width)), -1);
  end(b, 1, &y, 0.0);
}

static void bench_moves(bench *b) {
  if (begin(b, "permute, channels first")) {
    sumi_tensor *y = sumi_permute(b->g, input(b, b->dtype, pictures()), (int[]){0, 3, 1, 2});
    end(b, 1, &y, 0.0);
  }
  if (begin(b, "concat, of channels")) {
    sumi_tensor *xs[2] = {input(b, b->dtype, pictures()), input(b, b->dtype, pictures())};
    sumi_tensor *y = sumi_concat(b->g, 2, xs, 3);
    end(b, 1, &y, 0.0);
  }
  if (begin(b, "random_normal")) {
    sumi_tensor *y = sumi_random_normal(b->g, input(b, SUMI_I64, SUMI_SHAPE(2)), pictures());
    end(b, 1, &y, 0.0);
  }
}

/* ---- Attention ---- */

static void bench_attention(bench *b, int64_t n, int64_t queries, int64_t keys, int64_t heads, int64_t width) {
  const double products = (double)(n * queries * keys * heads * width);
  char name[96];
  for (int back = 0; back < 2; back++) {
    snprintf(name, sizeof name, "attention%s, %lld x %lld x %lld, %lld heads of %lld", back ? " and gradient" : "",
             (long long)n, (long long)queries, (long long)keys, (long long)heads, (long long)width);
    if (!begin(b, name)) continue;
    const sumi_shape q = SUMI_SHAPE(n, queries, heads, width), k = SUMI_SHAPE(n, keys, heads, width);
    sumi_tensor *inputs[4] = {input(b, b->dtype, q), input(b, b->dtype, k), input(b, b->dtype, k),
                              input(b, b->dtype, q)};
    sumi_tensor *outputs[4] = {sumi_attention(b->g, inputs[0], inputs[1], inputs[2], NULL, 0.0f, false)};
    sumi_tensor *loss = back ? sumi_sum_all(b->g, sumi_mul(b->g, outputs[0], inputs[3])) : NULL;
    if (back && sumi_grad(b->g, loss, 3, inputs, outputs + 1) != SUMI_OK) stop(b);
    end(b, back ? 4 : 1, outputs, (back ? 14.0 : 4.0) * products);
  }
}

int main(int argc, char **argv) {
  bench b = {.dtype = argc > 1 && strcmp(argv[1], "bf16") == 0 ? SUMI_BF16 : SUMI_F32,
             .filter = argc > 4 ? argv[4] : NULL};
  const sumi_context_options options = {.threads = argc > 2 ? atoi(argv[2]) : 1,
                                        .max_isa = argc > 3 && argv[3][0] ? argv[3] : NULL};
  if (sumi_context_create(&options, &b.ctx) != SUMI_OK) {
    fprintf(stderr, "usage: bench_elementwise [f32|bf16] [threads] [instruction set] [part of a name]\n");
    return 2;
  }
  if (sumi_backend_cpu(b.ctx, &b.backend) != SUMI_OK) stop(&b);
  printf("%s, %d threads, %s\n", sumi_dtype_name(b.dtype), b.ctx->threads, sumi__isa_name(b.ctx->isa));
  bench_chains(&b);
  bench_sum(&b, "sum, to [C]", 3, (int[]){0, 1, 2});
  bench_sum(&b, "sum, to [N, C]", 2, (int[]){1, 2});
  bench_sum(&b, "sum, to a scalar", 4, (int[]){0, 1, 2, 3});
  bench_softmax(&b, "softmax, rows of 25", 25);
  bench_softmax(&b, "softmax, rows of 256", 256);
  bench_moves(&b);
  bench_attention(&b, 128, 25, 25, 1, 128);
  bench_attention(&b, 1, 1024, 1024, 2, 64);
  bench_attention(&b, 1, 2048, 2048, 2, 40);
  bench_attention(&b, 1, 1024, 77, 4, 64);
  sumi_backend_free(b.backend);
  sumi_context_free(b.ctx);
  return 0;
}
