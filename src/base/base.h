/* What every room of the library stands on: failing with a sentence, memory, checked sizes, threads. */
#ifndef SUMI_SRC_BASE_BASE_H
#define SUMI_SRC_BASE_BASE_H

#include "sumi/base.h"

#include "base/isa.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUMI__ERROR_MAX 1024

typedef struct sumi_profile sumi_profile; /* sumi/profile.h */

struct sumi_context {
  char error[SUMI__ERROR_MAX];
  sumi_context_options options;
  int threads;
  sumi__isa isa;         /* the highest that kernels may use */
  bool tiles;            /* libraries may multiply bf16 by tiles (sumi__isa_has_tiles) */
  sumi_profile *profile; /* that programs compiled from now on add their times to, or NULL */
};

#if defined(__GNUC__)
#define SUMI__PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define SUMI__PRINTF(f, a)
#endif

/* Records the sentence in the context and returns `code`, so that one can `return sumi__fail(...)`.
 * The sentence names what was wrong, where, and what was expected. */
sumi_status sumi__fail(sumi_context *ctx, sumi_status code, const char *format, ...) SUMI__PRINTF(3, 4);

/* Puts `prefix: ` before the context's present error and returns `code`: for a caller that knows the file. */
sumi_status sumi__fail_in(sumi_context *ctx, sumi_status code, const char *format, ...) SUMI__PRINTF(3, 4);

void sumi__log(sumi_context *ctx, sumi_log_level level, const char *format, ...) SUMI__PRINTF(3, 4);

/* A fallible function has `sumi_status status = SUMI_OK;` at its top and one label `done:` at its end. */
#define SUMI_CHECK(ctx, cond, code, ...)                                                                               \
  do {                                                                                                                 \
    if (!(cond)) {                                                                                                     \
      status = sumi__fail((ctx), (code), __VA_ARGS__);                                                                 \
      goto done;                                                                                                       \
    }                                                                                                                  \
  } while (0)
#define SUMI_TRY(expr)                                                                                                 \
  do {                                                                                                                 \
    status = (expr);                                                                                                   \
    if (status != SUMI_OK) goto done;                                                                                  \
  } while (0)

/* Memory, aligned to 64 bytes, through the context's hooks. NULL on failure with the error set. Zero bytes give a
 * valid pointer. sumi__free takes NULL. */
void *sumi__alloc(sumi_context *ctx, size_t bytes);
void *sumi__alloc_zero(sumi_context *ctx, size_t bytes);
void *sumi__alloc_array(sumi_context *ctx, size_t count, size_t item_bytes); /* zeroed; checks the product */
void sumi__free(sumi_context *ctx, void *memory);
char *sumi__strdup(sumi_context *ctx, const char *text);

/* Tells the system that the pages inside of a file's read-only mapping are not needed for now; they come back from the
 * file when they are read again. */
void sumi__pages_release(const void *memory, size_t bytes);

/* Tells the system that memory is about to be written, all of it: its pages are then found together, where writing
 * would be interrupted for each. They are cleared first, so it pays for pieces that fit the cache. */
void sumi__pages_prepare(void *memory, size_t bytes);

/* Grows `*items` (an sumi__alloc'ed array, NULL at first) so that it holds at least `need`. */
sumi_status sumi__grow(sumi_context *ctx, void **items, size_t *capacity, size_t need, size_t item_bytes);

/* Sizes from outside are multiplied and added with these: false on overflow. */
static inline bool sumi__mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool sumi__add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool sumi__mul_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }

static inline bool sumi__add_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }

static inline size_t sumi__align_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
static inline int64_t sumi__up_to_i64(int64_t n, int64_t to) { return (n + to - 1) / to * to; } /* a multiple */
static inline int64_t sumi__min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t sumi__max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

/* An arena: many small allocations that are freed together. Zeroed. */
typedef struct sumi__arena {
  sumi_context *ctx;
  struct sumi__arena_block *blocks;
} sumi__arena;
void sumi__arena_init(sumi__arena *arena, sumi_context *ctx);
void *sumi__arena_alloc(sumi__arena *arena, size_t bytes); /* NULL with the error set; aligned to 16 */
char *sumi__arena_strdup(sumi__arena *arena, const char *text);
void *sumi__arena_copy(sumi__arena *arena, const void *data, size_t bytes);
void sumi__arena_free(sumi__arena *arena);

/* Calls `body(arg, begin, end, worker)` on disjoint ranges that cover [0, n), each a whole number of `grain` items
 * but the last. The split depends on n, grain and the number of threads alone, so sums are reproducible for a given
 * number of threads. `worker` is in [0, threads). This is the only door to OpenMP. */
typedef void (*sumi__range_fn)(void *arg, int64_t begin, int64_t end, int worker);
void sumi__parallel_for(int threads, int64_t n, int64_t grain, sumi__range_fn body, void *arg);

/* Sets the number of threads that libraries with OpenMP inside (oneDNN) use on the calling thread; returns the old
 * number. */
int sumi__set_library_threads(int threads);

/* FNV-1a over bytes, continuing from `seed` (0 to begin); never 0. */
uint64_t sumi__hash(const void *bytes, size_t count, uint64_t seed);

int sumi__processor_count(void); /* that this process may use */
double sumi__now_seconds(void);  /* monotonic */

#endif
