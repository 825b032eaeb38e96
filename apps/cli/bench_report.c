#include "bench_report.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* In their order. */
static const struct {
  const char *name, *meaning;
} columns[] = {
    {"commit", "what --commit says: the version that is measured"},
    {"date", "UTC"},
    {"cpu", "the processor's name for itself"},
    {"isa", "the highest instruction set that kernels use"},
    {"threads", "that they use"},
    {"what", "the network, training or operator; `shrunk`: with --shrink"},
    {"side", "of pictures in pixels, eight times that of latents; 512 for text; empty for operators"},
    {"batch", "pictures at once, or in a training step"},
    {"mode", "the type that is computed in, and which choice of Winograd's algorithm, or whether --recompute"},
    {"seconds", "of the median run or step"},
    {"gflop", "10^9 operations in it, as the plain algorithm has them"},
    {"gflops", "gflop / seconds"},
    {"gbs", "10^9 bytes a second that cannot but be moved; of operators alone"},
    {"share",
     "of the peak in the first line that is printed: of arithmetic in that type where there is some, else of memory"},
    {"activation_mb",
     "10^6 bytes: the most intermediate values (neither weights nor results, such as weights' gradients) that "
     "are alive at once, and the largest workspace of a kernel"},
    {"resident_mb",
     "10^6 bytes: the most memory of the process, weights and all; empty where several measurements share "
     "one, or where measuring the machine (130 MB) took more"},
};
enum { COLUMNS = sizeof columns / sizeof *columns, HEAD_BYTES = 512 };

void cli_report_help(void) {
  printf("\nColumns of the file that --record adds rows to:\n");
  for (size_t i = 0; i < COLUMNS; i++) printf("  %-14s %s\n", columns[i].name, columns[i].meaning);
}

/* The file's first line. */
static void print_head(char head[HEAD_BYTES]) {
  size_t at = 0;
  for (size_t i = 0; i < COLUMNS; i++)
    at += (size_t)snprintf(head + at, HEAD_BYTES - at, "%s%c", columns[i].name, i + 1 < COLUMNS ? ',' : '\n');
}

/* New, or one that begins with the head. */
static sumi_status check_file(const cli *c, const char *path, FILE *f) {
  char head[HEAD_BYTES], line[HEAD_BYTES];
  print_head(head);
  rewind(f);
  if (!fgets(line, sizeof line, f)) return fputs(head, f) < 0 ? cli_fail(c, SUMI_IO, "cannot write %s", path) : SUMI_OK;
  if (strcmp(line, head) != 0)
    return cli_fail(c, SUMI_FORMAT, "--record: %s is no file of results: its first line is another one", path);
  fseek(f, 0, SEEK_END);
  return SUMI_OK;
}

/* 0: not known. */
static size_t peak_bytes(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0;
}

size_t cli_report_peak_bytes(const cli_report_file *r) {
  const size_t peak = peak_bytes();
  return peak > r->machine_peak_bytes ? peak : 0;
}

sumi_status cli_report_open(cli_report_file *r, cli *c, const char *path, const char *commit) {
  *r = (cli_report_file){.c = c, .commit = commit, .path = path};
  if (strpbrk(commit, ",\"\\\r\n"))
    return cli_fail(c, SUMI_INVALID, "--commit: commas, quotes, backslashes and line breaks are not allowed");
  if (path && !(r->file = fopen(path, "a+")))
    return cli_fail(c, SUMI_IO, "--record: cannot write %s: %s", path, strerror(errno));
  sumi_status status = path ? check_file(c, path, r->file) : SUMI_OK;
  if (status == SUMI_OK) status = cli_report(c, cli_machine(c, &r->machine));
  r->machine_peak_bytes = peak_bytes();
  if (status == SUMI_OK)
    printf("%s, %d threads, %s: %.0f GFLOP/s in f32, %.0f in bf16, %.1f GB/s\n", r->machine->cpu, r->machine->threads,
           r->machine->isa, r->machine->f32_flops * 1e-9, r->machine->bf16_flops * 1e-9,
           r->machine->bytes_per_second * 1e-9);
  fflush(stdout);
  if (status != SUMI_OK && r->file) fclose(r->file);
  return status;
}

double cli_report_share(const cli_report_file *r, const cli_measurement *m) {
  if (m->flops <= 0.0) return m->bytes / m->seconds / r->machine->bytes_per_second;
  return m->flops / m->seconds / (m->compute == SUMI_BF16 ? r->machine->bf16_flops : r->machine->f32_flops);
}

static void cell(FILE *f, const char *format, double value) {
  fputc(',', f);
  if (value > 0.0) fprintf(f, format, value);
}

void cli_report_row(const cli_report_file *r, const cli_measurement *m) {
  char date[32] = "";
  struct tm utc;
  const time_t now = time(NULL);
  FILE *f = r->file;
  if (!f) return;
  if (gmtime_r(&now, &utc)) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  const size_t activations = m->program ? m->program->inner_bytes + m->program->scratch_bytes : 0;
  fprintf(f, "%s,%s,%s,%s,%d,%s", r->commit, date, r->machine->cpu, r->machine->isa, r->machine->threads, m->what);
  cell(f, "%.0f", (double)m->side);
  cell(f, "%.0f", (double)m->batch);
  fprintf(f, ",%s", m->mode);
  cell(f, "%.6g", m->seconds);
  cell(f, "%.6g", m->flops * 1e-9);
  cell(f, "%.5g", m->flops / m->seconds * 1e-9);
  cell(f, "%.4g", m->bytes / m->seconds * 1e-9);
  cell(f, "%.3f", cli_report_share(r, m));
  cell(f, "%.1f", (double)activations * 1e-6);
  cell(f, "%.0f", m->alone ? (double)cli_report_peak_bytes(r) * 1e-6 : 0.0);
  fputc('\n', f);
}

sumi_status cli_report_close(cli_report_file *r, sumi_status status) {
  if (!r->file) return status;
  const bool failed = ferror(r->file) != 0;
  const bool closed = fclose(r->file) == 0;
  r->file = NULL;
  if ((failed || !closed) && status == SUMI_OK) return cli_fail(r->c, SUMI_IO, "--record: cannot write %s", r->path);
  return status;
}
