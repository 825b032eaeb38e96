/* Progress on stderr: a bar on a terminal, plain lines elsewhere. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double cli_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* 75 -> "1:15", 3725 -> "1:02:05". */
static void format_duration(char *out, size_t room, double seconds) {
  const long s = (long)(seconds + 0.5);
  if (s >= 3600)
    snprintf(out, room, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else
    snprintf(out, room, "%ld:%02ld", s / 60, s % 60);
}

static void draw(const cli_progress *p, int64_t done, const char *note, double now, bool last) {
  enum { WIDTH = 24 };
  char bar[WIDTH + 1], time_text[32];
  const double share = p->total > 0 ? (double)done / (double)p->total : 1.0;
  const double elapsed = now - p->begin, rate = elapsed > 0 ? (double)(done - p->first) / elapsed : 0.0;
  const double left = rate > 0 ? (double)(p->total - done) / rate : 0.0;
  format_duration(time_text, sizeof time_text, last ? elapsed : left);
  if (p->terminal) {
    const int filled = (int)(share * WIDTH);
    for (int i = 0; i < WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[WIDTH] = 0;
    fprintf(stderr, "\r\033[K%s [%s] ", p->label, bar);
  } else {
    fprintf(stderr, "%s: ", p->label);
  }
  fprintf(stderr, "%lld/%lld %s, %.*f/s, %s %s%s%s%s", (long long)done, (long long)p->total, p->unit, rate < 10 ? 2 : 0,
          rate, time_text, last ? "in all" : "left", note ? ", " : "", note ? note : "",
          p->terminal && !last ? "" : "\n");
  fflush(stderr);
}

void cli_progress_begin(cli_progress *p, const cli *c, const char *label, const char *unit, int64_t first,
                        int64_t total) {
  const double now = cli_seconds();
  *p = (cli_progress){label, unit, total, now, now, first, isatty(STDERR_FILENO) == 1, c->quiet};
}

void cli_progress_update(cli_progress *p, int64_t done, const char *note) {
  const double now = cli_seconds();
  if (p->silent || done >= p->total || now - p->shown < (p->terminal ? 0.1 : 10.0)) return;
  p->shown = now;
  draw(p, done, note, now, false);
}

void cli_progress_clear(cli_progress *p) {
  if (!p->terminal || p->silent) return;
  fputs("\r\033[K", stderr);
  p->shown = 0;
}

void cli_progress_end(cli_progress *p, int64_t done, const char *note) {
  if (!p->silent) draw(p, done, note, cli_seconds(), true);
}
