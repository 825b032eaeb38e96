/* sumi bench unet, vae, text: the networks of Stable Diffusion 1.5 with random weights. */
#include "bench_report.h"

#include <stdio.h>
#include <string.h>

typedef struct arguments {
  int64_t side, batch, runs, shrink;
  const char *modes, *record, *commit;
} arguments;

static const arguments defaults = {
    .side = 512, .batch = 1, .runs = 3, .shrink = 1, .modes = "bf16", .commit = "unknown"};
/* The first is not for the text encoder, which has no pictures. */
static const cli_option options[] = {
    {"side", 's', CLI_INT, offsetof(arguments, side), "N", "of a picture in pixels, a multiple of 8", 8, 8192, NULL},
    {"batch", 'b', CLI_INT, offsetof(arguments, batch), "N", "pictures at once", 1, 256, NULL},
    {"runs", 'n', CLI_INT, offsetof(arguments, runs), "N", "runs of each mode, of which the median counts", 1, 10000,
     NULL},
    {"modes", 'm', CLI_CHOICE, offsetof(arguments, modes), NULL,
     "all: each precision with each --winograd, and what their errors are", 0, 0, "bf16 f32 both all"},
    {"shrink", 0, CLI_INT, offsetof(arguments, shrink), "N", "divide all widths by 1, 2, 4 or 8, to try it out", 1, 8,
     NULL},
    CLI_RECORD_OPTIONS(arguments),
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

typedef struct bench {
  const arguments *a;
  const char *network;
  cli_report_file report;
  sumi_bench_mode modes[ALL];
  int n;
} bench;

static void print_mode(void *user, int i, const sumi_bench_result *r) {
  const bench *b = user;
  const arguments *a = b->a;
  const sumi_bench_mode *mode = &b->modes[i];
  char what[32], name[32];
  const cli_measurement m = {.what = what,
                             .mode = name,
                             .compute = mode->compute,
                             .side = a->side,
                             .batch = a->batch,
                             .seconds = r->median_seconds,
                             .flops = r->program.flops,
                             .program = &r->program,
                             .alone = b->n == 1};
  snprintf(what, sizeof what, a->shrink > 1 ? "%s shrunk" : "%s", b->network);
  snprintf(name, sizeof name, "%s %s", sumi_dtype_name(mode->compute), winograds[mode->winograd]);
  printf("%-5s %-8s %9.3f s %9.3f s %9.1f %7.0f%% %9.0f %9.0f %9.0f %9.2e %7.2f s\n", sumi_dtype_name(mode->compute),
         winograds[mode->winograd], r->median_seconds, r->best_seconds, r->program.flops / r->median_seconds * 1e-9,
         cli_report_share(&b->report, &m) * 100.0, (double)r->program.arena_bytes * 1e-6,
         (double)r->program.scratch_bytes * 1e-6, (double)r->program.packed_bytes * 1e-6, r->error, r->compile_seconds);
  fflush(stdout);
  cli_report_row(&b->report, &m);
}

static sumi_status measure(cli *c, const bench *b, const sumi_bench_options *how) {
  sumi_bench_result results[ALL];
  const arguments *a = b->a;
  if (how->network == SUMI_BENCH_TEXT)
    printf("%s, %lld prompts\n", b->network, 2 * (long long)a->batch);
  else
    printf("%s, %lldx%lld, batch %lld\n", b->network, (long long)a->side, (long long)a->side, (long long)a->batch);
  printf(
      "      winograd    median        best    GFLOP/s of peak  arena MB scratch MB packed MB     error   compile\n");
  const sumi_status status = cli_report(c, sumi_bench_networks(c->context, how, b->n, b->modes, results));
  const size_t peak = cli_report_peak_bytes(&b->report);
  if (status == SUMI_OK && peak) printf("peak memory of the process: %.0f MB\n", (double)peak * 1e-6);
  return status;
}

static sumi_status run(cli *c, const arguments *a, sumi_bench_network network) {
  bench b = {.a = a, .network = networks[network]};
  const sumi_bench_options how = {.network = network,
                                  .side = a->side,
                                  .batch = a->batch,
                                  .runs = (int)a->runs,
                                  .shrink = (int)a->shrink,
                                  .user = &b,
                                  .should_stop = should_stop,
                                  .measured = print_mode};
  b.n = choose(c, a->modes, b.modes);
  if (b.n == ALL && strcmp(c->winograd, cli_defaults.winograd) != 0)
    return cli_fail(c, SUMI_INVALID, "--modes all measures each choice of --winograd; leave one of the two out");
  cli_catch_interrupts();
  sumi_status status = cli_report(c, sumi_bench_networks_check(c->context, &how, b.n, b.modes));
  if (status == SUMI_OK) status = cli_report_open(&b.report, c, a->record, a->commit);
  if (status == SUMI_OK) status = cli_report_close(&b.report, measure(c, &b, &how));
  return status;
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

#define WEIGHTS "Weights are random, so no checkpoint is needed.\n"
#define COUNTED                                                                                                        \
  "Operations are counted as the plain algorithm does them, so that Winograd's convolutions may pass the peak. The\n"  \
  "error is that of the result against the first mode's.\n"
#define COMMAND(word, first_option, text, about)                                                                       \
  const cli_command cli_bench_##word = {                                                                               \
      .name = "bench " #word,                                                                                          \
      .operand = "",                                                                                                   \
      .summary = text,                                                                                                 \
      .details = about COUNTED,                                                                                        \
      .options = options + first_option,                                                                               \
      .option_count = sizeof options / sizeof *options - first_option,                                                 \
      .defaults = &defaults,                                                                                           \
      .arguments_bytes = sizeof defaults,                                                                              \
      .more_help = cli_report_help,                                                                                    \
      .run = run_##word,                                                                                               \
  }

COMMAND(unet, 0, "seconds of a guided step of Stable Diffusion 1.5's U-Net",
        WEIGHTS "It takes 2.3 GB of memory in bf16, and 5.0 in f32. A step is one with guidance, two latents for each\n"
                "picture.\n");
COMMAND(vae, 0, "seconds of decoding latents to pictures", WEIGHTS);
COMMAND(text, 1, "seconds of encoding two prompts",
        WEIGHTS "For each picture of --batch there are two prompts of 77 tokens, as guidance has them.\n");
