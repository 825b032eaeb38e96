/* sumi/base.h: status codes and the context that every other call hangs from.
 *
 *   sumi_context *ctx = NULL;
 *   if (sumi_context_create(NULL, &ctx) != SUMI_OK) return 1;
 *   ...
 *   if (some_call(ctx, ...) != SUMI_OK) fprintf(stderr, "%s\n", sumi_context_error(ctx));
 *   sumi_context_free(ctx);
 *
 * Nothing in the library exits, aborts or prints, and all state of its own is in a context. (Two libraries below it
 * keep something for the process: oneDNN the kernels that it has generated, jansson the seed of its hash tables. Both
 * are safe in threads, and no result depends on them.)
 * A pointer argument is not NULL unless the function's own words allow it: what happens then is undefined.
 * A context and all that was made from it belong to one thread at a time; different contexts may be used from
 * different threads at once. */
#ifndef SUMI_BASE_H
#define SUMI_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define SUMI_API
#else
#define SUMI_API __attribute__((visibility("default")))
#endif

/* Every fallible function returns one of these; the sentence that says what, where and what was expected is in
 * sumi_context_error(). The numbers are stable: they are also the command's exit codes. */
#define SUMI_STATUS_LIST(X)                                                                                            \
  X(OK, 0, "success")                                                                                                  \
  X(FAILED, 1, "failed")                                                                                               \
  X(INVALID, 2, "invalid argument")                                                                                    \
  X(SHAPE, 3, "shapes or types do not fit")                                                                            \
  X(UNSUPPORTED, 4, "not supported")                                                                                   \
  X(NO_MEMORY, 5, "out of memory")                                                                                     \
  X(IO, 6, "a file cannot be read or written")                                                                         \
  X(FORMAT, 7, "malformed file")                                                                                       \
  X(NOT_FOUND, 8, "no such file, or nothing of that name")                                                             \
  X(MISMATCH, 9, "does not match the model")                                                                           \
  X(CANCELLED, 10, "cancelled")

typedef enum sumi_status {
#define SUMI_X(name, number, text) SUMI_##name = number,
  SUMI_STATUS_LIST(SUMI_X)
#undef SUMI_X
} sumi_status;

/* The short name of a status ("out of memory"); never NULL. Thread-safe. */
SUMI_API const char *sumi_status_text(sumi_status status);

/* The library's version, "MAJOR.MINOR.PATCH". */
SUMI_API const char *sumi_version(void);

typedef struct sumi_context sumi_context;

typedef enum sumi_log_level { SUMI_LOG_DEBUG, SUMI_LOG_INFO, SUMI_LOG_WARNING } sumi_log_level;

/* How far 3x3 convolutions may go from the plain algorithm for speed (Winograd's, arXiv:1509.09308). Errors are of one
 * convolution of 320 channels relative to its result, which bf16 itself makes 1.6e-3. A picture that is
 * upsampled before needs no such tiles: OFF keeps bf16's products in f32 there. */
typedef enum sumi_winograd {
  SUMI_WINOGRAD_DEFAULT, /* CAREFUL, unless another level says otherwise */
  SUMI_WINOGRAD_CAREFUL, /* f32 products on tiles of 4x4 (1.5e-6), bf16 ones on 2x2 (3.5e-3) */
  SUMI_WINOGRAD_FAST,    /* bf16 products on tiles of 4x4 as well (1.1e-2) */
  SUMI_WINOGRAD_OFF      /* the plain algorithm */
} sumi_winograd;

typedef struct sumi_context_options {
  /* Worker threads for kernels, 1 to 1024; 0 means one for each processor that the process may use. */
  int threads;
  /* The highest instruction set that kernels may use: NULL (whatever the processor has), "generic", "avx2",
   * "avx512", "avx512_bf16". A name that the processor lacks is an error. */
  const char *max_isa;
  sumi_winograd winograd; /* of the programs that are compiled in the context */
  /* Receives messages; NULL drops them. Called on the thread that called the library. */
  void (*log)(void *user, sumi_log_level level, const char *message);
  void *log_user;
  /* Memory hooks, both or neither; `allocate` must return memory aligned to 64 bytes, or NULL. */
  void *(*allocate)(void *user, size_t bytes);
  void (*release)(void *user, void *memory);
  void *memory_user;
} sumi_context_options;

/* Makes a context. `options` may be NULL for the defaults; it is copied. On failure *out is NULL, and there is no
 * sentence to read but sumi_status_text().
 * Errors: INVALID (threads, max_isa, winograd), NO_MEMORY. Free with sumi_context_free. */
SUMI_API sumi_status sumi_context_create(const sumi_context_options *options, sumi_context **out);

/* Frees the context. Everything made from it must have been freed before. NULL is allowed. */
SUMI_API void sumi_context_free(sumi_context *ctx);

/* One line about the last failure in this context; "" when nothing has failed, and for NULL, which a context that could
 * not be made is. Valid until the next failing call. */
SUMI_API const char *sumi_context_error(const sumi_context *ctx);

/* The number of worker threads that kernels use. */
SUMI_API int sumi_context_threads(const sumi_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
