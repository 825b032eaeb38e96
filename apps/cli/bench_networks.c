/* sumi bench unet, vae, text: the networks of Stable Diffusion 1.5 with random weights. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

typedef struct arguments {
  int64_t side, batch, runs, shrink;
  const char *modes, *json, *commit;
} arguments;

static const arguments defaults = {
    .side = 512, .batch = 1, .runs = 3, .shrink = 1, .modes = "bf16", .commit = "unknown"};
static const cli_option options[] = {
    {"side", 's', CLI_INT, offsetof(arguments, side), "N", "of a picture in pixels, a multiple of 8", 8, 8192, NULL},
    {"batch", 'b', CLI_INT, offsetof(arguments, batch), "N", "pictures at once", 1, 256, NULL},
    {"runs", 'n', CLI_INT, offsetof(arguments, runs), "N", "runs of each mode, of which the median counts", 1, 10000,
     NULL},
    {"modes", 'm', CLI_CHOICE, offsetof(arguments, modes), NULL,
     "all: each precision with each choice of Winograd's algorithm, and what their errors are", 0, 0,
     "bf16 f32 both all"},
    {"shrink", 0, CLI_INT, offsetof(arguments, shrink), "N", "divide all widths by 1, 2, 4 or 8, to try it out", 1, 8,
     NULL},
    {"json", 0, CLI_TEXT, offsetof(arguments, json), "FILE", "append a JSON line for each mode", 0, 0, NULL},
    {"commit", 0, CLI_TEXT, offsetof(arguments, commit), "ID", "the version that is measured, for the JSON lines", 0, 0,
     NULL},
};

static const char *const winograds[] = {"careful", "careful", "fast", "off"}; /* by sumi_winograd */
static const char *const networks[] = {"unet", "vae", "text"};

/* In this order, so that errors are those against plain f32 where that is among them. */
static const sumi_bench_mode all[] = {{SUMI_F32, SUMI_WINOGRAD_OFF},
                                      {SUMI_F32, SUMI_WINOGRAD_CAREFUL},
                                      {SUMI_BF16, SUMI_WINOGRAD_OFF},
                                      {SUMI_BF16, SUMI_WINOGRAD_CAREFUL},
                                      {SUMI_BF16, SUMI_WINOGRAD_FAST}};
enum { ALL = sizeof all / sizeof *all };

static sumi_winograd winograd_of(const char *word) {
  sumi_winograd w = SUMI_WINOGRAD_CAREFUL;
  while (strcmp(winograds[w], word) != 0) w++;
  return w;
}

static int choose(const cli *c, const char *word, sumi_bench_mode *modes) {
  int n = 0;
  if (strcmp(word, "all") == 0) {
    memcpy(modes, all, sizeof all);
    return ALL;
  }
  if (strcmp(word, "bf16") != 0) modes[n++] = (sumi_bench_mode){SUMI_F32, winograd_of(c->winograd)};
  if (strcmp(word, "f32") != 0) modes[n++] = (sumi_bench_mode){SUMI_BF16, winograd_of(c->winograd)};
  return n;
}

static bool should_stop(void *user) {
  (void)user;
  return cli_interrupted();
}

static void print_mode(const arguments *a, const char *network, const sumi_machine *machine,
                       const sumi_bench_mode *mode, const sumi_bench_result *r, FILE *json) {
  const double peak = mode->compute == SUMI_BF16 ? machine->bf16_flops : machine->f32_flops;
  const double share = r->program.flops / r->median_seconds / peak;
  printf("%-5s %-8s %9.3f s %9.3f s %9.1f %7.0f%% %9.0f %9.0f %9.0f %9.2e %7.2f s\n", sumi_dtype_name(mode->compute),
         winograds[mode->winograd], r->median_seconds, r->best_seconds, r->program.flops / r->median_seconds * 1e-9,
         share * 100.0, (double)r->program.arena_bytes * 1e-6, (double)r->program.scratch_bytes * 1e-6,
         (double)r->program.packed_bytes * 1e-6, r->error, r->compile_seconds);
  if (json)
    fprintf(json,
            "{\"commit\": \"%s\", \"network\": \"%s\", \"side\": %lld, \"batch\": %lld, \"dtype\": \"%s\", "
            "\"winograd\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"median_seconds\": %.6g, \"best_seconds\": %.6g, "
            "\"compile_seconds\": %.6g, "
            "\"flops\": %.9g, \"peak_flops\": %.9g, \"arena_bytes\": %zu, \"scratch_bytes\": %zu, \"packed_bytes\": "
            "%zu, \"error\": %.4g}\n",
            a->commit, network, (long long)a->side, (long long)a->batch, sumi_dtype_name(mode->compute),
            winograds[mode->winograd], machine->isa, machine->threads, r->median_seconds, r->best_seconds,
            r->compile_seconds, r->program.flops, peak, r->program.arena_bytes, r->program.scratch_bytes,
            r->program.packed_bytes, r->error);
}

static sumi_status report(cli *c, const arguments *a, const char *network, int n, const sumi_bench_mode *modes,
                          const sumi_machine *machine, const sumi_bench_result *results) {
  FILE *json = a->json ? fopen(a->json, "a") : NULL;
  struct rusage usage;
  if (a->json && !json) return cli_fail(c, SUMI_IO, "cannot write %s", a->json);
  printf("%s, %lldx%lld, batch %lld; %d threads, %s: %.0f GFLOP/s in f32, %.0f in bf16\n", network, (long long)a->side,
         (long long)a->side, (long long)a->batch, machine->threads, machine->isa, machine->f32_flops * 1e-9,
         machine->bf16_flops * 1e-9);
  printf(
      "      winograd    median        best    GFLOP/s of peak  arena MB scratch MB packed MB     error   compile\n");
  for (int i = 0; i < n; i++) print_mode(a, network, machine, &modes[i], &results[i], json);
  if (getrusage(RUSAGE_SELF, &usage) == 0)
    printf("peak memory of the process: %.0f MB\n", (double)usage.ru_maxrss * 1024e-6);
  if (json && fclose(json) != 0) return cli_fail(c, SUMI_IO, "cannot write %s", a->json);
  return SUMI_OK;
}

static sumi_status run(cli *c, const arguments *a, sumi_bench_network network) {
  sumi_bench_mode modes[ALL];
  sumi_bench_result results[ALL];
  sumi_machine machine;
  const int n = choose(c, a->modes, modes);
  const sumi_bench_options how = {.network = network,
                                  .side = a->side,
                                  .batch = a->batch,
                                  .runs = (int)a->runs,
                                  .shrink = (int)a->shrink,
                                  .should_stop = should_stop};
  if (strpbrk(a->commit, "\"\\\n"))
    return cli_fail(c, SUMI_INVALID, "--commit: quotes, backslashes and line breaks are not allowed");
  cli_catch_interrupts();
  sumi_status status = sumi_measure_machine(c->context, &machine);
  if (status == SUMI_OK) status = sumi_bench_networks(c->context, &how, n, modes, results);
  if (status != SUMI_OK) return cli_report(c, status);
  return report(c, a, networks[network], n, modes, &machine, results);
}

static sumi_status run_unet(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  return run(c, arguments_, SUMI_BENCH_UNET);
}
static sumi_status run_vae(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  return run(c, arguments_, SUMI_BENCH_VAE);
}
static sumi_status run_text(cli *c, const void *arguments_, int operand_count, char **operands) {
  (void)operand_count, (void)operands;
  return run(c, arguments_, SUMI_BENCH_TEXT);
}

#define DETAILS                                                                                                        \
  "Weights are random, so no checkpoint is needed; 4 GB of memory are. A step of the U-Net is one with guidance,\n"    \
  "two latents for each picture. Operations are counted as the plain algorithm does them, so that Winograd's\n"        \
  "convolutions may pass the peak. The error is that of the result against the first mode's.\n"
#define COMMAND(word, text)                                                                                            \
  const cli_command cli_bench_##word = {                                                                               \
      .name = "bench " #word,                                                                                          \
      .operand = "",                                                                                                   \
      .summary = text,                                                                                                 \
      .details = DETAILS,                                                                                              \
      .options = options,                                                                                              \
      .option_count = sizeof options / sizeof *options,                                                                \
      .defaults = &defaults,                                                                                           \
      .arguments_bytes = sizeof defaults,                                                                              \
      .run = run_##word,                                                                                               \
  }

COMMAND(unet, "seconds of a guided step of Stable Diffusion 1.5's U-Net");
COMMAND(vae, "seconds of decoding latents to pictures");
COMMAND(text, "seconds of encoding two prompts");
