#include "bench_report.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char head[] =
    "commit,date,cpu,isa,threads,what,side,batch,mode,seconds,gflop,gflops,gbs,share,activation_mb,resident_mb\n";

/* New, or one that begins with the head. */
static sumi_status check_file(const cli *c, const char *path, FILE *f) {
  char line[sizeof head + 1];
  rewind(f);
  if (!fgets(line, sizeof line, f)) return fputs(head, f) < 0 ? cli_fail(c, SUMI_IO, "cannot write %s", path) : SUMI_OK;
  if (strcmp(line, head) != 0)
    return cli_fail(c, SUMI_FORMAT, "--record: %s is no file of results: its first line is another one", path);
  fseek(f, 0, SEEK_END);
  return SUMI_OK;
}

sumi_status cli_report_open(cli_report_file *r, cli *c, const char *path, const char *commit) {
  *r = (cli_report_file){.c = c, .commit = commit, .path = path};
  if (strpbrk(commit, ",\"\\\r\n"))
    return cli_fail(c, SUMI_INVALID, "--commit: commas, quotes, backslashes and line breaks are not allowed");
  if (path && !(r->file = fopen(path, "a+")))
    return cli_fail(c, SUMI_IO, "--record: cannot write %s: %s", path, strerror(errno));
  sumi_status status = path ? check_file(c, path, r->file) : SUMI_OK;
  if (status == SUMI_OK) status = cli_report(c, cli_machine(c, &r->machine));
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
  struct rusage usage;
  struct tm utc;
  const time_t now = time(NULL);
  FILE *f = r->file;
  if (!f) return;
  if (gmtime_r(&now, &utc)) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  const bool known = getrusage(RUSAGE_SELF, &usage) == 0;
  fprintf(f, "%s,%s,%s,%s,%d,%s", r->commit, date, r->machine->cpu, r->machine->isa, r->machine->threads, m->what);
  cell(f, "%.0f", (double)m->side);
  cell(f, "%.0f", (double)m->batch);
  fprintf(f, ",%s", m->mode);
  cell(f, "%.6g", m->seconds);
  cell(f, "%.6g", m->flops * 1e-9);
  cell(f, "%.5g", m->flops / m->seconds * 1e-9);
  cell(f, "%.4g", m->bytes / m->seconds * 1e-9);
  cell(f, "%.3f", cli_report_share(r, m));
  cell(f, "%.1f", (double)m->activation_bytes * 1e-6);
  cell(f, "%.0f", known && m->alone ? (double)usage.ru_maxrss * 1024e-6 : 0.0);
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
