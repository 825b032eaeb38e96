/* sumi bench train-digits: how fast the conditional digit network trains here. */
#include "bench_report.h"

#include <stdio.h>
#include <string.h>

typedef struct arguments {
  const char *config, *compute, *record, *commit;
  int64_t batch, micro_batch, steps;
} arguments;

static const arguments defaults = {
    .config = "configs/digits-attention.yaml", .compute = "both", .commit = "unknown", .steps = 10};
static const cli_option options[] = {
    {"config", 0, CLI_TEXT, offsetof(arguments, config), "FILE", "what is trained, and how", 0, 0, NULL},
    {"batch", 'b', CLI_INT, offsetof(arguments, batch), "N", "pictures in a step; 0 means 128, then 1024", 0, 65536,
     NULL},
    {"micro-batch", 0, CLI_INT, offsetof(arguments, micro_batch), "N",
     "pictures computed at once, gradients being summed; 0 means the whole batch", 0, 65536, NULL},
    {"compute", 0, CLI_CHOICE, offsetof(arguments, compute), NULL, "what the network computes in", 0, 0,
     "both f32 bf16"},
    {"steps", 'n', CLI_INT, offsetof(arguments, steps), "N", "steps to measure, of which the median counts", 1, 10000,
     NULL},
    CLI_RECORD_OPTIONS(arguments),
};

static bool should_stop(void *user) {
  (void)user;
  return cli_interrupted();
}

static void report_step(const cli_report_file *report, const arguments *a, int64_t batch, const char *compute,
                        double flops, const sumi_train_benchmark_result *r) {
  const cli_measurement m = {.what = "train digits",
                             .mode = compute,
                             .compute = strcmp(compute, "bf16") == 0 ? SUMI_BF16 : SUMI_F32,
                             .side = 28,
                             .batch = batch,
                             .seconds = r->step_seconds,
                             .flops = flops,
                             .program = &r->program,
                             .alone = a->batch && strcmp(a->compute, "both") != 0};
  printf("%5lld  %-7s  %9.0f  %8.1f  %8.1f  %6.0f%%  %10.1f  %11.3f\n", (long long)batch, compute, r->images_per_second,
         r->step_seconds * 1e3, flops / r->step_seconds * 1e-9, cli_report_share(report, &m) * 100.0,
         (double)r->program.arena_bytes * 1e-6, (double)r->program.arena_bytes / (double)r->program.lower_bound_bytes);
  fflush(stdout);
  cli_report_row(report, &m);
}

/* One batch and type. Without a report the configuration is read and checked, and nothing measured. */
static sumi_status measure(const cli *c, const arguments *a, const cli_report_file *report, int64_t batch,
                           const char *compute) {
  char batch_key[64], micro_key[64], compute_key[64];
  const char *overrides[] = {batch_key, micro_key, compute_key};
  sumi_train_config *config = NULL;
  sumi_train_benchmark_result r;
  const sumi_train_benchmark_options how = {.steps = a->steps, .callbacks = {.should_stop = should_stop}};
  snprintf(batch_key, sizeof batch_key, "train.batch=%lld", (long long)batch);
  snprintf(micro_key, sizeof micro_key, "train.micro_batch=%lld", (long long)a->micro_batch);
  snprintf(compute_key, sizeof compute_key, "train.compute=%s", compute);
  sumi_status status = sumi_train_config_load(c->context, a->config, 3, overrides, &config);
  if (status == SUMI_OK && report) status = sumi_train_benchmark(c->context, config, &how, &r);
  if (status == SUMI_OK && report) {
    const double flops = r.program.flops * (double)batch / (double)(a->micro_batch ? a->micro_batch : batch);
    report_step(report, a, batch, compute, flops, &r);
  }
  sumi_train_config_free(config);
  return cli_report(c, status);
}

/* Each batch and type that was asked for. */
static sumi_status measure_all(const cli *c, const arguments *a, const cli_report_file *report) {
  static const int64_t batches[] = {128, 1024};
  static const char *const computes[] = {"f32", "bf16"};
  sumi_status status = SUMI_OK;
  for (size_t b = 0; b < (a->batch ? 1 : 2); b++)
    for (size_t k = 0; k < 2 && status == SUMI_OK; k++)
      if (strcmp(a->compute, "both") == 0 || strcmp(a->compute, computes[k]) == 0)
        status = measure(c, a, report, a->batch ? a->batch : batches[b], computes[k]);
  return status;
}

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  const arguments *a = arguments_;
  cli_report_file report;
  cli_catch_interrupts();
  sumi_status status = measure_all(c, a, NULL);
  if (status == SUMI_OK) status = cli_report_open(&report, c, a->record, a->commit);
  if (status != SUMI_OK) return status;
  printf("batch  compute   images/s   ms/step   GFLOP/s  of peak    arena MB  arena/bound\n");
  return cli_report_close(&report, measure_all(c, a, &report));
}

const cli_command cli_bench_train_digits = {
    .name = "bench train-digits",
    .operand = "",
    .summary = "images per second of training the conditional digit network",
    .details =
        "Whole steps, on a batch that lies ready in memory: forward, backward, optimiser, average of weights. The\n"
        "arena holds the intermediate values; its bound is the most that is alive at once. What PyTorch does on\n"
        "the same machine is printed by tools/oracle/bench_train_digits.py.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .more_help = cli_report_help,
    .run = run,
};
