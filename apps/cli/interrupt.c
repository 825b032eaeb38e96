/* Ctrl-C, SIGTERM and a terminal that goes away ask for a stop in good order. A second one is the system's default,
 * death; but only after a moment, since a key that is held, or a terminal that signals the whole group, sends several
 * at once. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;
static bool on_terminal;
static struct timespec first;

/* A second has passed since the first signal. */
static bool a_moment_later(const struct timespec *now) {
  return now->tv_sec - first.tv_sec - (now->tv_nsec < first.tv_nsec) >= 1;
}

/* Only what a handler may call. */
static void on_signal(int number) {
  const int kept = errno;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!interrupted) {
    first = now;
    interrupted = 1;
    static const char answer[] = "\nstopping; again to quit at once\n"; /* on a terminal, below the bar */
    const size_t skip = on_terminal ? 0 : 1;
    if (write(STDERR_FILENO, answer + skip, sizeof answer - 1 - skip) < 0) errno = 0; /* nobody is there to be told */
  } else if (a_moment_later(&now)) {
    signal(number, SIG_DFL);
    raise(number);
  }
  errno = kept;
}

void cli_catch_interrupts(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action, old;
  on_terminal = isatty(STDERR_FILENO) == 1;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = (int)SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    sigaddset(&action.sa_mask, numbers[i]);
    /* Whoever started us with a signal ignored (nohup, a shell's background) wants that. */
    if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    sigaction(numbers[i], &action, NULL);
  }
}

bool cli_interrupted(void) { return interrupted != 0; }
