/* sumi bench ops: operators, each at its own shapes, against what this machine can do at most. */
#include "bench_cases.h"
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

/* What is timed: a program's whole runs, or in a gradient's the one operator that is meant, by a profile. */
typedef struct meter {
  sumi_program *p;
  const char *name, *op; /* of the program; NULL: whole runs */
  sumi_profile *profile;
} meter;

/* The operator's account of all runs so far. */
static sumi_profile_row account(const meter *m) {
  sumi_profile_row sum = {0};
  for (size_t i = 0; i < sumi_profile_count(m->profile); i++) {
    const sumi_profile_row row = sumi_profile_at(m->profile, i);
    if (strcmp(row.program, m->name) != 0 || strcmp(row.op, m->op) != 0) continue;
    sum.seconds += row.seconds;
    sum.flops += row.flops;
    sum.bytes += row.bytes;
  }
  return sum;
}

/* One run. */
static sumi_status time_run(const meter *m, sumi_profile_row *out) {
  const sumi_profile_row before = m->op ? account(m) : (sumi_profile_row){0};
  const double start = cli_seconds();
  const sumi_status status = sumi_run(m->p);
  out->seconds = cli_seconds() - start;
  if (!m->op || status != SUMI_OK) return status;
  const sumi_profile_row after = account(m);
  out->seconds = after.seconds - before.seconds;
  out->flops = after.flops - before.flops;
  out->bytes = after.bytes - before.bytes;
  return SUMI_OK;
}

/* The median of at least three runs, after one that does not count; of no more than three once we are interrupted. */
static sumi_status time_runs(const meter *m, double seconds, sumi_profile_row *out) {
  enum { MOST = 1024 };
  double times[MOST];
  const double end = cli_seconds() + seconds;
  sumi_status status = time_run(m, out);
  size_t n = 0;
  while (status == SUMI_OK && n < MOST && (n < 3 || (cli_seconds() < end && !cli_interrupted()))) {
    status = time_run(m, out);
    times[n++] = out->seconds;
  }
  if (status != SUMI_OK) return status;
  qsort(times, n, sizeof *times, compare);
  out->seconds = times[n / 2];
  return SUMI_OK;
}

static void report(const bench *b, const char *name, sumi_dtype dtype, const sumi_profile_row *row) {
  const double seconds = row->seconds, flops = row->flops, bytes = row->bytes;
  char mode[32];
  const cli_measurement m = {
      .what = name, .mode = mode, .compute = dtype, .seconds = seconds, .flops = flops, .bytes = bytes};
  snprintf(mode, sizeof mode, "%s %s", sumi_dtype_name(dtype), b->c->winograd);
  printf("%-62s %-4s %9.3f ms", name, sumi_dtype_name(dtype), seconds * 1e3);
  if (flops > 0.0)
    printf(" %8.1f GFLOP/s", flops / seconds * 1e-9);
  else
    printf(" %8s        ", "");
  printf(" %7.1f GB/s %5.0f%%\n", bytes / seconds * 1e-9, cli_report_share(&b->report, &m) * 100.0);
  fflush(stdout);
  cli_report_row(&b->report, &m);
}

/* A profile of its own unless the command makes one. */
static sumi_status with_profile(const bench *b, meter *m, cli_case_net *n) {
  const sumi_compile_options how = {.frozen = true, .name = m->name};
  sumi_profile *own = NULL;
  sumi_status status = SUMI_OK;
  sumi_profile_row row = {.bytes = n->bytes};
  if (m->op && !b->c->account) status = sumi_profile_create(b->c->context, &own);
  m->profile = own ? own : b->c->account;
  if (status == SUMI_OK) status = sumi_compile(b->backend, n->g, n->n_outputs, n->outputs, &how, &m->p);
  if (status == SUMI_OK) {
    row.flops = sumi_program_describe(m->p).flops;
    for (int i = 0; i < n->n_inputs; i++) {
      const sumi_shape shape = sumi_tensor_shape(n->inputs[i]);
      void *values = sumi_data(m->p, n->inputs[i]); /* NULL: the gradient does not depend on it */
      if (values) cli_case_fill(values, sumi_tensor_dtype(n->inputs[i]), sumi_shape_count(&shape), 1.0f, (uint32_t)i);
    }
    status = time_runs(m, b->a->seconds, &row);
  }
  if (status == SUMI_OK) report(b, m->name, n->dtype, &row);
  sumi_program_free(m->p);
  sumi_profile_free(own);
  return status;
}

static sumi_status measure(const bench *b, const cli_case *k, sumi_dtype dtype) {
  char name[128];
  cli_case_net n = {.dtype = dtype};
  meter m = {.name = name, .op = cli_case_operator(k)};
  cli_case_name(k, name, sizeof name);
  sumi_status status = sumi_graph_create(b->c->context, &n.g);
  if (status != SUMI_OK) return cli_report(b->c, status);
  sumi_graph_set_compute(n.g, dtype);
  status = cli_case_build(&n, k);
  if (status == SUMI_OK) status = with_profile(b, &m, &n);
  sumi_graph_free(n.g);
  return cli_report(b->c, status);
}

/* ---- Choosing ---- */

static bool is_wanted(const arguments *a, const cli_case *k) {
  char name[128];
  cli_case_name(k, name, sizeof name);
  return !a->only || strstr(name, a->only);
}

/* What there is: names up to their sizes, "unet conv", each once. */
static void list_kinds(char *to, size_t room) {
  char name[128], kind[160];
  size_t at = 0;
  *to = 0;
  for (size_t i = 0; i < cli_case_count() && at < room; i++) {
    cli_case_name(cli_case_at(i), name, sizeof name);
    snprintf(kind, sizeof kind, "%.*s,", (int)strcspn(name, "0123456789") - 1, name);
    if (!strstr(to, kind)) at += (size_t)snprintf(to + at, room - at, "%s%s", at ? " " : "", kind);
  }
  to[strlen(to) - 1] = 0; /* the last comma */
}

static sumi_status check(const bench *b) {
  char kinds[2048];
  for (size_t i = 0; i < cli_case_count(); i++)
    if (is_wanted(b->a, cli_case_at(i))) return SUMI_OK;
  list_kinds(kinds, sizeof kinds);
  return cli_fail(b->c, SUMI_NOT_FOUND, "--only: no operator has `%s` in its name; there are: %s", b->a->only, kinds);
}

static sumi_status measure_all(const bench *b) {
  static const sumi_dtype dtypes[] = {SUMI_F32, SUMI_BF16};
  int measured = 0;
  for (size_t i = 0; i < cli_case_count(); i++)
    for (int k = 0; k < 2; k++) {
      if (!is_wanted(b->a, cli_case_at(i))) continue;
      if (strcmp(b->a->compute, "both") != 0 && strcmp(b->a->compute, sumi_dtype_name(dtypes[k])) != 0) continue;
      if (cli_interrupted()) return cli_fail(b->c, SUMI_CANCELLED, "stopped after %d measurements", measured);
      const sumi_status status = measure(b, cli_case_at(i), dtypes[k]);
      if (status != SUMI_OK) return status;
      measured++;
    }
  return SUMI_OK;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  bench b = {.c = c, .a = arguments_};
  cli_catch_interrupts();
  sumi_status status = check(&b);
  if (status == SUMI_OK) status = cli_report_open(&b.report, c, b.a->record, b.a->commit);
  if (status != SUMI_OK) return status;
  status = cli_report(c, sumi_backend_cpu(c->context, &b.backend));
  if (status == SUMI_OK) status = measure_all(&b);
  sumi_backend_free(b.backend);
  return cli_report_close(&b.report, status);
}

const cli_command cli_bench_ops = {
    .name = "bench ops",
    .operand = "",
    .summary = "speed of each operator at the shapes of Stable Diffusion 1.5 and of training",
    .details =
        "The first line is what this machine can do at most, measured by loops in registers and a copy through\n"
        "memory. Then, for each operator, the median run: time, operations and bytes a second, and the share of the\n"
        "peak: of arithmetic where there is some, else of memory. Operations are counted as the plain algorithm\n"
        "does them, so that Winograd's convolutions may pass the peak. `unet` is two pictures (both halves of\n"
        "guidance) of 64x64 latents, `vae` a decoding to 512x512, `text` two prompts of 77 tokens;\n"
        "`train` is a step of Stable Diffusion's U-Net on two latents of 32x32, and of a small one's on 32, `digits` "
        "one\n"
        "on 128 pictures of 28x28. Gradients are timed without what is beside them, with weights packed in each run.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .more_help = cli_report_help,
    .run = run,
};
