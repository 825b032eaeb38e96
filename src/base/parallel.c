/* The one place that knows OpenMP. ThreadSanitizer cannot see into its runtime, so the fork and the join are told to
 * it here; everything else of the library is then checked as it is. */
#define _GNU_SOURCE
#include "base/base.h"

#include <omp.h>
#include <sched.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__)
#define SUMI__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SUMI__TSAN 1
#endif
#endif
#ifdef SUMI__TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define TELL_ACQUIRE(p) __tsan_acquire(p)
#define TELL_RELEASE(p) __tsan_release(p)
#else
#define TELL_ACQUIRE(p) ((void)(p))
#define TELL_RELEASE(p) ((void)(p))
#endif

int sumi__processor_count(void) {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  return omp_get_num_procs() > 0 ? omp_get_num_procs() : 1;
}

typedef struct fork_state {
  sumi__range_fn body;
  void *arg;
  int64_t n, grain;
  int workers;
  char forked, joined; /* addresses that the fork and the join are told by */
} fork_state;

static void run_worker(fork_state *f, int worker) {
  const int64_t grains = (f->n + f->grain - 1) / f->grain;
  const int64_t begin = grains * worker / f->workers * f->grain;
  const int64_t end = sumi__min_i64(f->n, grains * (worker + 1) / f->workers * f->grain);
  if (begin < end) f->body(f->arg, begin, end, worker);
}

/* The compiler puts the region into a function of its own that reads its arguments from this stack, before the fork can
 * be told; that function inherits the attribute. */
__attribute__((no_sanitize("thread"))) void sumi__parallel_for(int threads, int64_t n, int64_t grain,
                                                               sumi__range_fn body, void *arg) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  const int64_t grains = (n + grain - 1) / grain;
  const int workers = (int)sumi__min_i64(threads, grains);
  if (workers <= 1) {
    body(arg, 0, n, 0);
    return;
  }
  fork_state f = {body, arg, n, grain, workers, 0, 0};
  TELL_RELEASE(&f.forked);
#pragma omp parallel num_threads(workers)
  {
    /* The runtime may give fewer threads than asked for; the ranges stay the same. */
    TELL_ACQUIRE(&f.forked);
    for (int worker = omp_get_thread_num(); worker < workers; worker += omp_get_num_threads()) run_worker(&f, worker);
    TELL_RELEASE(&f.joined);
  }
  TELL_ACQUIRE(&f.joined);
}

int sumi__set_library_threads(int threads) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  return before;
}

double sumi__now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
