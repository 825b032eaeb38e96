/* What fuzz targets share: one context whose memory is watched, since "no allocation that a header alone can make
 * huge" is one of the promises that are tested. */
#ifndef SUMI_FUZZ_FUZZ_H
#define SUMI_FUZZ_FUZZ_H

#include "base/base.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* More than any reader needs for an input of some kilobytes. */
enum { FUZZ_MEMORY_LIMIT = 64 << 20, FUZZ_INPUT_LIMIT = 64 << 10 };

/* Says what promise was broken and stops, so that the fuzzer keeps the input. */
static inline void fuzz_require(bool kept, const char *promise) {
  if (kept) return;
  fprintf(stderr, "broken promise: %s\n", promise);
  abort();
}

static inline void *fuzz_allocate(void *user, size_t bytes) {
  size_t *live = user;
  *live += bytes;
  fuzz_require(*live <= FUZZ_MEMORY_LIMIT, "a small input takes little memory");
  uint8_t *memory = aligned_alloc(64, sumi__align_up(bytes, 64) + 64);
  if (!memory) return NULL;
  memcpy(memory, &bytes, sizeof bytes);
  return memory + 64;
}

static inline void fuzz_release(void *user, void *memory) {
  size_t *live = user, bytes;
  memcpy(&bytes, (uint8_t *)memory - 64, sizeof bytes);
  *live -= bytes;
  free((uint8_t *)memory - 64);
}

/* A fresh context for one input; *live counts its memory. */
static inline sumi_context *fuzz_begin(size_t *live) {
  const sumi_context_options options = {
      .threads = 1, .allocate = fuzz_allocate, .release = fuzz_release, .memory_user = live};
  sumi_context *ctx = NULL;
  *live = 0;
  fuzz_require(sumi_context_create(&options, &ctx) == SUMI_OK, "a context can be made");
  return ctx;
}

/* What every parser owes: memory is given back, and a refusal is one line that begins with the file's name. */
static inline int fuzz_end(sumi_context *ctx, const size_t *live, sumi_status status) {
  const char *error = sumi_context_error(ctx);
  if (status != SUMI_OK) {
    fuzz_require(strncmp(error, "fuzz", 4) == 0, "an error names the file first");
    fuzz_require(!strpbrk(error, "\n\r\x1b"), "an error is one line of plain text");
  }
  sumi_context_free(ctx);
  fuzz_require(*live == 0, "all memory is given back");
  return 0;
}

/* Reads every byte, so that a sanitizer sees those that are not there. */
static inline void fuzz_touch(const void *data, size_t bytes) {
  const uint8_t *p = data;
  uint8_t sum = 0;
  for (size_t i = 0; i < bytes; i++) sum = (uint8_t)(sum + p[i]);
  volatile uint8_t sink = sum;
  (void)sink;
}

#endif
