/* sumi bench ops: the operators that Stable Diffusion 1.5 stands on, each at its own shapes, against what this machine
 * can do at most. */
#include "bench_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
  const char *compute, *only, *record, *commit;
  double seconds;
} arguments;

static const arguments defaults = {.compute = "both", .seconds = 0.15, .commit = "unknown"};
static const cli_option options[] = {
    {"compute", 0, CLI_CHOICE, offsetof(arguments, compute), NULL, "type of activations and weights", 0, 0,
     "both f32 bf16"},
    {"only", 0, CLI_TEXT, offsetof(arguments, only), "TEXT", "measure the operators with this in their name", 0, 0,
     NULL},
    {"seconds", 0, CLI_REAL, offsetof(arguments, seconds), "S", "for each operator, of whose runs the median counts",
     0.001, 60, NULL},
    CLI_RECORD_OPTIONS(arguments),
};

/* ---- What is measured ---- */

typedef enum kind {
  CONV,          /* pictures of a x a with b channels to c, kernel d, stride e */
  CONV_RESIDUAL, /* the same, and another feature map is added to its result */
  UPSAMPLE_CONV, /* the same behind an upsampling to twice the size */
  LINEAR,        /* a rows (of all pictures) of b numbers to c */
  LINEAR_RESIDUAL,
  LINEAR_GEGLU, /* with a GEGLU behind it, which halves c */
  ATTENTION,    /* a queries of b heads of width c looking at d keys */
  GROUP_NORM,   /* with SiLU: pictures of a x a with b channels, 32 groups */
  LAYER_NORM,   /* a rows of b numbers */
  GEGLU,        /* a rows of b numbers, to half of that */
  ADD,          /* two feature maps of a x a with b channels */
  UPSAMPLE,     /* a x a with b channels to twice that */
  CONCAT,       /* a x a with b and c channels */
} kind;

typedef struct shape_case {
  const char *where;
  kind kind;
  int64_t n, a, b, c, d, e;
} shape_case;

static const shape_case cases[] = {
    {"unet", CONV, 2, 64, 320, 320, 3, 1},
    {"unet", CONV, 2, 64, 640, 320, 3, 1},
    {"unet", CONV, 2, 64, 960, 320, 3, 1},
    {"unet", CONV, 2, 32, 320, 640, 3, 1},
    {"unet", CONV, 2, 32, 640, 640, 3, 1},
    {"unet", CONV, 2, 32, 960, 640, 3, 1},
    {"unet", CONV, 2, 32, 1280, 640, 3, 1},
    {"unet", CONV, 2, 32, 1920, 640, 3, 1},
    {"unet", CONV, 2, 16, 640, 1280, 3, 1},
    {"unet", CONV, 2, 16, 1280, 1280, 3, 1},
    {"unet", CONV, 2, 16, 1920, 1280, 3, 1},
    {"unet", CONV, 2, 16, 2560, 1280, 3, 1},
    {"unet", CONV, 2, 8, 1280, 1280, 3, 1},
    {"unet", CONV, 2, 8, 2560, 1280, 3, 1},
    {"unet", CONV_RESIDUAL, 2, 64, 320, 320, 3, 1},
    {"unet", UPSAMPLE_CONV, 2, 32, 640, 640, 3, 1},
    {"unet", UPSAMPLE_CONV, 2, 16, 1280, 1280, 3, 1},
    {"unet", CONV, 2, 64, 320, 320, 3, 2},
    {"unet", CONV, 2, 64, 4, 320, 3, 1},
    {"unet", CONV, 2, 64, 320, 4, 3, 1},
    {"unet", CONV, 2, 64, 960, 320, 1, 1},
    {"unet", CONV, 2, 16, 2560, 1280, 1, 1},
    {"vae", CONV, 1, 64, 4, 512, 3, 1},
    {"vae", CONV, 1, 64, 512, 512, 3, 1},
    {"vae", CONV, 1, 128, 512, 512, 3, 1},
    {"vae", CONV, 1, 256, 512, 256, 3, 1},
    {"vae", CONV, 1, 256, 256, 256, 3, 1},
    {"vae", CONV, 1, 512, 256, 128, 3, 1},
    {"vae", CONV, 1, 512, 128, 128, 3, 1},
    {"vae", CONV, 1, 512, 128, 3, 3, 1},
    {"vae", UPSAMPLE_CONV, 1, 256, 256, 256, 3, 1},
    {"vae", CONV, 1, 512, 256, 128, 1, 1},
    {"unet", LINEAR, 1, 8192, 320, 320, 0, 0},
    {"unet", LINEAR_RESIDUAL, 1, 8192, 320, 320, 0, 0},
    {"unet", LINEAR, 1, 8192, 320, 2560, 0, 0},
    {"unet", LINEAR_GEGLU, 1, 8192, 320, 2560, 0, 0},
    {"unet", LINEAR_RESIDUAL, 1, 8192, 1280, 320, 0, 0},
    {"unet", LINEAR_GEGLU, 1, 2048, 640, 5120, 0, 0},
    {"unet", LINEAR, 1, 2048, 2560, 640, 0, 0},
    {"unet", LINEAR_GEGLU, 1, 512, 1280, 10240, 0, 0},
    {"unet", LINEAR, 1, 512, 5120, 1280, 0, 0},
    {"unet", LINEAR, 1, 154, 768, 1280, 0, 0},
    {"text", LINEAR, 1, 154, 768, 3072, 0, 0},
    {"text", LINEAR, 1, 154, 768, 768, 0, 0},
    {"unet self", ATTENTION, 2, 4096, 8, 40, 4096, 0},
    {"unet self", ATTENTION, 2, 1024, 8, 80, 1024, 0},
    {"unet self", ATTENTION, 2, 256, 8, 160, 256, 0},
    {"unet self", ATTENTION, 2, 64, 8, 160, 64, 0},
    {"unet cross", ATTENTION, 2, 4096, 8, 40, 77, 0},
    {"unet cross", ATTENTION, 2, 1024, 8, 80, 77, 0},
    {"unet cross", ATTENTION, 2, 256, 8, 160, 77, 0},
    {"text", ATTENTION, 2, 77, 12, 64, 77, 0},
    {"vae", ATTENTION, 1, 4096, 1, 512, 4096, 0},
    {"unet", GROUP_NORM, 2, 64, 320, 0, 0, 0},
    {"unet", GROUP_NORM, 2, 32, 1280, 0, 0, 0},
    {"unet", GROUP_NORM, 2, 16, 2560, 0, 0, 0},
    {"vae", GROUP_NORM, 1, 256, 256, 0, 0, 0},
    {"vae", GROUP_NORM, 1, 512, 128, 0, 0, 0},
    {"unet", LAYER_NORM, 1, 8192, 320, 0, 0, 0},
    {"unet", LAYER_NORM, 1, 512, 1280, 0, 0, 0},
    {"unet", GEGLU, 1, 8192, 2560, 0, 0, 0},
    {"unet", ADD, 2, 64, 320, 0, 0, 0},
    {"vae", ADD, 1, 512, 128, 0, 0, 0},
    {"unet", UPSAMPLE, 2, 32, 640, 0, 0, 0},
    {"unet", CONCAT, 2, 64, 320, 640, 0, 0},
    {"unet", CONCAT, 2, 16, 1280, 1280, 0, 0},
};

/* ---- Values ---- */

static uint32_t bits_of(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

/* Uniform in [-scale, scale); in bf16 the upper half of each number. */
static void fill(void *to, sumi_dtype dtype, int64_t count, float scale, uint32_t seed) {
  for (int64_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    const float x = scale * ((float)(seed >> 8) * 0x1p-23f - 1.0f);
    if (dtype == SUMI_F32)
      ((float *)to)[i] = x;
    else
      ((uint16_t *)to)[i] = (uint16_t)(bits_of(x) >> 16);
  }
}

/* What a case's builder adds to: its inputs, and the bytes that it cannot but move. */
typedef struct net {
  sumi_graph *g;
  sumi_dtype dtype;
  sumi_tensor *inputs[4];
  int n_inputs;
  double bytes;
} net;

static double bytes_of(const sumi_tensor *t) {
  const sumi_shape shape = sumi_tensor_shape(t);
  return (double)sumi_shape_count(&shape) * (double)sumi_dtype_bytes(sumi_tensor_dtype(t));
}

static sumi_tensor *input(net *n, sumi_shape shape) {
  sumi_tensor *t = sumi_input(n->g, NULL, n->dtype, shape);
  if (!t) return NULL;
  n->bytes += bytes_of(t);
  return n->inputs[n->n_inputs++] = t;
}

/* Weights do not change, so that programs pack them once. */
static sumi_tensor *weight(net *n, sumi_dtype dtype, sumi_shape shape, float scale) {
  const int64_t count = sumi_shape_count(&shape);
  void *values = malloc((size_t)count * sumi_dtype_bytes(dtype));
  if (!values) return NULL;
  fill(values, dtype, count, scale, 7);
  sumi_tensor *t = sumi_constant(n->g, dtype, shape, values);
  free(values);
  if (t) n->bytes += bytes_of(t);
  return t;
}

/* ---- The cases as graphs ---- */

static sumi_tensor *build_conv(net *n, const shape_case *k) {
  const int pad = (int)k->d / 2;
  const sumi_conv_options o = {.stride_h = (int)k->e,
                               .stride_w = (int)k->e,
                               .pad_top = pad,
                               .pad_left = pad,
                               .pad_bottom = pad,
                               .pad_right = pad};
  sumi_tensor *x = input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b));
  if (k->kind == UPSAMPLE_CONV) x = sumi_upsample_nearest(n->g, x, 2, 2);
  sumi_tensor *y = sumi_conv2d(n->g, x, weight(n, n->dtype, SUMI_SHAPE(k->c, k->d, k->d, k->b), 0.02f),
                               weight(n, SUMI_F32, SUMI_SHAPE(k->c), 1.0f), &o);
  return k->kind == CONV_RESIDUAL && y ? sumi_add(n->g, y, input(n, sumi_tensor_shape(y))) : y;
}

static sumi_tensor *build_linear(net *n, const shape_case *k) {
  sumi_tensor *y =
      sumi_linear(n->g, input(n, SUMI_SHAPE(k->a, k->b)), weight(n, n->dtype, SUMI_SHAPE(k->c, k->b), 0.02f),
                  weight(n, SUMI_F32, SUMI_SHAPE(k->c), 1.0f));
  if (k->kind == LINEAR_RESIDUAL && y) return sumi_add(n->g, y, input(n, sumi_tensor_shape(y)));
  return k->kind == LINEAR_GEGLU ? sumi_geglu(n->g, y) : y;
}

static sumi_tensor *build_norm(net *n, const shape_case *k) {
  sumi_tensor *gamma = weight(n, SUMI_F32, SUMI_SHAPE(k->b), 1.0f), *beta = weight(n, SUMI_F32, SUMI_SHAPE(k->b), 1.0f);
  if (k->kind == LAYER_NORM) return sumi_layer_norm(n->g, input(n, SUMI_SHAPE(k->a, k->b)), gamma, beta, 1e-5f);
  return sumi_group_norm_silu(n->g, input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)), NULL, gamma, beta, 32, 1e-5f);
}

static sumi_tensor *build(net *n, const shape_case *k) {
  switch (k->kind) {
  case CONV:
  case CONV_RESIDUAL:
  case UPSAMPLE_CONV: return build_conv(n, k);
  case LINEAR:
  case LINEAR_RESIDUAL:
  case LINEAR_GEGLU: return build_linear(n, k);
  case ATTENTION: {
    sumi_tensor *q = input(n, SUMI_SHAPE(k->n, k->a, k->b, k->c));
    sumi_tensor *key = input(n, SUMI_SHAPE(k->n, k->d, k->b, k->c));
    return sumi_attention(n->g, q, key, input(n, SUMI_SHAPE(k->n, k->d, k->b, k->c)), NULL, 0.0f, false);
  }
  case GROUP_NORM:
  case LAYER_NORM: return build_norm(n, k);
  case GEGLU: return sumi_geglu(n->g, input(n, SUMI_SHAPE(k->a, k->b)));
  case UPSAMPLE: return sumi_upsample_nearest(n->g, input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)), 2, 2);
  case CONCAT: {
    sumi_tensor *x[2] = {input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)), input(n, SUMI_SHAPE(k->n, k->a, k->a, k->c))};
    return sumi_concat(n->g, 2, x, 3);
  }
  default: {
    sumi_tensor *x = input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b));
    return sumi_add(n->g, x, input(n, SUMI_SHAPE(k->n, k->a, k->a, k->b)));
  }
  }
}

static void name_of(char *to, size_t room, const shape_case *k) {
  const long long n = k->n, a = k->a, b = k->b, c = k->c, d = k->d;
  const char *then = k->kind == CONV_RESIDUAL || k->kind == LINEAR_RESIDUAL ? " + residual"
                     : k->kind == LINEAR_GEGLU                              ? " + geglu"
                                                                            : "";
  switch (k->kind) {
  case CONV:
  case CONV_RESIDUAL:
  case UPSAMPLE_CONV:
    snprintf(to, room, "%s %sconv %lldx%lld%s %lldx%lldx%lldx%lld->%lld%s", k->where,
             k->kind == UPSAMPLE_CONV ? "upsample + " : "", d, d, k->e == 2 ? " stride 2" : "", n, a, a, b, c, then);
    return;
  case LINEAR:
  case LINEAR_RESIDUAL:
  case LINEAR_GEGLU: snprintf(to, room, "%s linear %lldx%lld->%lld%s", k->where, a, b, c, then); return;
  case ATTENTION:
    snprintf(to, room, "%s attention %lldx%lld by %lld in %lld heads of %lld", k->where, n, a, d, b, c);
    return;
  case LAYER_NORM: snprintf(to, room, "%s layer_norm %lldx%lld", k->where, a, b); return;
  case GEGLU: snprintf(to, room, "%s geglu %lldx%lld", k->where, a, b); return;
  case GROUP_NORM: snprintf(to, room, "%s group_norm_silu %lldx%lldx%lldx%lld", k->where, n, a, a, b); return;
  case ADD: snprintf(to, room, "%s add %lldx%lldx%lldx%lld", k->where, n, a, a, b); return;
  case UPSAMPLE: snprintf(to, room, "%s upsample %lldx%lldx%lldx%lld", k->where, n, a, a, b); return;
  case CONCAT: snprintf(to, room, "%s concat %lldx%lldx%lldx(%lld + %lld)", k->where, n, a, a, b, c); return;
  }
}

/* ---- Measuring ---- */

typedef struct bench {
  const cli *c;
  const arguments *a;
  sumi_backend *backend;
  cli_report_file report;
} bench;

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The median of at least three runs, after one that does not count. */
static sumi_status time_runs(sumi_program *p, double seconds, double *median) {
  enum { MOST = 1024 };
  double times[MOST];
  const double end = cli_seconds() + seconds;
  sumi_status status = sumi_run(p);
  size_t n = 0;
  while (status == SUMI_OK && n < MOST && (n < 3 || cli_seconds() < end)) {
    const double start = cli_seconds();
    status = sumi_run(p);
    times[n++] = cli_seconds() - start;
  }
  if (status != SUMI_OK) return status;
  qsort(times, n, sizeof *times, compare);
  *median = times[n / 2];
  return SUMI_OK;
}

static void report(const bench *b, const char *name, sumi_dtype dtype, double seconds, double flops, double bytes) {
  char mode[32];
  const cli_measurement m = {
      .what = name, .mode = mode, .compute = dtype, .seconds = seconds, .flops = flops, .bytes = bytes};
  snprintf(mode, sizeof mode, "%s %s", sumi_dtype_name(dtype), b->c->winograd);
  printf("%-52s %-4s %9.3f ms", name, sumi_dtype_name(dtype), seconds * 1e3);
  if (flops > 0.0)
    printf(" %8.1f GFLOP/s", flops / seconds * 1e-9);
  else
    printf(" %8s        ", "");
  printf(" %7.1f GB/s %5.0f%%\n", bytes / seconds * 1e-9, cli_report_share(&b->report, &m) * 100.0);
  fflush(stdout);
  cli_report_row(&b->report, &m);
}

static sumi_status measure(const bench *b, const shape_case *k, sumi_dtype dtype) {
  char name[128];
  net n = {.dtype = dtype};
  sumi_program *p = NULL;
  double seconds = 0.0;
  const sumi_compile_options how = {.frozen = true, .name = name};
  name_of(name, sizeof name, k);
  if (b->a->only && !strstr(name, b->a->only)) return SUMI_OK;
  sumi_status status = sumi_graph_create(b->c->context, &n.g);
  if (status != SUMI_OK) return cli_report(b->c, status);
  sumi_graph_set_compute(n.g, dtype);
  sumi_tensor *y = build(&n, k);
  status = y ? sumi_compile(b->backend, n.g, 1, &y, &how, &p) : sumi_graph_status(n.g);
  if (status == SUMI_OK) {
    n.bytes += bytes_of(y);
    for (int i = 0; i < n.n_inputs; i++) {
      const sumi_shape shape = sumi_tensor_shape(n.inputs[i]);
      fill(sumi_data(p, n.inputs[i]), dtype, sumi_shape_count(&shape), 1.0f, (uint32_t)i);
    }
    status = time_runs(p, b->a->seconds, &seconds);
  }
  if (status == SUMI_OK) report(b, name, dtype, seconds, sumi_program_describe(p).flops, n.bytes);
  sumi_program_free(p);
  sumi_graph_free(n.g);
  return cli_report(b->c, status);
}

static sumi_status measure_all(const bench *b) {
  static const sumi_dtype dtypes[] = {SUMI_F32, SUMI_BF16};
  sumi_status status = SUMI_OK;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int k = 0; k < 2 && status == SUMI_OK && !cli_interrupted(); k++)
      if (strcmp(b->a->compute, "both") == 0 || strcmp(b->a->compute, sumi_dtype_name(dtypes[k])) == 0)
        status = measure(b, &cases[i], dtypes[k]);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  bench b = {.c = c, .a = arguments_};
  cli_catch_interrupts();
  sumi_status status = cli_report_open(&b.report, c, b.a->record, b.a->commit);
  if (status != SUMI_OK) return status;
  status = cli_report(c, sumi_backend_cpu(c->context, &b.backend));
  if (status == SUMI_OK) status = measure_all(&b);
  sumi_backend_free(b.backend);
  return cli_report_close(&b.report, status);
}

const cli_command cli_bench_ops = {
    .name = "bench ops",
    .operand = "",
    .summary = "speed of each operator at the shapes of Stable Diffusion 1.5",
    .details =
        "The first line is what this machine can do at most, measured by loops in registers and a copy through\n"
        "memory. Then, for each operator, the median run: time, operations and bytes a second, and the share of the\n"
        "peak: of arithmetic where there is some, else of memory. Operations are counted as the plain algorithm\n"
        "does them, so that Winograd's convolutions may pass the peak. `unet` is two pictures (both halves of\n"
        "guidance) of 64x64 latents, `vae` a decoding to 512x512, `text` two prompts of 77 tokens.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .run = run,
};
