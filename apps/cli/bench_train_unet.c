/* sumi bench train-unet: how fast the U-Nets of latent diffusion train here. */
#include "bench_report.h"

#include <stdio.h>
#include <string.h>

typedef struct arguments {
  const char *network, *compute, *recompute, *record, *commit;
  int64_t side, batch, steps, shrink;
} arguments;

static const arguments defaults = {
    .network = "ldm", .compute = "bf16", .recompute = "off", .commit = "unknown", .side = 32, .steps = 5, .shrink = 1};
static const cli_option options[] = {
    {"network", 0, CLI_CHOICE, offsetof(arguments, network), NULL,
     "a small one, class-conditional, or Stable Diffusion 1.5's, which takes 16 GB", 0, 0, "ldm sd1"},
    {"compute", 0, CLI_CHOICE, offsetof(arguments, compute), NULL, "what the network computes in", 0, 0,
     "bf16 f32 both"},
    {"recompute", 0, CLI_CHOICE, offsetof(arguments, recompute), NULL,
     "compute the inner values of blocks again for gradients, rather than keep them", 0, 0, "off on both"},
    {"side", 's', CLI_INT, offsetof(arguments, side), "N", "of the latents, a multiple of 8", 8, 512, NULL},
    {"batch", 'b', CLI_INT, offsetof(arguments, batch), "N", "latents in a step; 0 means 32, or 2 for sd1", 0, 4096,
     NULL},
    {"steps", 'n', CLI_INT, offsetof(arguments, steps), "N", "steps to measure, of which the median counts", 1, 10000,
     NULL},
    {"shrink", 0, CLI_INT, offsetof(arguments, shrink), "N", "divide all widths by 1, 2, 4 or 8, to try it out", 1, 8,
     NULL},
    CLI_RECORD_OPTIONS(arguments),
};

static bool should_stop(void *user) {
  (void)user;
  return cli_interrupted();
}

static double keep(const cli_report_file *report, const arguments *a, const sumi_train_unet_options *o,
                   const sumi_train_unet_result *r) {
  char what[32], mode[32];
  const cli_measurement m = {.what = what,
                             .mode = mode,
                             .compute = o->compute,
                             .side = a->side * 8,
                             .batch = a->batch                            ? a->batch
                                      : o->network == SUMI_TRAIN_UNET_SD1 ? 2
                                                                          : 32,
                             .seconds = r->step_seconds,
                             .flops = r->program.flops,
                             .program = &r->program,
                             .alone = strcmp(a->compute, "both") != 0 && strcmp(a->recompute, "both") != 0};
  snprintf(what, sizeof what, a->shrink > 1 ? "train %s shrunk" : "train %s", a->network);
  snprintf(mode, sizeof mode, "%s%s", sumi_dtype_name(o->compute), o->recompute ? " recompute" : "");
  cli_report_row(report, &m);
  return cli_report_share(report, &m);
}

static sumi_train_unet_options options_of(const arguments *a, sumi_dtype compute, bool recompute) {
  return (sumi_train_unet_options){.network =
                                       strcmp(a->network, "sd1") == 0 ? SUMI_TRAIN_UNET_SD1 : SUMI_TRAIN_UNET_LDM,
                                   .compute = compute,
                                   .recompute = recompute,
                                   .side = a->side,
                                   .batch = a->batch,
                                   .steps = a->steps,
                                   .shrink = (int)a->shrink,
                                   .callbacks = {.should_stop = should_stop}};
}

static sumi_status measure(cli *c, const arguments *a, sumi_dtype compute, bool recompute,
                           const cli_report_file *report) {
  const sumi_train_unet_options how = options_of(a, compute, recompute);
  sumi_train_unet_result r;
  const sumi_status status = sumi_train_benchmark_unet(c->context, &how, &r);
  if (status != SUMI_OK) return cli_report(c, status);
  printf("%-4s  %-7s  %-9s  %9.3f  %9.3f  %9.3f  %8.1f  %6.0f%%  %11.1f  %9.1f  %9.1f  %9.1f  %10.1f  %.4f to "
         "%.4f\n",
         a->network, sumi_dtype_name(compute), recompute ? "on" : "off", r.step_seconds, r.cpu_seconds,
         r.optimizer_seconds, r.program.flops / r.step_seconds * 1e-9, 100.0 * keep(report, a, &how, &r),
         (double)r.program.inner_bytes * 1e-6, (double)r.kept_bytes * 1e-6, (double)r.gradient_bytes * 1e-6,
         (double)r.program.arena_bytes * 1e-6, (double)r.program.scratch_bytes * 1e-6, r.first_loss, r.last_loss);
  fflush(stdout);
  return SUMI_OK;
}

static bool chosen(const char *word, const char *one) { return strcmp(word, one) == 0 || strcmp(word, "both") == 0; }

static sumi_status run(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  static const sumi_dtype computes[] = {SUMI_F32, SUMI_BF16};
  const arguments *a = arguments_;
  const sumi_train_unet_options any = options_of(a, SUMI_F32, false);
  cli_report_file report;
  cli_catch_interrupts();
  sumi_status status = cli_report(c, sumi_train_benchmark_unet_check(c->context, &any));
  if (status == SUMI_OK) status = cli_report_open(&report, c, a->record, a->commit);
  if (status != SUMI_OK) return status;
  printf("latents of %lldx%lld, as of pictures of %lldx%lld\n", (long long)a->side, (long long)a->side,
         (long long)a->side * 8, (long long)a->side * 8);
  printf(
      "net   compute  recompute     s/step      cpu s    AdamW s   GFLOP/s  of peak  activations    kept MB  gradients"
      "   arena MB  scratch MB  loss\n");
  for (int k = 0; k < 2; k++)
    for (int again = 0; again < 2 && status == SUMI_OK; again++)
      if (chosen(a->compute, sumi_dtype_name(computes[k])) && chosen(a->recompute, again ? "on" : "off"))
        status = measure(c, a, computes[k], again, &report);
  return cli_report_close(&report, status);
}

const cli_command cli_bench_train_unet = {
    .name = "bench train-unet",
    .operand = "",
    .summary = "seconds of a training step of a latent-diffusion U-Net",
    .details =
        "Whole steps, on noise that lies ready in memory: forward, backward, AdamW over f32 weights. Operations are\n"
        "counted as the plain algorithms do them. `activations` is the most MB of values other than parameters'\n"
        "gradients that are alive at once, `kept` what of them the forward pass keeps for the backward one. The arena\n"
        "holds them and the gradients, often in the same place. What PyTorch does on the same machine is printed by\n"
        "tools/oracle/bench_train_unet.py.\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .arguments_bytes = sizeof defaults,
    .more_help = cli_report_help,
    .run = run,
};
